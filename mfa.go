// Package mfa is multi-factor authentication inside a Go backend's own process:
// authenticator apps (TOTP), codes by SMS, backup codes, login challenges,
// optional or required MFA. The host keeps its users, passwords, sessions and
// HTTP; it gives the engine a [Store] and, for SMS, an [SMSSender]. There is no
// server, no goroutine, no global state and no cache, so any number of
// processes may share one store.
//
//	engine, err := mfa.New(mfa.Config{
//		Issuer: "ACME",              // shown in authenticator apps
//		Store:  mfa.NewMemoryStore(), // or a database: see Stores below
//		Keys:   [][]byte{key},       // 32 random bytes, kept with the host's secrets
//	})
//
// # Enrollment
//
// [Engine.EnrollTOTP] gives a QR code to show, [Engine.EnrollSMS] sends a code
// to a phone. Either is nothing until [Engine.VerifyEnrollment] has seen a code
// of it: an app that shows wrong codes, or a number with a typo, locks nobody
// out. Then offer [Engine.GenerateBackupCodes], which returns ten codes to show
// once.
//
// A user with a confirmed factor proves one again before changing any: those
// operations return a [*ChallengeError] for [ActionManage], to be answered with
// [Engine.VerifyStepUp], unless [WithProof] gives the Proof of a recent
// [Login]. Keep that in the session.
//
// # Login
//
// Once the password (or whatever comes first) was right, call
// [Engine.BeginLogin]. Only nil lets the user pass. Everything else is an
// error, so that a host which forgets a case is closed, not open:
//
//	err := engine.BeginLogin(ctx, userID)
//	var challenge *mfa.ChallengeError
//	var enrollment *mfa.EnrollmentError
//	switch {
//	case err == nil:
//		// nothing enrolled and nothing required, or a trusted device: logged in
//	case errors.As(err, &challenge):
//		// ask for a code, then VerifyLogin(ctx, challenge.Token, code)
//	case errors.As(err, &enrollment):
//		// MFA is required here: EnrollmentUser(ctx, enrollment.Token), then enroll
//	default:
//		// refuse
//	}
//
// Both errors marshal to the JSON that a client needs. [Engine.SendCode] sends
// the code of an SMS challenge. [Engine.VerifyLogin] takes whatever the user
// typed: the engine tells a one-time code from a backup code.
//
// # Policy
//
// [Config].Required is asked each time it matters, so that a project can
// require MFA at run time, for everybody or for some. While it says true,
// [Engine.Unenroll] is [ErrEnforced].
//
// [Engine.BeginStepUp] asks a logged-in user for a code before one action of
// the host's. [Engine.TrustDevice] lets a browser skip the prompt for
// Config.TrustedDeviceTTL.
//
// The host's part: call [Engine.PasswordChanged] when the password changes,
// renew the session at each login and step-up, limit requests per address, and
// let no other door (password reset, API keys, single sign-on) in around
// BeginLogin. User IDs must be canonical: IDs that differ in a byte are
// different users.
//
// # Wrong codes
//
// They are counted per user and factor, in the same save as the verdict, so
// that parallel guesses count one by one. Four are free; then nothing is
// evaluated for 1 s, 2 s, 4 s and so on up to 15 minutes after each
// ([ThrottledError]). A hundred in a row, or within 30 days, disable the factor
// ([ErrFactorDisabled]) until [Engine.Unlock], or until it is replaced with the
// help of another. Backup codes have a count of their own: nine are free, then
// 30 s, doubling. A challenge takes five wrong codes.
//
// # Keys
//
// All that the store gets, and every token, is sealed with XChaCha20-Poly1305
// under keys that are derived from Config.Keys. Whoever has one of those can
// read the secrets in the store and make tokens: keep them where the host keeps
// its other keys, not in the database. One set of keys serves one project.
//
// To rotate without an outage: append the new key in every process; then move
// it to the front in every process; then call [Engine.Reseal] for every user.
// The old key may go when the longest-lived token is over
// (Config.TrustedDeviceTTL), or at once if trusted devices may be asked again.
//
// # Stores
//
// A [Store] has three methods over one key per user, with compare and swap: two
// columns of a table will do. mfatest.TestStore checks one; [MemoryStore] is for
// tests and for single processes that may forget. A login is two Loads and one
// Save.
//
// # Compatibility
//
// Records and tokens begin with a version. What a released version has written
// stays readable; golden files see to that. Error texts may change: test with
// errors.Is and errors.As, or send [ErrorCode] on.
package mfa

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/wire"
)

// A Method is a kind of second factor.
type Method string

const (
	MethodTOTP       Method = "totp"        // codes of an authenticator app (RFC 6238)
	MethodSMS        Method = "sms"         // codes sent to a phone
	MethodBackupCode Method = "backup_code" // single-use codes that the user keeps (NIST SP 800-63B look-up secrets)
)

