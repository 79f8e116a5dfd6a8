package mfa

import (
	"context"
	"fmt"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/token"
)

// A Login reports that a user has proved a second factor.
type Login struct {
	UserID string `json:"user_id"`
	Method Method `json:"method"`
	// FactorID is that of the factor proved; empty for backup codes.
	FactorID string `json:"factor_id,omitzero"`
	// AMR holds authentication method references (RFC 8176). The host adds "pwd"
	// if there was a password.
	AMR             []string  `json:"amr"`
	Time            time.Time `json:"time"`
	Action          string    `json:"action"`
	BackupCodesLeft int       `json:"backup_codes_left"`

	// Proof is for WithProof and TrustDevice, after a login, an enrollment or
	// an ActionManage step-up; empty after any other step-up. Keep it in the
	// session. It is valid for Config.ProofTTL.
	Proof string `json:"-"`
}

// A LoginOption is an option of BeginLogin.
type LoginOption func(*loginOptions)

type loginOptions struct {
	device         string
	expectEnrolled bool
}

// ExpectEnrolled passes on that the host's own record says that the user has
// MFA. BeginLogin then returns ErrNotEnrolled for a user without a factor,
// neither nil nor an *EnrollmentError: a deleted row, a stale replica or another
// spelling of the user ID lets nobody in.
func ExpectEnrolled() LoginOption {
	return func(o *loginOptions) { o.expectEnrolled = true }
}

// BeginLogin reports whether a user, whose password (or whatever comes first)
// was right, may pass. Only nil lets the user in: nothing is enrolled and
// nothing required, or the device is trusted. It returns a *ChallengeError for a
// user who must answer a challenge, and an *EnrollmentError for one who must
// enroll first.
func (e *Engine) BeginLogin(ctx context.Context, userID string, opts ...LoginOption) error {
	var options loginOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&options)
		}
	}
	u, err := e.load(ctx, userID)
	if err != nil {
		return err
	}
	if !u.Enrolled() {
		if options.expectEnrolled {
			return ErrNotEnrolled
		}
		return e.mayPassWithout(ctx, u)
	}
	if e.trusted(u, options.device) != nil {
		return e.passTrusted(ctx, u, options.device)
	}
	challenge, err := e.challenge(u, ActionLogin)
	if err != nil {
		return err
	}
	e.emit(ctx, u.events...)
	return &ChallengeError{*challenge}
}

// passTrusted lets a user pass on a trusted device, and records its use once a
// day.
func (e *Engine) passTrusted(ctx context.Context, u *user, device string) error {
	if e.trusted(u, device).Use(u.now) {
		return e.update(ctx, u.id, func(u *user) error {
			trusted := e.trusted(u, device)
			if trusted == nil { // revoked meanwhile
				return ErrConflict
			}
			trusted.Use(u.now)
			u.event(Event{Type: EventDeviceAccepted, Action: ActionLogin})
			return nil
		})
	}
	u.event(Event{Type: EventDeviceAccepted, Action: ActionLogin})
	e.emit(ctx, u.events...)
	return nil
}

// mayPassWithout decides for a user without factors.
func (e *Engine) mayPassWithout(ctx context.Context, u *user) error {
	required, err := e.required(ctx, u.id)
	if err != nil {
		return err
	}
	if !required {
		u.event(Event{Type: EventPassed, Action: ActionLogin})
		e.emit(ctx, u.events...)
		return nil
	}
	enrollment := &EnrollmentError{ExpiresAt: u.now.Add(e.config.EnrollmentTTL)}
	for _, m := range []Method{MethodPasskey, MethodTOTP, MethodSMS} {
		if e.offers(m) {
			enrollment.Methods = append(enrollment.Methods, m)
		}
	}
	enrollment.Token = token.Seal(e.ring, token.Enrollment, token.Claims{
		UserID: u.id, Issued: u.now, Expires: enrollment.ExpiresAt, Epoch: u.Epoch,
	})
	u.event(Event{Type: EventEnrollmentRequired, Action: ActionLogin, Err: enrollment})
	e.emit(ctx, u.events...)
	return enrollment
}

