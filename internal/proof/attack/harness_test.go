package attack_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// racers is the number of attempts in a race.
const racers = 32

// moduleRoot is the path from this package to the engine's files.
const moduleRoot = "../../.."

// A person holds the factors of a user who has one of every kind.
type person = world.Person

// A door is a way to log in or step up with a token and a code.
type door struct {
	name  string
	open  func(w *world.World, user string) (token string)
	enter func(ctx context.Context, engine *mfa.Engine, token, code string) (*mfa.Login, error)
}

// doors lists all doors, for ada. VerifyEnrollment takes a code too, but no
// token: it only confirms a pending factor.
var doors = doorsOf("ada")

// doorsOf returns the doors for a user; the step-ups are in that user's session.
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

// stepUp returns ada's door for an action.
func stepUp(action string) door { return stepUpOf("ada", action) }

// stepUpOf returns a user's door for an action.
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

// untimed returns a test that runs in a bubble of testing/synctest, where the waits
// before retries take no time.
func untimed(test func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

// begin begins n logins and returns the tokens of their challenges.
func begin(w *world.World, user string, n int) []string {
	w.T.Helper()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = w.Begin(user).Token
	}
	return tokens
}

// inside nests attempts: each begins when the one before it has loaded the
// record for the loads-th time, so that all of them have read the same record.
// It is for calls that compute a hash between two Loads, which would spread the
// attempts of a race.
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

// phoneOf returns the masked phone number in a challenge.
func phoneOf(c mfa.Challenge) (phone string) {
	for _, f := range c.Factors {
		phone += f.Phone
	}
	return phone
}

// count returns how many events of a type were emitted since the last call of
// w.NewEvents.
func count(w *world.World, want mfa.EventType) (n int) {
	for _, told := range w.NewEvents() {
		if told == want {
			n++
		}
	}
	return n
}

// wantThrottled checks that err is a ThrottledError, whatever the wait.
func wantThrottled(t testing.TB, err error) {
	t.Helper()
	if !errors.As(err, new(*mfa.ThrottledError)) {
		t.Errorf("got %v, want a ThrottledError", err)
	}
}