// methods are the names of what records hold.
var methods = [...]Method{
	record.NoMethod:         "",
	record.MethodTOTP:       MethodTOTP,
	record.MethodSMS:        MethodSMS,
	record.MethodBackupCode: MethodBackupCode,
}

// number is what records hold; NoMethod for an unknown name.
func (m Method) number() record.Method {
	for number, name := range methods {
		if name == m {
			return record.Method(number)
		}
	}
	return record.NoMethod
}

// An Engine does multi-factor authentication for a host's users. It is safe
// for concurrent use, and any number of engines in any number of processes may
// share one store. New makes one.
type Engine struct {
	config  Config
	ring    *seal.Ring
	hashing hashing
}

// Format shows nothing of the engine's keys, whatever the verb.
func (e Engine) Format(f fmt.State, _ rune) { io.WriteString(f, "mfa.Engine{redacted}") }

// A ChangeOption is an option of the operations that change a user's factors.
type ChangeOption func(*changeOptions)

type changeOptions struct{ proof string }

// WithProof shows that the user has just proved a factor: proof is the Proof
// of a [Login].
func WithProof(proof string) ChangeOption {
	return func(o *changeOptions) { o.proof = proof }
}

// Status is what there is to show a user about their factors.
type Status struct {
	Factors         []Factor `json:"factors"` // confirmed totp and sms, and backup_code while there is a set
	BackupCodesLeft int      `json:"backup_codes_left"`
	Required        bool     `json:"required"`
}

// MarshalJSON writes no factors as an empty list.
func (s Status) MarshalJSON() ([]byte, error) {
	type plain Status
	s.Factors = orEmpty(s.Factors)
	return json.Marshal(plain(s))
}

// A Factor is one line of a Status.
type Factor struct {
	Method     Method    `json:"method"`
	Phone      string    `json:"phone,omitzero"` // masked
	EnrolledAt time.Time `json:"enrolled_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"` // zero until the first time after enrollment
	Disabled   bool      `json:"disabled"`
	RetryAt    time.Time `json:"retry_at,omitzero"` // no code is evaluated before; zero where there is no delay
}

// Status tells which factors a user has.
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
			Method:     methods[f.Method],
			EnrolledAt: f.EnrolledAt,
			LastUsedAt: f.LastUsedAt,
			Disabled:   f.Lane.Closed(u.now),
		}
		if retryAt := f.RetryAt(); u.now.Before(retryAt) {
			factor.RetryAt = retryAt
		}
		if f.Method == record.MethodSMS {
			factor.Phone = maskPhone(u.SMS.Phone)
		}
		status.Factors = append(status.Factors, factor)
	}
	return status, nil
}

// Unenroll removes a factor; backup codes go with the last of totp and sms.
// While MFA is required it is ErrEnforced. Without a fresh proof it returns a
// *ChallengeError (ActionManage).
func (e *Engine) Unenroll(ctx context.Context, userID string, method Method, opts ...ChangeOption) error {
	enrolled := func(u *user) error {
		if u.Factor(method.number()) == nil {
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
		u.Remove(method.number())
		u.event(EventUnenrolled, method, "", nil)
		return nil
	})
}

// Reset is for the support desk: it takes every factor away, so that the user
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
// more than one time step ahead, and messages that are still to come.
func (e *Engine) Unlock(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		u.Unlock(u.now)
		u.event(EventUnlocked, "", "", nil)
		return nil
	})
}

// PasswordChanged ends what was begun or trusted under the old password:
// challenges, enrollments, proofs and trusted devices. Factors and failures
// stay. Every engine on a store must have Required set where one has, or the
// enrollment tokens of users without a record live on.
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

// Reseal seals the user's record under the first key, if it is not yet, so
// that an older key can be dropped.
func (e *Engine) Reseal(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		u.mustSave = u.exists() && !u.current
		return nil
	})
}

// DeleteUser removes all that is known of a user.
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

// mayChange tells whether the factors of u may be changed: there is nothing to
// prove yet, it was proved, or the host sees to that. Else it returns the
// challenge to answer first.
func (e *Engine) mayChange(u *user, opts []ChangeOption) error {
	var options changeOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&options)
		}
	}
	if !u.Enrolled() || e.config.SkipProof || e.proves(u, options.proof) {
		return nil
	}
	challenge, err := e.challenge(u, ActionManage)
	if err != nil {
		return err
	}
	return &ChallengeError{*challenge}
}

// user is one user's state between Load and Save.
type user struct {
	record.User
	id      string
	now     time.Time
	version int64  // stored; 0 where there is no record
	encoded []byte // as loaded
	current bool   // sealed under the first key

	mustSave bool    // even where nothing changed
	silent   bool    // nobody listens to events
	events   []Event // to be told after the save
}