// EnrollmentUser returns the user of an EnrollmentError's token, as long as it is
// fresh and that user still has no factor: it leads to the enrollment pages
// and nowhere else.
func (e *Engine) EnrollmentUser(ctx context.Context, token string) (userID string, err error) {
	claims, err := e.openEnrollment(ctx, token)
	if err != nil {
		return "", err
	}
	u, err := e.load(ctx, claims.UserID)
	if err != nil {
		return "", err
	}
	if u.Enrolled() || claims.Epoch != u.Epoch {
		return "", e.refuseToken(ctx, claims)
	}
	return u.id, nil
}

// VerifyLogin answers a login challenge with a code (one of an authenticator app,
// the one that SendCode sent, or a backup code) or with the JSON of a browser's
// passkey. A nil error means that Login.UserID is in: log in that user, never the
// one that a form or a session names.
func (e *Engine) VerifyLogin(ctx context.Context, token, answer string) (*Login, error) {
	return e.verify(ctx, token, anyUser, ActionLogin, answer)
}

// BeginStepUp asks a user who is logged in to prove a factor again, for one
// action of the host's: 1 to 64 printable bytes. ActionManage lets the user
// change factors; ActionLogin and ActionEnroll are refused.
func (e *Engine) BeginStepUp(ctx context.Context, userID, action string) (*Challenge, error) {
	if action == "" || len(action) > maxAction || !printable(action) || action == ActionLogin || action == ActionEnroll {
		return nil, fmt.Errorf("%w: the action must be 1 to %d printable bytes, and not %q or %q", ErrInvalidInput, maxAction, ActionLogin, ActionEnroll)
	}
	u, err := e.load(ctx, userID)
	if err != nil {
		return nil, err
	}
	if !u.Enrolled() {
		return nil, ErrNotEnrolled
	}
	challenge, err := e.challenge(u, action)
	if err != nil {
		return nil, err
	}
	e.emit(ctx, u.events...)
	return challenge, nil
}

// VerifyStepUp answers the challenge of a step-up of this user's for this action,
// or of a ChallengeError that an operation which changes factors returned
// (ActionManage). userID is who is logged in: the challenge of another user is
// ErrInvalidToken, and so are ActionLogin and ActionEnroll.
func (e *Engine) VerifyStepUp(ctx context.Context, userID, token, action, answer string) (*Login, error) {
	if err := checkCall(ctx, userID); err != nil {
		return nil, err
	}
	if action == ActionLogin || action == ActionEnroll {
		action = noAction
	}
	return e.verify(ctx, token, userID, action, answer)
}

// login returns the Login of a user who has proved a factor.
func (e *Engine) login(u *user, verdict record.Verdict, action string) *Login {
	login := &Login{
		UserID:          u.id,
		Method:          verdict.Method,
		FactorID:        factorID(verdict.Factor),
		AMR:             amr(verdict),
		Time:            u.now,
		Action:          action,
		BackupCodesLeft: u.BackupCodesLeft(),
	}
	if action == ActionLogin || action == ActionEnroll || action == ActionManage {
		login.Proof = token.Seal(e.ring, token.Proof, token.Claims{
			UserID: u.id, Issued: u.now, Expires: u.now.Add(e.config.ProofTTL), Epoch: u.Epoch,
		})
	}
	return login
}

// amr returns the authentication method references of RFC 8176 §2. None is
// registered for backup codes.
func amr(verdict record.Verdict) []string {
	switch verdict.Method {
	case MethodPasskey:
		if verdict.UserVerified {
			return []string{"pop", "user", "mfa"}
		}
		return []string{"pop", "mfa"}
	case MethodTOTP:
		return []string{"otp", "mfa"}
	case MethodSMS:
		return []string{"sms", "mfa"}
	}
	return []string{"mfa"}
}

// proves reports whether proof is a fresh one of this user's.
func (e *Engine) proves(u *user, proof string) bool {
	claims, err := e.openToken(token.Proof, proof, e.config.ProofTTL)
	return err == nil && claims.UserID == u.id && claims.Epoch == u.Epoch
}
