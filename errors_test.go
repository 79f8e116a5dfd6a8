package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestEveryErrorHasACode(t *testing.T) {
	for err, want := range map[error]string{
		nil:                         "",
		&mfa.ChallengeError{}:       "mfa_required",
		&mfa.EnrollmentError{}:      "mfa_enrollment_required",
		&mfa.ThrottledError{}:       "too_many_attempts",
		mfa.ThrottledError{}:        "too_many_attempts",
		&mfa.CodeError{}:            "invalid_code",
		mfa.CodeError{}:             "invalid_code",
		mfa.ErrEnforced:             "mfa_enforced",
		mfa.ErrInvalidCode:          "invalid_code",
		mfa.ErrInvalidToken:         "invalid_token",
		mfa.ErrNotEnrolled:          "not_enrolled",
		mfa.ErrNoPendingEnrollment:  "no_pending_enrollment",
		mfa.ErrMethodUnavailable:    "method_unavailable",
		mfa.ErrInvalidPhone:         "invalid_phone",
		mfa.ErrInvalidUser:          "invalid_user",
		mfa.ErrInvalidInput:         "invalid_request",
		mfa.ErrDelivery:             "delivery_failed",
		mfa.ErrFactorDisabled:       "factor_disabled",
		mfa.ErrConflict:             "conflict",
		mfa.ErrNoRecord:             "internal",
		context.Canceled:            "internal",
		errors.New("anything else"): "internal",
	} {
		if got := mfa.ErrorCode(err); got != want {
			t.Errorf("%v has the code %q, want %q", err, got, want)
		}
		if err != nil {
			if got := mfa.ErrorCode(fmt.Errorf("a: %w", fmt.Errorf("b: %w", err))); got != want {
				t.Errorf("%v, wrapped, has the code %q, want %q", err, got, want)
			}
		}
	}
	refused := fmt.Errorf("%w: %w", mfa.ErrMethodUnavailable, fmt.Errorf("host: %w", mfa.ErrInvalidCode))
	if got := mfa.ErrorCode(refused); got != "method_unavailable" {
		t.Errorf("an error wrapped in a host's own decides the code: %q", got)
	}
}

func TestTypedErrorsAreFoundByPointerAndValue(t *testing.T) {
	err := fmt.Errorf("x: %w", &mfa.ThrottledError{RetryAfter: time.Second})
	var pointer *mfa.ThrottledError
	var value mfa.ThrottledError
	if !errors.As(err, &pointer) || !errors.As(err, &value) || *pointer != value || value.RetryAfter != time.Second {
		t.Errorf("%v, %v", pointer, value)
	}
	err = fmt.Errorf("x: %w", &mfa.CodeError{TriesLeft: 3})
	var codePointer *mfa.CodeError
	var codeValue mfa.CodeError
	if !errors.As(err, &codePointer) || !errors.As(err, &codeValue) || *codePointer != codeValue || codeValue.TriesLeft != 3 || !errors.Is(err, mfa.ErrInvalidCode) {
		t.Errorf("%v, %v", codePointer, codeValue)
	}
}

func TestJSONHoldsWhatItsReaderNeeds(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		value any
		want  string
	}{
		{mfa.Login{UserID: "ada", Method: mfa.MethodTOTP, AMR: []string{"otp", "mfa"}, Time: at, Action: "login", BackupCodesLeft: 3, Proof: "x"},
			`{"user_id":"ada","method":"totp","amr":["otp","mfa"],"time":"2030-01-01T00:00:00Z","action":"login","backup_codes_left":3}`},
		{mfa.Event{Type: mfa.EventRefused, UserID: "ada", Method: mfa.MethodTOTP, Time: at, Err: mfa.ErrInvalidCode},
			`{"error":"mfa: invalid code","method":"totp","time":"2030-01-01T00:00:00Z","type":"refused","user_id":"ada"}`},
		{mfa.SMS{To: "x", Body: "x", Code: "x", UserID: "ada", Action: "enroll", ExpiresAt: at}, `{"user_id":"ada","action":"enroll","expires_at":"2030-01-01T00:00:00Z"}`},
		{mfa.TrustedDevice{ID: "dev_1", Label: "Firefox on Linux", Token: "x", TrustedAt: at, ExpiresAt: at}, `{"id":"dev_1","label":"Firefox on Linux","trusted_at":"2030-01-01T00:00:00Z","expires_at":"2030-01-01T00:00:00Z"}`},
		{mfa.TOTPEnrollment{URI: "u", Secret: "s", QRCode: "q", ExpiresAt: at}, `{"totp_uri":"u","secret":"s","qr_code":"q","expires_at":"2030-01-01T00:00:00Z"}`},
		{mfa.SMSDelivery{Phone: "p", ExpiresAt: at, ResendAfter: at}, `{"phone":"p","expires_at":"2030-01-01T00:00:00Z","resend_after":"2030-01-01T00:00:00Z"}`},
		{mfa.Challenge{Token: "t", Methods: []mfa.Method{mfa.MethodTOTP}}, `{"mfa_required":true,"mfa_token":"t","available_methods":["totp"]}`},
		{mfa.EnrollmentError{Token: "t", Methods: []mfa.Method{mfa.MethodTOTP}}, `{"mfa_enrollment_required":true,"mfa_token":"t","available_methods":["totp"]}`},
	} {
		if got := world.JSON(t, test.value); got != test.want {
			t.Errorf("%T\ngot  %s\nwant %s", test.value, got, test.want)
		}
	}
}