func (u *user) exists() bool { return u.version > 0 }

func (u *user) event(t EventType, method Method, action string, err error) {
	if u.silent {
		return
	}
	u.events = append(u.events, Event{Type: t, UserID: u.id, Method: method, Action: action, Time: u.now, Err: err})
}

// throttled refuses what may not be done before next.
func (u *user) throttled(next time.Time, method Method, action string) error {
	if !u.now.Before(next) {
		return nil
	}
	err := &ThrottledError{RetryAfter: next.Sub(u.now)}
	u.event(EventThrottled, method, action, err)
	return err
}

// retries bounds how often an operation starts again since somebody else saved
// first. Each time somebody did get something done.
const retries = 100

// update is how every operation changes a user: load, open, change, seal,
// save, and again from the start if the record has changed meanwhile. change
// has no effect outside u. What it changes is saved even where it returns an
// error, which is how a refusal is counted; neither is told before that.
func (e *Engine) update(ctx context.Context, userID string, change func(u *user) error) error {
	return e.updateIn(ctx, e.config.Store, userID, change)
}

// updateIn is update in a store of the caller's choice.
func (e *Engine) updateIn(ctx context.Context, store Store, userID string, change func(u *user) error) error {
	var err error
	for range retries {
		var u *user
		if u, err = e.loadFrom(ctx, store, userID); err != nil {
			return err
		}
		verdict := change(u)
		if err = e.save(ctx, store, u); err == nil {
			e.emit(ctx, u.events...)
			return verdict
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

// now is the time by the engine's only clock, without a monotonic reading: it
// is compared with times that other processes wrote.
func (e *Engine) now() time.Time { return e.config.Now().Round(0).UTC() }

// load is for operations that change nothing.
func (e *Engine) load(ctx context.Context, userID string) (*user, error) {
	return e.loadFrom(ctx, e.config.Store, userID)
}

func (e *Engine) loadFrom(ctx context.Context, store Store, userID string) (*user, error) {
	if err := checkCall(ctx, userID); err != nil {
		return nil, err
	}
	u := &user{id: userID, now: e.now(), silent: e.config.OnEvent == nil}
	if !wire.Holds(u.now) {
		return nil, fmt.Errorf("mfa: Config.Now is out of range, in the year %d", u.now.Year())
	}
	stored, err := store.Load(ctx, userID)
	if errors.Is(err, ErrNoRecord) {
		u.encoded = u.Append(nil)
		return u, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mfa: loading the user's record: %w", err)
	}
	if err := e.open(u, stored); err != nil {
		return nil, fmt.Errorf("mfa: the user's record %w", err)
	}
	return u, nil
}

// maxRecord bounds what is read from a store. Records stay under 2 KiB.
const maxRecord = 8 << 10

func (e *Engine) open(u *user, stored Record) error {
	if stored.Version < 1 || len(stored.Data) > maxRecord {
		return fmt.Errorf("is damaged: version %d, %d bytes", stored.Version, len(stored.Data))
	}
	encoded, err := e.ring.Open(seal.Record, stored.Data, associated(u.id, stored.Version))
	if err != nil {
		return err
	}
	if err := u.Decode(encoded); err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	u.version, u.encoded, u.current = stored.Version, encoded, e.ring.Current(stored.Data)
	return nil
}

// growth is by how much most operations make a record longer, in bytes.
const growth = 64

// save writes a user back if anything has changed.
func (e *Engine) save(ctx context.Context, store Store, u *user) error {
	buffer := u.Append(seal.NewBuffer(len(u.encoded) + growth))
	if bytes.Equal(seal.Plaintext(buffer), u.encoded) && !u.mustSave {
		return nil
	}
	err := store.Save(ctx, Record{
		UserID:  u.id,
		Version: u.version,
		Methods: u.confirmedMethods(),
		Data:    e.ring.Seal(seal.Record, buffer, associated(u.id, u.version+1)),
	})
	if err != nil {
		return fmt.Errorf("mfa: saving the user's record: %w", err)
	}
	return nil
}

func (u *user) confirmedMethods() []Method {
	confirmed := make([]Method, 0, 2)
	if u.TOTP != nil {
		confirmed = append(confirmed, MethodTOTP)
	}
	if u.SMS != nil {
		confirmed = append(confirmed, MethodSMS)
	}
	return confirmed
}

// associated binds a sealed record to its user and to the version under which
// it is stored.
func associated(userID string, version int64) []byte {
	b := make([]byte, 0, 8+len(userID))
	b = binary.BigEndian.AppendUint64(b, uint64(version))
	return append(b, userID...)
}

// checkCall refuses what no operation takes.
func checkCall(ctx context.Context, userID string) error {
	if err := CheckUserID(userID); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mfa: %w", err)
	}
	return nil
}

// orEmpty makes a nil list one that JSON writes as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
