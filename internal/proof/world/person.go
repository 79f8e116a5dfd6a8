package world

import (
	"context"
	"errors"
	"time"

	"github.com/protekt/mfa"
)

// A Person is what a user with every kind of factor holds.
type Person struct {
	App
	Phone string
	Codes []string // backup codes
	Proof string
}

// Full enrolls an app and a phone for user, who gets backup codes that cost next
// to nothing.
func (w *World) Full(user, phone string) Person {
	w.T.Helper()
	app, login := w.GiveTOTP(user)
	login = w.GiveSMS(user, phone, mfa.WithProof(login.Proof))
	return Person{app, phone, w.CheapBackupCodes(user), login.Proof}
}

// Disable disables a factor of the user's with a hundred wrong answers, each
// as soon as it is judged.
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

// FiveDigits answers a challenge with a code that no app and no message has.
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

// BackupCodes returns an adjustment that makes sets of n backup codes. Each
// costs a password hash, so that a world has one unless a test needs more.
func BackupCodes(n int) func(*mfa.Config) {
	return func(c *mfa.Config) { c.BackupCodes.Count = n }
}
