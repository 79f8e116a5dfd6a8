package attack_test

import (
	"context"
	"errors"
	"testing"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// racers is how many attempts meet in a race.
const racers = 32

// moduleRoot is where the engine's files are, seen from this package.
const moduleRoot = "../../.."

// A person is what a user with every kind of factor holds.
type person = world.Person

// A door is a way in by token and code.
type door struct {
	name  string
	open  func(w *world.World, user string) (token string)
	enter func(ctx context.Context, engine *mfa.Engine, token, code string) (*mfa.Login, error)
}

// doors are all of them, as ada finds them. VerifyEnrollment takes a code too, but
// no token: it leads to a pending factor alone.
var doors = doorsOf("ada")

// doorsOf returns the doors as a user who is logged in finds them.
func doorsOf(user string) []door {
	return []door{
		{"login",
			func(w *world.World, user string) string { return w.Begin(user).Token },
			func(ctx context.Context, engine *mfa.Engine, token, code string) (*mfa.Login, error) {
				return engine.VerifyLogin(ctx, token, code)
			}},
		stepUpOf(user, "transfer"),
		stepUpOf(user, mfa.ActionManage),
	}
}

// stepUp returns ada's door to an action.
func stepUp(action string) door { return stepUpOf("ada", action) }

// stepUpOf returns a user's door to an action.
func stepUpOf(user, action string) door {
	return door{action,
		func(w *world.World, user string) string {
			w.T.Helper()
			challenge, err := w.BeginStepUp(w.Ctx, user, action)
			if err != nil {
				w.T.Fatalf("BeginStepUp: %v", err)
			}
			return challenge.Token
		},
		func(ctx context.Context, engine *mfa.Engine, token, code string) (*mfa.Login, error) {
			return engine.VerifyStepUp(ctx, user, token, action, code)
		}}
}

// begin opens n login challenges.
func begin(w *world.World, user string, n int) []string {
	w.T.Helper()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = w.Begin(user).Token
	}
	return tokens
}

// inside runs attempts one inside the other: each begins when the one before it
// has loaded the record for the loads-th time, so that all have read the same.
// It is for what hashes between its Loads, which would spread a race.
func inside(store *world.HookStore, attempts, loads int, attempt func(i int)) {
	begun, loaded := 0, 0
	begin := func() {
		begun++
		attempt(begun - 1)
	}
	store.Loaded = func() {
		if loaded++; loaded == loads*begun && begun < attempts {
			begin()
		}
	}
	begin()
	store.Loaded = nil
}

// phoneOf returns the masked number that a challenge shows.
func phoneOf(c mfa.Challenge) (phone string) {
	for _, f := range c.Factors {
		phone += f.Phone
	}
	return phone
}

// count returns how many events of a type were told since it was asked last.
func count(w *world.World, want mfa.EventType) (n int) {
	for _, told := range w.Told() {
		if told == want {
			n++
		}
	}
	return n
}

// wantThrottled is for what must wait, however long.
func wantThrottled(t testing.TB, err error) {
	t.Helper()
	if !errors.As(err, new(*mfa.ThrottledError)) {
		t.Errorf("got %v, want to be throttled", err)
	}
}
