package mfa

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/protekt/mfa/internal/record"
)

// The errors of this package. Operations wrap them: test with [errors.Is].
// Errors that carry data have types of their own: [ChallengeError],
// [EnrollmentError], [ThrottledError] and [CodeError].
var (
	// ErrInvalidCode is returned for a code that is wrong, spent, or no code at
	// all; as a [CodeError] if the challenge or pending factor is still there.
	ErrInvalidCode = errors.New("mfa: invalid code")
	// ErrInvalidToken is returned for a token that is forged, of another kind,
	// user or action, expired, used, or invalidated by a change of factors or
	// password. Begin again.
	ErrInvalidToken = errors.New("mfa: invalid or expired token")
	// ErrNotEnrolled is returned if the user does not have this factor, or none
	// at all.
	ErrNotEnrolled = errors.New("mfa: not enrolled")
	// ErrNoPendingEnrollment is returned by VerifyEnrollment if nothing was begun,
	// it has expired, or too many wrong codes have voided it. Enroll again.
	ErrNoPendingEnrollment = errors.New("mfa: no pending enrollment")
	// ErrEnforced is returned by Unenroll while MFA is required.
	ErrEnforced = errors.New("mfa: required, cannot be removed")
	// ErrMethodUnavailable is returned if there is no SMS sender, no verifier of
	// passkeys, or SMSConfig.Allow refused the message.
	ErrMethodUnavailable = errors.New("mfa: method unavailable")
	// ErrInvalidPhone is returned for text that is no phone number in E.164 form.
	ErrInvalidPhone = errors.New("mfa: invalid phone number")
	// ErrInvalidUser is returned for a user ID that is not 1 to 255 bytes of UTF-8
	// without control characters.
	ErrInvalidUser = errors.New("mfa: invalid user ID")
	// ErrInvalidInput is returned for a bad setting, account name, URI or action.
	ErrInvalidInput = errors.New("mfa: invalid input")
	// ErrDelivery is returned if the SMS sender failed. It wraps the sender's own
	// error.
	ErrDelivery = errors.New("mfa: message not delivered")
	// ErrFactorDisabled is returned if too many wrong codes have disabled the
	// factor. Another factor, or Unlock, opens the account.
	ErrFactorDisabled = errors.New("mfa: factor disabled")
	// ErrAlreadyEnrolled is returned by ImportTOTP and ImportSMS if the user has
	// another factor of that method. Revoke it first to replace it.
	ErrAlreadyEnrolled = errors.New("mfa: already enrolled")
	// ErrClonedPasskey is returned by a [PasskeyVerifier], and by the engine, if
	// the counter of a passkey went back: its authenticator may have been copied.
	ErrClonedPasskey = record.ErrCloned
	// ErrNoRecord is returned by a [Store] for an unknown user.
	ErrNoRecord = errors.New("mfa: no record")
	// ErrConflict is returned by a [Store] if somebody else saved first, and by an
	// operation if that happened too often in a row.
	ErrConflict = errors.New("mfa: conflicting change")
)

// A ChallengeError is returned if the user must answer a challenge first. It is
// made for the client: marshalled as JSON it is the body
//
//	{"mfa_required":true,"mfa_token":"mfa_tmp_...","available_methods":["totp","sms"]}
//
// and no other form of it shows the token.
type ChallengeError struct{ Challenge }

// Error describes what is needed, without the token.
func (e *ChallengeError) Error() string {
	return fmt.Sprintf("mfa: code required for %q (%s)", e.Action, joinMethods(e.Methods))
}

// An EnrollmentError is returned if the user must enroll first, since MFA is
// required. Its JSON is
//
//	{"mfa_enrollment_required":true,"mfa_token":"mfa_enr_...","available_methods":["totp","sms"]}
//
// and no other form of it shows the token, which [Engine.EnrollmentUser] takes.
type EnrollmentError struct {
	Token     string
	Methods   []Method
	ExpiresAt time.Time
}

