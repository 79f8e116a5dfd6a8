// Package world sets up an engine with everything that a host supplies, and
// records what the host sees. It holds what two or more of this repository's
// suites share: stores that fail in chosen ways, users with factors, checks.
package world

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

const (
	Phone  = "+2348012345678"
	Phone2 = "+14155552671"
)

// A World is an engine with everything that a host supplies, and what the host
// sees.
type World struct {
	*mfa.Engine
	T      testing.TB
	Ctx    context.Context
	Clock  *mfatest.Clock
	Outbox *mfatest.Outbox
	Store  mfa.Store
	Config mfa.Config // of the engine

	mu     sync.Mutex
	events []mfa.Event
}

// Key returns a key of 32 bytes, a different one for each b.
func Key(b byte) []byte {
	k := make([]byte, 32)
	for i := range k {
		k[i] = b + byte(i)
	}
	return k
}

// New returns a new World, whose configuration adjust may change first.
func New(t testing.TB, adjust ...func(*mfa.Config)) *World {
	t.Helper()
	w := &World{
		T:      t,
		Ctx:    t.Context(),
		Clock:  mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC)),
		Outbox: &mfatest.Outbox{},
		Store:  mfa.NewMemoryStore(),
	}
	w.Config = mfa.Config{
		Issuer:      "ACME Co",
		Store:       w.Store,
		Keys:        [][]byte{Key(1)},
		SMS:         w.Outbox,
		Now:         w.Clock.Now,
		BackupCodes: mfa.BackupCodeConfig{Count: 1}, // see BackupCodes
		OnEvent: func(_ context.Context, event mfa.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, event)
		},
	}
	for _, a := range adjust {
		a(&w.Config)
	}
	w.Config.SMSCodes.InsecureNoNumberLimits = w.Config.SMSCodes.Numbers == nil
	w.Store = w.Config.Store
	w.Engine = w.Another()
	return w
}

// Another returns a second engine on the same store, as in another process.
func (w *World) Another(adjust ...func(*mfa.Config)) *mfa.Engine {
	w.T.Helper()
	config := w.Config
	for _, a := range adjust {
		a(&config)
	}
	config.SMSCodes.InsecureNoNumberLimits = config.SMSCodes.Numbers == nil
	engine, err := mfa.New(config)
	if err != nil {
		w.T.Fatalf("New: %v", err)
	}
	return engine
}

// An App is a user's authenticator app.
type App struct {
	*mfatest.Authenticator
	clock *mfatest.Clock
}

// Shows returns the code that the app shows now, and Wrong one that it does not.
func (a App) Shows() string { return a.Code(a.clock.Now()) }
func (a App) Wrong() string { return a.WrongCode(a.clock.Now()) }

// Scan returns an app that holds the key of the URI.
func (w *World) Scan(uri string) App {
	w.T.Helper()
	authenticator, err := mfatest.NewAuthenticator(uri)
	if err != nil {
		w.T.Fatal(err)
	}
	return App{authenticator, w.Clock}
}

// GiveTOTP enrolls an app for user and advances the clock until its code is old.
func (w *World) GiveTOTP(user string, opts ...mfa.ChangeOption) (App, *mfa.Login) {
	w.T.Helper()
	enrollment, err := w.EnrollTOTP(w.Ctx, user, "ada@example.com", opts...)
	if err != nil {
		w.T.Fatalf("EnrollTOTP: %v", err)
	}
	a := w.Scan(enrollment.URI)
	login, err := w.VerifyEnrollment(w.Ctx, user, mfa.MethodTOTP, a.Shows())
	if err != nil {
		w.T.Fatalf("VerifyEnrollment: %v", err)
	}
	w.Clock.Advance(time.Minute)
	return a, login
}

// GiveSMS enrolls a phone for user and advances the clock past the cooldown.
func (w *World) GiveSMS(user, phone string, opts ...mfa.ChangeOption) *mfa.Login {
	w.T.Helper()
	if _, err := w.EnrollSMS(w.Ctx, user, phone, opts...); err != nil {
		w.T.Fatalf("EnrollSMS: %v", err)
	}
	login, err := w.VerifyEnrollment(w.Ctx, user, mfa.MethodSMS, w.Outbox.Code(phone))
	if err != nil {
		w.T.Fatalf("VerifyEnrollment: %v", err)
	}
	w.Clock.Advance(time.Minute)
	return login
}

