// Package mfa implements multi-factor authentication inside a Go backend's own
// process: authenticator apps (TOTP), codes by SMS, passkeys, backup codes, login
// challenges, optional or required MFA. The host keeps its users, passwords,
// sessions and HTTP; it provides a [Store] and, for SMS, an [SMSSender]. There
// is no server, no goroutine, no global state and no cache, so any number of
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
// [Engine.EnrollTOTP] returns a QR code to show, [Engine.EnrollSMS] sends a code
// to a phone, [Engine.EnrollPasskey] returns what a browser needs to create a
// passkey. Nothing counts until [Engine.VerifyEnrollment] has accepted an answer
// from it: an app that shows wrong codes, or a number with a typo, locks nobody
// out. Then offer [Engine.GenerateBackupCodes], which returns ten codes to show
// once.
//
// Enrolling an app or a phone replaces those that the user has, unless
// [KeepOthers] or [OnlyFactor] says otherwise; passkeys stand beside each other.
// Each factor has an ID and, if [WithLabel] gives it one, a name of the user's.
//
// A user with a confirmed factor proves one again before changing any: those
// operations return a [*ChallengeError] for [ActionManage], to be answered with
// [Engine.VerifyStepUp], unless [WithProof] carries the Proof of a recent
// [Login]. Keep that in the session.
//
// # Login
//
// Once the password (or whatever comes first) was right, call
// [Engine.BeginLogin]. Only nil lets the user pass. Everything else is an
// error, so that a host that forgets a case fails closed:
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
//		// MFA is required: EnrollmentUser(ctx, enrollment.Token), then enroll
//	default:
//		// refuse
//	}
//
// Both errors marshal to the JSON body that a client expects. [Engine.SendCode]
// sends the code of an SMS challenge, [Engine.PasskeyOptions] returns what a
// browser needs to answer with a passkey. [Engine.VerifyLogin] accepts whatever
// the user typed or the browser answered, and distinguishes codes from each other
// itself. Log in the user that its [Login] names, never one that a form or a
// session names.
//
// A host that records which users have MFA passes [ExpectEnrolled] for them, so
// that a row that is missing in the store is an error and no way in.
//
// # Policy
//
// [Config].Required is asked each time it matters, so that a project can
// require MFA at run time, for everybody or for some. While it reports true,
// [Engine.Unenroll] returns [ErrEnforced].
//
// [Engine.BeginStepUp] asks a logged-in user for a code before one action of
// the host's. [Engine.TrustDevice] lets a browser skip the prompt for
// Config.TrustedDeviceTTL; [Engine.Devices] lists those browsers. Users remove a
// lost or stolen factor beside others by [Engine.Unenroll] with [Lost], and the
// support desk any by [Engine.Revoke], whatever the policy.
//
// The host must call [Engine.PasswordChanged] when the password changes, renew
// the session at each login and step-up, limit requests per address, and let no
// other way in (password reset, API keys, single sign-on) bypass BeginLogin.
// User IDs must be canonical: IDs that differ in a byte are different users.
//
// # Wrong codes
//
// Wrong codes are counted per user and method, in the same save as the verdict,
// so that parallel guesses count one by one. Four are free; then nothing is
// evaluated for 1 s, 2 s, 4 s and so on up to 15 minutes after each
// ([ThrottledError]). A hundred in a row, or within 30 days, disable the factor
// ([ErrFactorDisabled]) until [Engine.Unlock], or until the user replaces it
// with the help of another. Backup codes have a count of their own: nine are
// free, then 30 s, doubling. A challenge takes five wrong codes.
//
// # Keys
//
// Everything that the store receives, and every token, is sealed with
// XChaCha20-Poly1305 under keys derived from Config.Keys. Whoever has one of
// those can read the secrets in the store and forge tokens: keep them where the
// host keeps its other keys, not in the database. One set of keys serves one
// project.
//
// To rotate without an outage: append the new key in every process; then move
// it to the front in every process; then call [Engine.Reseal] for every user.
// Drop the old key when the longest-lived token has expired
// (Config.TrustedDeviceTTL), or at once if trusted devices may be asked again.
//
// # Stores
//
// A [Store] has three methods over one key per user, with compare and swap: two
// columns of a table will do. mfatest.TestStore checks an implementation;
// [MemoryStore] is for tests and for single processes that may forget. A login
// takes two Loads and one Save.
//
// # Compatibility
//
// Records and tokens begin with a version. What a released version has written
// stays readable, as golden files show. Error texts may change: test with
// errors.Is and errors.As, or pass [ErrorCode] on.
package mfa

import (
	"fmt"
	"time"

	"github.com/protekt/mfa/internal/seal"
)

// An Engine does multi-factor authentication for a host's users. It is safe
// for concurrent use, and any number of engines in any number of processes may
// share one store.
type Engine struct {
	config  Config
	ring    *seal.Ring
	hashing hashing
}

// New returns an engine. It copies config, fills its zeros with defaults and
// keeps neither the caller's Config nor its keys. An error names the field at
// fault and the cure.
func New(config Config) (*Engine, error) {
	ring, err := seal.New(config.Keys)
	if err != nil {
		return nil, fmt.Errorf("%w: Config.Keys: %w", ErrInvalidInput, err)
	}
	config.Keys = nil
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	return &Engine{config: config, ring: ring, hashing: newHashing()}, nil
}

// now returns the time of the engine's only clock, without a monotonic reading:
// it is compared with times that other processes wrote.
func (e *Engine) now() time.Time { return e.config.Now().Round(0).UTC() }
