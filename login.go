package mfa

import (
	"context"
	"fmt"
	"time"

	"github.com/protekt/mfa/internal/token"
)

// A Login reports that a user has proved a second factor.
type Login struct {
	UserID string `json:"user_id"`
	Method Method `json:"method"`
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

type loginOptions struct{ device string }

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
		return e.mayPassWithout(ctx, u)
	}
	if e.trusts(u, options.device) {
		u.event(EventDeviceAccepted, "", ActionLogin, nil)
		e.emit(ctx, u.events...)
		return nil
	}
	challenge, err := e.challenge(u, ActionLogin)
	if err != nil {
		return err
	}
	e.emit(ctx, u.events...)
	return &ChallengeError{*challenge}
}

// mayPassWithout decides for a user without factors.
func (e *Engine) mayPassWithout(ctx context.Context, u *user) error {
	required, err := e.required(ctx, u.id)
	if err != nil {
		return err
	}
	if !required {
		return nil
	}
	enrollment := &EnrollmentError{Methods: []Method{MethodTOTP}, ExpiresAt: u.now.Add(e.config.EnrollmentTTL)}
	if e.config.SMS != nil {
		enrollment.Methods = append(enrollment.Methods, MethodSMS)
	}
	enrollment.Token = token.Seal(e.ring, token.Enrollment, token.Claims{
		UserID: u.id, Issued: u.now, Expires: enrollment.ExpiresAt, Epoch: u.Epoch,
	})
	return enrollment
}

// EnrollmentUser returns the user of an EnrollmentError's token, as long as it is
// fresh and that user still has no factor: it leads to the enrollment pages
// and nowhere else.
func (e *Engine) EnrollmentUser(ctx context.Context, token string) (userID string, err error) {
	claims, err := e.openEnrollment(token)
	if err != nil {
		return "", err
	}
	u, err := e.load(ctx, claims.UserID)
	if err != nil {
		return "", err
	}
	if u.Enrolled() || claims.Epoch != u.Epoch {
		return "", ErrInvalidToken
	}
	return u.id, nil
}

// VerifyLogin answers a login challenge with a code: one of the authenticator
// app, the one that SendCode sent, or a backup code. A nil error means that
// Login.UserID is in: log in that user, never the one that a form or a session
// names.
func (e *Engine) VerifyLogin(ctx context.Context, token, code string) (*Login, error) {
	return e.verify(ctx, token, ActionLogin, code)
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

// VerifyStepUp answers the challenge of a step-up for this action, or of a
// ChallengeError that an operation which changes factors returned
// (ActionManage).
func (e *Engine) VerifyStepUp(ctx context.Context, token, action, code string) (*Login, error) {
	if action == ActionLogin || action == ActionEnroll {
		return nil, ErrInvalidToken
	}
	return e.verify(ctx, token, action, code)
}

// login returns the Login of a user who has proved a factor.
func (e *Engine) login(u *user, method Method, action string) *Login {
	login := &Login{
		UserID:          u.id,
		Method:          method,
		AMR:             amr(method),
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
func amr(method Method) []string {
	switch method {
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