// Error describes what is needed, without the token.
func (e *EnrollmentError) Error() string {
	return fmt.Sprintf("mfa: enrollment required (%s)", joinMethods(e.Methods))
}

// MarshalJSON encodes the body for the client.
func (e EnrollmentError) MarshalJSON() ([]byte, error) {
	return json.Marshal(prompt{EnrollmentRequired: true, Token: e.Token, Methods: e.Methods})
}

// A ThrottledError is returned if nothing was evaluated or sent, because it is
// too early.
type ThrottledError struct {
	// RetryAfter is how long to wait.
	RetryAfter time.Duration
	// Sending reports whether it is a message that may not be sent yet, rather
	// than a code that may not be tried.
	Sending bool
}

func (e ThrottledError) Error() string {
	if e.Sending {
		return fmt.Sprintf("mfa: too many messages, retry after %v", e.RetryAfter)
	}
	return fmt.Sprintf("mfa: too many attempts, retry after %v", e.RetryAfter)
}

// As lets [errors.As] find the error by value too, or a host that declares no
// pointer would miss it silently.
func (e *ThrottledError) As(target any) bool {
	value, ok := target.(*ThrottledError)
	if ok {
		*value = *e
	}
	return ok
}

// A CodeError is returned for a wrong code. It wraps [ErrInvalidCode].
type CodeError struct {
	// TriesLeft is how many more wrong codes this challenge or pending factor
	// takes.
	TriesLeft int
	// Spent reports whether the code was right, but used before. The user must
	// wait for the app's next one.
	Spent bool
}

func (e CodeError) Error() string {
	if e.Spent {
		return fmt.Sprintf("%v: used before (tries left: %d)", ErrInvalidCode, e.TriesLeft)
	}
	return fmt.Sprintf("%v (tries left: %d)", ErrInvalidCode, e.TriesLeft)
}

func (e CodeError) Unwrap() error { return ErrInvalidCode }

// As lets [errors.As] find the error by value too, or a host that declares no
// pointer would miss it silently.
func (e *CodeError) As(target any) bool {
	value, ok := target.(*CodeError)
	if ok {
		*value = *e
	}
	return ok
}

// ErrorCode returns a stable name of an error for a host's own API, through any
// wrapping: "mfa_required", "mfa_enrollment_required", "mfa_enforced",
// "invalid_code", "invalid_token", "not_enrolled", "no_pending_enrollment",
// "method_unavailable", "invalid_phone", "invalid_user", "invalid_request",
// "delivery_failed", "factor_disabled", "too_many_attempts", "too_many_messages",
// "already_enrolled", "conflict", "internal" for anything else, and "" for nil.
func ErrorCode(err error) string {
	var (
		challenge  *ChallengeError
		enrollment *EnrollmentError
		throttled  ThrottledError // which finds a pointer too
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &challenge):
		return "mfa_required"
	case errors.As(err, &enrollment):
		return "mfa_enrollment_required"
	case errors.As(err, &throttled) && throttled.Sending:
		return "too_many_messages"
	case errors.As(err, &throttled):
		return "too_many_attempts"
	}
	for _, known := range errorCodes {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return "internal"
}

// errorCodes lists errors that wrap a host's own before the others.
var errorCodes = []struct {
	err  error
	code string
}{
	{ErrDelivery, "delivery_failed"},
	{ErrMethodUnavailable, "method_unavailable"},
	{ErrEnforced, "mfa_enforced"},
	{ErrInvalidCode, "invalid_code"},
	{ErrClonedPasskey, "invalid_code"},
	{ErrInvalidToken, "invalid_token"},
	{ErrNotEnrolled, "not_enrolled"},
	{ErrNoPendingEnrollment, "no_pending_enrollment"},
	{ErrInvalidPhone, "invalid_phone"},
	{ErrInvalidUser, "invalid_user"},
	{ErrInvalidInput, "invalid_request"},
	{ErrFactorDisabled, "factor_disabled"},
	{ErrAlreadyEnrolled, "already_enrolled"},
	{ErrConflict, "conflict"},
}
