package mfa_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

const (
	phone  = "+2348012345678"
	phone2 = "+14155552671"
)

// A world is an engine with all that a host gives it, and what the host sees.
type world struct {
	*mfa.Engine
	t      testing.TB
	ctx    context.Context
	clock  *mfatest.Clock
	outbox *mfatest.Outbox
	store  mfa.Store
	config mfa.Config

	mu     sync.Mutex
	events []mfa.Event
}

func key(b byte) []byte {
	k := make([]byte, 32)
	for i := range k {
		k[i] = b + byte(i)
	}
	return k
}

// newWorld makes one; adjust changes its configuration first.
func newWorld(t testing.TB, adjust ...func(*mfa.Config)) *world {
	t.Helper()
	w := &world{
		t:      t,
		ctx:    t.Context(),
		clock:  mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC)),
		outbox: &mfatest.Outbox{},
		store:  mfa.NewMemoryStore(),
	}
	w.config = mfa.Config{
		Issuer:      "ACME Co",
		Store:       w.store,
		Keys:        [][]byte{key(1)},
		SMS:         w.outbox,
		Now:         w.clock.Now,
		BackupCodes: mfa.BackupCodeConfig{Count: 2}, // each costs a password hash
		OnEvent: func(_ context.Context, event mfa.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, event)
		},
	}
	for _, a := range adjust {
		a(&w.config)
	}
	w.store = w.config.Store
	w.Engine = w.another()
	return w
}

// another is a second engine on the same store, as in another process.
func (w *world) another(adjust ...func(*mfa.Config)) *mfa.Engine {
	w.t.Helper()
	config := w.config
	for _, a := range adjust {
		a(&config)
	}
	engine, err := mfa.New(config)
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	return engine
}

// An app is a user's authenticator app.
type app struct {
	*mfatest.Authenticator
	clock *mfatest.Clock
}

func (a app) code() string  { return a.Code(a.clock.Now()) }
func (a app) wrong() string { return a.WrongCode(a.clock.Now()) }

// scan gives a user an app that holds the key of the URI.
func (w *world) scan(uri string) app {
	w.t.Helper()
	authenticator, err := mfatest.NewAuthenticator(uri)
	if err != nil {
		w.t.Fatal(err)
	}
	return app{authenticator, w.clock}
}

// enrollTOTP gives a user a confirmed app and lets its code grow old.
func (w *world) enrollTOTP(user string, opts ...mfa.ChangeOption) (app, *mfa.Login) {
	w.t.Helper()
	enrollment, err := w.EnrollTOTP(w.ctx, user, "ada@example.com", opts...)
	if err != nil {
		w.t.Fatalf("EnrollTOTP: %v", err)
	}
	a := w.scan(enrollment.URI)
	login, err := w.VerifyEnrollment(w.ctx, user, mfa.MethodTOTP, a.code())
	if err != nil {
		w.t.Fatalf("VerifyEnrollment: %v", err)
	}
	w.clock.Advance(time.Minute)
	return a, login
}

// enrollSMS gives a user a confirmed phone and lets the cooldown pass.
func (w *world) enrollSMS(user, phone string, opts ...mfa.ChangeOption) *mfa.Login {
	w.t.Helper()
	if _, err := w.EnrollSMS(w.ctx, user, phone, opts...); err != nil {
		w.t.Fatalf("EnrollSMS: %v", err)
	}
	login, err := w.VerifyEnrollment(w.ctx, user, mfa.MethodSMS, w.outbox.Code(phone))
	if err != nil {
		w.t.Fatalf("VerifyEnrollment: %v", err)
	}
	w.clock.Advance(time.Minute)
	return login
}

func (w *world) backupCodes(user, proof string) []string {
	w.t.Helper()
	codes, err := w.GenerateBackupCodes(w.ctx, user, mfa.WithProof(proof))
	if err != nil {
		w.t.Fatalf("GenerateBackupCodes: %v", err)
	}
	return codes
}

// begin begins a login that must be challenged.
func (w *world) begin(user string, opts ...mfa.LoginOption) *mfa.ChallengeError {
	w.t.Helper()
	return challenged(w.t, w.BeginLogin(w.ctx, user, opts...))
}

// login logs a user in with a code.
func (w *world) login(user, code string) *mfa.Login {
	w.t.Helper()
	login, err := w.VerifyLogin(w.ctx, w.begin(user).Token, code)
	if err != nil {
		w.t.Fatalf("VerifyLogin: %v", err)
	}
	return login
}

// sendCode sends a code for a challenge and gives it.
func (w *world) sendCode(token string) string {
	w.t.Helper()
	before := len(w.outbox.Messages())
	if _, err := w.SendCode(w.ctx, token); err != nil {
		w.t.Fatalf("SendCode: %v", err)
	}
	messages := w.outbox.Messages()
	if len(messages) != before+1 {
		w.t.Fatalf("%d messages were sent, want one", len(messages)-before)
	}
	return messages[before].Code
}

// told forgets the events so far and gives their types.
func (w *world) told() []mfa.EventType {
	w.mu.Lock()
	defer w.mu.Unlock()
	types := make([]mfa.EventType, len(w.events))
	for i, event := range w.events {
		types[i] = event.Type
	}
	w.events = nil
	return types
}

func (w *world) wantTold(want ...mfa.EventType) {
	w.t.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		w.t.Errorf("events %v, want %v", got, want)
	}
}

func (w *world) status(user string) *mfa.Status {
	w.t.Helper()
	status, err := w.Status(w.ctx, user)
	if err != nil {
		w.t.Fatalf("Status: %v", err)
	}
	return status
}

// factor is that line of a user's status; nil if there is none.
func (w *world) factor(user string, method mfa.Method) *mfa.Factor {
	w.t.Helper()
	for _, f := range w.status(user).Factors {
		if f.Method == method {
			return &f
		}
	}
	return nil
}

// enrolled are the methods in a user's status.
func (w *world) enrolled(user string) (methods []mfa.Method) {
	w.t.Helper()
	for _, f := range w.status(user).Factors {
		methods = append(methods, f.Method)
	}
	return methods
}

func challenged(t testing.TB, err error) *mfa.ChallengeError {
	t.Helper()
	var challenge *mfa.ChallengeError
	if !errors.As(err, &challenge) {
		t.Fatalf("got %v, want a ChallengeError", err)
	}
	return challenge
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// wantTries is for a wrong code that leaves so many tries.
func wantTries(t testing.TB, err error, left int) {
	t.Helper()
	wantErr(t, err, mfa.ErrInvalidCode)
	var code *mfa.CodeError
	if !errors.As(err, &code) || code.TriesLeft != left {
		t.Errorf("got %v, want %d tries left", err, left)
	}
}

func wantThrottled(t testing.TB, err error, wait time.Duration) {
	t.Helper()
	var throttled *mfa.ThrottledError
	if !errors.As(err, &throttled) || throttled.RetryAfter != wait {
		t.Errorf("got %v, want to be throttled for %v", err, wait)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got error %v, want none", err)
	}
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