// GiveBackupCodes generates backup codes for a user with a fresh proof.
func (w *World) GiveBackupCodes(user, proof string) []string {
	w.T.Helper()
	codes, err := w.GenerateBackupCodes(w.Ctx, user, mfa.WithProof(proof))
	if err != nil {
		w.T.Fatalf("GenerateBackupCodes: %v", err)
	}
	return codes
}

// Begin begins a login that must be challenged.
func (w *World) Begin(user string, opts ...mfa.LoginOption) *mfa.ChallengeError {
	w.T.Helper()
	return Challenged(w.T, w.BeginLogin(w.Ctx, user, opts...))
}

// Login logs a user in with a code.
func (w *World) Login(user, code string) *mfa.Login {
	w.T.Helper()
	login, err := w.VerifyLogin(w.Ctx, w.Begin(user).Token, code)
	if err != nil {
		w.T.Fatalf("VerifyLogin: %v", err)
	}
	return login
}

// SentCode has a code sent for a challenge and returns it.
func (w *World) SentCode(token string) string {
	w.T.Helper()
	before := len(w.Outbox.Messages())
	if _, err := w.SendCode(w.Ctx, token); err != nil {
		w.T.Fatalf("SendCode: %v", err)
	}
	messages := w.Outbox.Messages()
	if len(messages) != before+1 {
		w.T.Fatalf("%d messages were sent, want one", len(messages)-before)
	}
	return messages[before].Code
}

// NewEvents returns the types of the events since the last call.
func (w *World) NewEvents() []mfa.EventType {
	w.mu.Lock()
	defer w.mu.Unlock()
	types := make([]mfa.EventType, len(w.events))
	for i, event := range w.events {
		types[i] = event.Type
	}
	w.events = nil
	return types
}

// WantEvents checks the types of the new events.
func (w *World) WantEvents(want ...mfa.EventType) {
	w.T.Helper()
	if got := w.NewEvents(); !slices.Equal(got, want) {
		w.T.Errorf("events %v, want %v", got, want)
	}
}

// Stored returns the user's record.
func (w *World) Stored(user string) mfa.Record {
	w.T.Helper()
	record, err := w.Store.Load(w.Ctx, user)
	if err != nil {
		w.T.Fatalf("Load: %v", err)
	}
	return record
}

// StatusOf returns a user's status.
func (w *World) StatusOf(user string) *mfa.Status {
	w.T.Helper()
	status, err := w.Status(w.Ctx, user)
	if err != nil {
		w.T.Fatalf("Status: %v", err)
	}
	return status
}

// Factor returns a user's factor of a method from Status, or nil if there is none.
func (w *World) Factor(user string, method mfa.Method) *mfa.Factor {
	w.T.Helper()
	for _, f := range w.StatusOf(user).Factors {
		if f.Method == method {
			return &f
		}
	}
	return nil
}

// Enrolled returns the methods in a user's status.
func (w *World) Enrolled(user string) (methods []mfa.Method) {
	w.T.Helper()
	for _, f := range w.StatusOf(user).Factors {
		methods = append(methods, f.Method)
	}
	return methods
}

// MustEnroll begins a login that must lead to enrollment.
func (w *World) MustEnroll(user string) *mfa.EnrollmentError {
	w.T.Helper()
	var enrollment *mfa.EnrollmentError
	if err := w.BeginLogin(w.Ctx, user); !errors.As(err, &enrollment) {
		w.T.Fatalf("got %v, want an EnrollmentError", err)
	}
	return enrollment
}

// AnswerBySMS answers a challenge with a code sent by SMS.
func (w *World) AnswerBySMS(challenge *mfa.ChallengeError) {
	w.T.Helper()
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, w.SentCode(challenge.Token))
	OK(w.T, err)
}

// LastEvent returns the latest event.
func (w *World) LastEvent() mfa.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[len(w.events)-1]
}
