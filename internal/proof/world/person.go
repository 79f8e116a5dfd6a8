package world

import (
	"context"
	"errors"
	"time"

	"github.com/protekt/mfa"
)

// A Person is a user with an app, a phone and backup codes.
type Person struct {
	App
	Phone string
	Codes []string // backup codes
	Proof string
}

// Full enrolls an app and a phone for user, with cheap backup codes.
func (w *World) Full(user, phone string) Person {
	w.T.Helper()
	app, login := w.GiveTOTP(user)
	login = w.GiveSMS(user, phone, mfa.WithProof(login.Proof))
	return Person{app, phone, w.CheapBackupCodes(user), login.Proof}
}

// Disable disables one of the user's factors with a hundred wrong answers, each
// after the longest delay.
func (w *World) Disable(user string, method mfa.Method, wrong func(token string) string) {
	w.T.Helper()
	for range 100 {
		w.Clock.Advance(15 * time.Minute)
		var challenge *mfa.ChallengeError
		if errors.As(w.BeginLogin(w.Ctx, user), &challenge) {
			w.VerifyLogin(w.Ctx, challenge.Token, wrong(challenge.Token))
		}
	}
	if !w.Factor(user, method).Disabled {
		w.T.Fatalf("%s is not disabled", method)
	}
}

// FiveDigits returns a code that neither an app nor a message can have.
func FiveDigits(string) string { return "12345" }

// WrongSMS returns a code that differs from code in its last digit.
func WrongSMS(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

// RequiredWhen returns an adjustment that makes MFA required while *on.
func RequiredWhen(on *bool) func(*mfa.Config) {
	return func(c *mfa.Config) {
		c.Required = func(context.Context, string) (bool, error) { return *on, nil }
	}
}

// A SenderFunc is a function that implements mfa.SMSSender.
type SenderFunc func(ctx context.Context, message mfa.SMS) error

// SendSMS implements mfa.SMSSender.
func (f SenderFunc) SendSMS(ctx context.Context, message mfa.SMS) error { return f(ctx, message) }

// BackupCodes returns an adjustment that sets the number of backup codes in a set.
// Each costs a password hash, so by default a World's sets have only one.
func BackupCodes(n int) func(*mfa.Config) {
	return func(c *mfa.Config) { c.BackupCodes.Count = n }
}
