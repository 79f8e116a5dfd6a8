package mfa

import (
	"context"
	"fmt"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
)

// A Method is a kind of second factor.
type Method = record.Method

const (
	MethodTOTP       = record.MethodTOTP       // "totp": codes of an authenticator app (RFC 6238)
	MethodSMS        = record.MethodSMS        // "sms": codes sent to a phone
	MethodBackupCode = record.MethodBackupCode // "backup_code": single-use codes that the user keeps (NIST SP 800-63B look-up secrets)
)

// A ChangeOption is an option of the operations that change a user's factors.
type ChangeOption func(*changeOptions)

type changeOptions struct{ proof string }

// WithProof passes the Proof of a [Login], which shows that the user has just
// proved a factor.
func WithProof(proof string) ChangeOption {
	return func(o *changeOptions) { o.proof = proof }
}

// Status is what there is to show a user about their factors.
type Status struct {
	// Factors are the confirmed totp and sms, and backup_code while there is a
	// set.
	Factors         []Factor `json:"factors"`
	BackupCodesLeft int      `json:"backup_codes_left"`
	// Required reports whether MFA is required of this user.
	Required bool `json:"required"`
}

// A Factor is one line of a Status.
type Factor struct {
	Method     Method    `json:"method"`
	Phone      string    `json:"phone,omitzero"` // masked
	EnrolledAt time.Time `json:"enrolled_at,omitzero"`
	// LastUsedAt is zero until the first use after enrollment.
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	// Disabled reports whether too many wrong codes have disabled the factor.
	Disabled bool `json:"disabled"`
	// RetryAt is the end of a delay during which no code is evaluated; zero
	// without one.
	RetryAt time.Time `json:"retry_at,omitzero"`
}

// Status returns the user's factors.
func (e *Engine) Status(ctx context.Context, userID string) (*Status, error) {
	u, err := e.load(ctx, userID)
	if err != nil {
		return nil, err
	}
	required, err := e.required(ctx, userID)
	if err != nil {
		return nil, err
	}
	status := &Status{
		Factors:         []Factor{},
		BackupCodesLeft: u.BackupCodesLeft(),
		Required:        required,
	}
	for _, f := range u.Factors() {
		factor := Factor{
			Method:     f.Method,
			EnrolledAt: f.EnrolledAt,
			LastUsedAt: f.LastUsedAt,
			Disabled:   f.Lane.Closed(u.now),
		}
		if retryAt := f.RetryAt(); u.now.Before(retryAt) {
			factor.RetryAt = retryAt
		}
		if f.Method == MethodSMS {
			factor.Phone = maskPhone(u.SMS.Phone)
		}
		status.Factors = append(status.Factors, factor)
	}
	return status, nil
}

