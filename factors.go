package mfa

import (
	"context"
	"slices"
	"time"

	"github.com/protekt/mfa/internal/record"
)

// A Method is a kind of second factor.
type Method = record.Method

const (
	MethodPasskey    = record.MethodPasskey    // "passkey": WebAuthn credentials, the only factor that resists phishing
	MethodTOTP       = record.MethodTOTP       // "totp": codes of an authenticator app (RFC 6238)
	MethodSMS        = record.MethodSMS        // "sms": codes sent to a phone
	MethodBackupCode = record.MethodBackupCode // "backup_code": single-use codes that the user keeps (NIST SP 800-63B look-up secrets)
)

// Status describes a user's factors, for the user to see.
type Status struct {
	// Factors are the confirmed passkey, totp and sms, and backup_code while there
	// is a set.
	Factors         []Factor `json:"factors"`
	BackupCodesLeft int      `json:"backup_codes_left"`
	// Required reports whether MFA is required of this user.
	Required bool `json:"required"`
}

// A Factor describes a confirmed factor.
type Factor struct {
	// ID ("fac_...") names the factor among those of its user. Backup codes have
	// none.
	ID     string `json:"id,omitzero"`
	Method Method `json:"method"`
	// Label is the name that the user gave it, if any.
	Label      string    `json:"label,omitzero"`
	Phone      string    `json:"phone,omitzero"` // masked
	EnrolledAt time.Time `json:"enrolled_at,omitzero"`
	// LastUsedAt is zero until the first use after enrollment.
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	// Disabled reports whether too many wrong codes have disabled the method.
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
		status.Factors = append(status.Factors, u.describe(f))
	}
	return status, nil
}

// describe returns what there is to show about a factor.
func (u *user) describe(f *record.Factor) Factor {
	factor := Factor{
		ID:         factorID(f.ID),
		Method:     f.Method,
		Label:      f.Label,
		Phone:      u.phone(f),
		EnrolledAt: f.EnrolledAt,
		LastUsedAt: f.LastUsedAt,
		Disabled:   u.Lane(f.Method).Closed(u.now),
	}
	if retryAt := u.RetryAt(f.Method); u.now.Before(retryAt) {
		factor.RetryAt = retryAt
	}
	return factor
}

// Unenroll removes the user's factors of a method, or one alone with OnlyFactor;
// backup codes go with the last of the others. While MFA is required it returns
// ErrEnforced for all but backup codes, and lost factors beside others (Lost).
// Without a fresh proof it returns a *ChallengeError (ActionManage).
func (e *Engine) Unenroll(ctx context.Context, userID string, method Method, opts ...ChangeOption) error {
	options, err := readOptions(opts)
	if err != nil {
		return err
	}
	required, err := e.mustKeep(ctx, userID, method, options)
	if err != nil {
		return err
	}
	removal := EventUnenrolled
	if options.lost {
		removal = EventRevoked
	}
	return e.update(ctx, userID, func(u *user) error {
		only, err := u.selected(method, options)
		if err != nil {
			return err
		}
		if required && !(options.lost && u.keepsOther(method, only)) {
			u.event(Event{Type: EventEnforced, Method: method, Err: ErrEnforced})
			return ErrEnforced
		}
		if err := e.mayChange(u, options); err != nil {
			return err
		}
		u.remove(method, only, removal)
		return nil
	})
}

// mustKeep reports whether the host's policy protects a factor that the user has.
func (e *Engine) mustKeep(ctx context.Context, userID string, method Method, options changeOptions) (bool, error) {
	u, err := e.load(ctx, userID)
	if err != nil {
		return false, err
	}
	if _, err := u.selected(method, options); err != nil {
		return false, err
	}
	if method == MethodBackupCode { // which is no removal of MFA
		return false, nil
	}
	return e.required(ctx, userID)
}

// Revoke removes lost or stolen factors as Unenroll does, whatever the policy: a
// user who is left without one must enroll anew while MFA is required. It asks
// for no proof: it is for the support desk. A page on which users report a lost
// factor calls Unenroll with Lost.
func (e *Engine) Revoke(ctx context.Context, userID string, method Method, opts ...ChangeOption) error {
	options, err := readOptions(opts)
	if err != nil {
		return err
	}
	return e.update(ctx, userID, func(u *user) error {
		only, err := u.selected(method, options)
		if err != nil {
			return err
		}
		u.remove(method, only, EventRevoked)
		return nil
	})
}

// selected returns the factor that OnlyFactor names, or zero for all of a method.
func (u *user) selected(method Method, options changeOptions) (only record.ID, err error) {
	if options.only == nil {
		if !u.Has(method) {
			return only, ErrNotEnrolled
		}
		return only, nil
	}
	only, _ = parseFactorID(*options.only)
	if f := u.Find(only); f == nil || f.Method != method {
		return only, ErrNotEnrolled
	}
	return only, nil
}

// selects reports whether f is what selected returned, or among it.
func selects(method Method, only record.ID, f *record.Factor) bool {
	return f.Method == method && (only == record.ID{} || f.ID == only)
}

// keepsOther reports whether the user has MFA without what selected returned.
func (u *user) keepsOther(method Method, only record.ID) bool {
	return slices.ContainsFunc(u.Factors(), func(f *record.Factor) bool {
		return f.Method != MethodBackupCode && !selects(method, only, f)
	})
}

// remove removes what selected returned, with an event for each factor.
func (u *user) remove(method Method, only record.ID, event EventType) {
	for _, f := range u.Factors() {
		if selects(method, only, f) {
			about := u.about(f.ID)
			about.Type, about.Method = event, method
			u.event(about)
		}
	}
	u.Remove(method, only)
}

// Rename sets the label of a factor, which only its user sees: 1 to 64
// printable bytes, or none.
func (e *Engine) Rename(ctx context.Context, userID, factorID, label string) error {
	if err := checkLabel(label); err != nil {
		return err
	}
	return e.update(ctx, userID, func(u *user) error {
		id, _ := parseFactorID(factorID)
		f := u.Find(id)
		if f == nil {
			return ErrNotEnrolled
		}
		f.Label = label
		return nil
	})
}

// CheckProof returns nil if proof is a fresh one of a user's who has a factor, for
// pages of the host's that ask for one, such as for Revoke. Without one it returns
// a *ChallengeError (ActionManage), and ErrNotEnrolled for a user without a factor.
// With Config.InsecureSkipProof no proof is needed here either.
func (e *Engine) CheckProof(ctx context.Context, userID, proof string) error {
	return e.update(ctx, userID, func(u *user) error {
		if !u.Enrolled() {
			return ErrNotEnrolled
		}
		return e.mayChange(u, changeOptions{proof: proof})
	})
}

// mayChange returns nil if the factors of u may be changed: there is nothing to
// prove yet, the options carry a proof, or the host takes care of that. Else it
// returns the challenge to answer first.
func (e *Engine) mayChange(u *user, options changeOptions) error {
	if !u.Enrolled() || e.config.InsecureSkipProof || e.proves(u, options.proof) {
		return nil
	}
	challenge, err := e.challenge(u, ActionManage)
	if err != nil {
		return err
	}
	return &ChallengeError{*challenge}
}
