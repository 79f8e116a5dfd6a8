package mfa

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// The errors of this package. Operations wrap them; test with [errors.Is].
// What carries data is a type of its own: [ChallengeError],
// [EnrollmentError], [ThrottledError] and [CodeError].
var (
	// ErrInvalidCode: the code is wrong, spent, or no code at all. It comes as
	// a [CodeError] where there are tries left to tell of.
	ErrInvalidCode = errors.New("mfa: invalid code")
	// ErrInvalidToken: the token is forged, of another kind, user or action,
	// expired, used, or ended by a change of factors or password. Begin again.
	ErrInvalidToken = errors.New("mfa: invalid or expired token")
	// ErrNotEnrolled: the user does not have this factor, or none at all.
	ErrNotEnrolled = errors.New("mfa: not enrolled")
	// ErrNoPendingEnrollment: nothing was begun, it has expired, or too many
	// wrong codes have voided it. Enroll again.
	ErrNoPendingEnrollment = errors.New("mfa: no pending enrollment")
	// ErrEnforced: factors cannot be removed while MFA is required.
	ErrEnforced = errors.New("mfa: required here, cannot be removed")
	// ErrMethodUnavailable: this method cannot be used here and now: there is
	// no SMS sender, or SMSConfig.Allow refused.
	ErrMethodUnavailable = errors.New("mfa: method unavailable")
	// ErrInvalidPhone: not a phone number in E.164 form.
	ErrInvalidPhone = errors.New("mfa: invalid phone number")
	// ErrInvalidUser: not 1 to 255 bytes of UTF-8 without control characters.
	ErrInvalidUser = errors.New("mfa: invalid user ID")
	// ErrInvalidInput: a bad setting, account name, URI or action.
	ErrInvalidInput = errors.New("mfa: invalid input")
	// ErrDelivery: the SMS sender failed. Its own error is wrapped too.
	ErrDelivery = errors.New("mfa: message not delivered")
	// ErrFactorDisabled: too many wrong codes disabled the factor. Another
	// factor, or Unlock, opens the account.
	ErrFactorDisabled = errors.New("mfa: factor disabled")
	// ErrNoRecord is what a [Store] returns for an unknown user.
	ErrNoRecord = errors.New("mfa: no record")
	// ErrConflict is what a [Store] returns when somebody else saved first. An
	// operation returns it when that happened too often in a row.
	ErrConflict = errors.New("mfa: conflicting change")
)

// A ChallengeError says that the user must answer a challenge first. It is
// made for the client: marshalled as JSON it is the body
//
//	{"mfa_required":true,"mfa_token":"mfa_tmp_...","available_methods":["totp","sms"]}
//
// and no other form of it shows the token.
type ChallengeError struct{ Challenge }

// Error says what is needed, without the token.
func (e *ChallengeError) Error() string {
	return fmt.Sprintf("mfa: code required for %q (%s)", e.Action, joinMethods(e.Methods))
}

// Format writes the same as Error, for every verb.
func (e ChallengeError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// LogValue is the same as Error.
func (e ChallengeError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// An EnrollmentError says that the user must enroll first, since MFA is
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

// Error says what is needed, without the token.
func (e *EnrollmentError) Error() string {
	return fmt.Sprintf("mfa: enrollment required (%s)", joinMethods(e.Methods))
}

// Format writes the same as Error, for every verb.
func (e EnrollmentError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// LogValue is the same as Error.
func (e EnrollmentError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// MarshalJSON writes the body for the client.
func (e EnrollmentError) MarshalJSON() ([]byte, error) {
	return json.Marshal(prompt{EnrollmentRequired: true, Token: e.Token, Methods: orEmpty(e.Methods)})
}

// A ThrottledError says that nothing was evaluated, or sent, and when it will
// be.
type ThrottledError struct{ RetryAfter time.Duration }

func (e ThrottledError) Error() string {
	return fmt.Sprintf("mfa: too many attempts, retry after %v", e.RetryAfter)
}

// As lets [errors.As] find the error by value too.
func (e *ThrottledError) As(target any) bool {
	value, ok := target.(*ThrottledError)
	if ok {
		*value = *e
	}
	return ok
}

// A CodeError is what a wrong code returns. It is [ErrInvalidCode].
type CodeError struct {
	// TriesLeft is how many more wrong codes this challenge, or this pending
	// factor, takes.
	TriesLeft int
}

func (e CodeError) Error() string {
	return fmt.Sprintf("%v (tries left: %d)", ErrInvalidCode, e.TriesLeft)
}

func (e CodeError) Unwrap() error { return ErrInvalidCode }

// As lets [errors.As] find the error by value too.
func (e *CodeError) As(target any) bool {
	value, ok := target.(*CodeError)
	if ok {
		*value = *e
	}
	return ok
}

// deliveryError is a provider's error. What it says may quote the message, so
// it is shown with the code and the number blanked out. It is used as a
// pointer: fmt does not look behind one inside another error.
type deliveryError struct {
	text   string
	causes []error
}

func newDeliveryError(cause error, message SMS) *deliveryError {
	mask := maskPhone(message.To)
	withoutPlus := strings.TrimPrefix(message.To, "+") // as many providers write it
	blank := strings.NewReplacer(message.Code, "******", message.To, mask, withoutPlus, strings.TrimPrefix(mask, "+"))
	return &deliveryError{
		text:   fmt.Sprintf("%v: %s", ErrDelivery, blank.Replace(cause.Error())),
		causes: []error{ErrDelivery, cause},
	}
}

func (e *deliveryError) Error() string                 { return e.text }
func (e *deliveryError) Unwrap() []error               { return e.causes }
func (e *deliveryError) Format(f fmt.State, verb rune) { io.WriteString(f, e.text) }

// ErrorCode names an error for a host's own API, through any wrapping:
// "mfa_required", "mfa_enrollment_required", "mfa_enforced", "invalid_code",
// "invalid_token", "not_enrolled", "no_pending_enrollment",
// "method_unavailable", "invalid_phone", "invalid_user", "invalid_request",
// "delivery_failed", "factor_disabled", "too_many_attempts", "conflict",
// "internal" for anything else, and "" for nil.
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

// errorCodes has the errors that wrap a host's own ahead of the others.
var errorCodes = []struct {
	err  error
	code string
}{
	{ErrDelivery, "delivery_failed"},
	{ErrMethodUnavailable, "method_unavailable"},
	{ErrEnforced, "mfa_enforced"},
	{ErrInvalidCode, "invalid_code"},
	{ErrInvalidToken, "invalid_token"},
	{ErrNotEnrolled, "not_enrolled"},
	{ErrNoPendingEnrollment, "no_pending_enrollment"},
	{ErrInvalidPhone, "invalid_phone"},
	{ErrInvalidUser, "invalid_user"},
	{ErrInvalidInput, "invalid_request"},
	{ErrFactorDisabled, "factor_disabled"},
	{ErrConflict, "conflict"},
}