// VerifyEnrollment confirms a pending factor with a code from it and logs the
// user in; the code is spent. Five wrong codes void the pending factor.
func (e *Engine) VerifyEnrollment(ctx context.Context, userID string, method Method, code string) (*Login, error) {
	if method != MethodTOTP && (method != MethodSMS || e.config.SMS == nil) {
		return nil, ErrMethodUnavailable
	}
	digits, _, err := parseCode(code)
	if err != nil {
		return nil, err
	}
	var login *Login
	err = e.update(ctx, userID, func(u *user) error {
		verdict := e.confirm(u, method, digits)
		if verdict.Result == record.Ended {
			return ErrNoPendingEnrollment
		}
		if err := u.report(verdict, ActionEnroll); err != nil {
			return err
		}
		login = e.login(u, method, ActionEnroll)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return login, nil
}

func (e *Engine) confirm(u *user, method Method, digits string) record.Verdict {
	latest := u.now.Add(e.pendingTTL(method) + clockSkew)
	return u.Confirm(method, e.guess(digits, func(tag seal.Tag) bool {
		return u.PendingSMS != nil && e.ring.Verify(tag, enrollmentCode, u.id, u.PendingSMS.Phone, digits)
	}), u.now, latest)
}

// pendingTTL returns how long a factor waits to be confirmed: a phone no longer
// than its code.
func (e *Engine) pendingTTL(method Method) time.Duration {
	if method == MethodSMS {
		return min(e.config.SMSCodes.TTL, e.config.EnrollmentTTL)
	}
	return e.config.EnrollmentTTL
}

// Unenroll removes a factor; backup codes go with the last of totp and sms.
// While MFA is required it returns ErrEnforced, and without a fresh proof a
// *ChallengeError (ActionManage).
func (e *Engine) Unenroll(ctx context.Context, userID string, method Method, opts ...ChangeOption) error {
	enrolled := func(u *user) error {
		if u.Factor(method) == nil {
			return ErrNotEnrolled
		}
		return nil
	}
	u, err := e.load(ctx, userID)
	if err != nil {
		return err
	}
	if err := enrolled(u); err != nil {
		return err
	}
	required, err := e.required(ctx, userID)
	if err != nil {
		return err
	}
	if required {
		return ErrEnforced
	}
	return e.update(ctx, userID, func(u *user) error {
		if err := enrolled(u); err != nil {
			return err
		}
		if err := e.mayChange(u, opts); err != nil {
			return err
		}
		u.Remove(method)
		u.event(EventUnenrolled, method, "", nil)
		return nil
	})
}

// Reset is for the support desk: it removes every factor, so that the user
// starts again without MFA. Messages sent stay counted.
func (e *Engine) Reset(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		if u.exists() || e.config.Required != nil {
			u.Reset()
		}
		u.event(EventReset, "", "", nil)
		return nil
	})
}

// Unlock is for the support desk: it forgets failures and enables disabled
// factors. It also forgets what a clock that ran ahead has left: spent codes of
// more than one time step ahead, and messages and challenges of the future.
func (e *Engine) Unlock(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		u.Unlock(u.now)
		u.event(EventUnlocked, "", "", nil)
		return nil
	})
}

// PasswordChanged invalidates what was begun or trusted under the old password:
// challenges, enrollments, proofs and trusted devices. Factors and failures
// stay. If one engine on a store has Required set, every one must, or the
// enrollment tokens of users without a record stay valid.
func (e *Engine) PasswordChanged(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		if u.exists() || e.config.Required != nil {
			u.DropPending()
			u.Renew()
		}
		u.event(EventPasswordChanged, "", "", nil)
		return nil
	})
}

// Reseal seals the user's record under the first key, unless it already is, so
// that an older key can be dropped.
func (e *Engine) Reseal(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		u.mustSave = u.exists() && !u.current
		return nil
	})
}

// DeleteUser deletes everything that is known of a user.
func (e *Engine) DeleteUser(ctx context.Context, userID string) error {
	if err := checkCall(ctx, userID); err != nil {
		return err
	}
	if err := e.config.Store.Delete(ctx, userID); err != nil {
		return fmt.Errorf("mfa: deleting the user's record: %w", err)
	}
	return nil
}

// required asks the host's policy.
func (e *Engine) required(ctx context.Context, userID string) (bool, error) {
	if e.config.Required == nil {
		return false, nil
	}
	required, err := e.config.Required(ctx, userID)
	if err != nil {
		return false, fmt.Errorf("mfa: asking whether MFA is required: %w", err)
	}
	return required, nil
}

// mayChange returns nil if the factors of u may be changed: there is nothing to
// prove yet, the options carry a proof, or the host takes care of that. Else it
// returns the challenge to answer first.
func (e *Engine) mayChange(u *user, opts []ChangeOption) error {
	var options changeOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&options)
		}
	}
	if !u.Enrolled() || e.config.InsecureSkipProof || e.proves(u, options.proof) {
		return nil
	}
	challenge, err := e.challenge(u, ActionManage)
	if err != nil {
		return err
	}
	return &ChallengeError{*challenge}
}
