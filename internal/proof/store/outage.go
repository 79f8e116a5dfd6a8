package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// Patience bounds what should come at once, so that a test that waits in vain
// fails instead of hanging. No time is measured with it. Clients under test have
// longer time-outs, or none, or those would end what contexts must.
var Patience = 30 * time.Second

// TestOutage cuts the server off while users log in, and gives it back: open
// opens a store at the proxy's address. Whatever fails is refused, nobody is
// let in twice or for nothing, and all go on by themselves.
func TestOutage(t *testing.T, proxy *Proxy, open func() (store mfa.Store, close func(), err error)) {
	behind(t, proxy, open, func(store mfa.Store) {
		takeAway(t, store, func(giveUp context.CancelFunc) {
			proxy.Cut()
			time.AfterFunc(time.Second, giveUp) // of clients that wait for a connection instead of failing
		}, proxy.Restore)
	})
}

// TestHang is TestOutage with a server that keeps its connections and says
// nothing more: calls end with their contexts.
func TestHang(t *testing.T, proxy *Proxy, open func() (store mfa.Store, close func(), err error)) {
	behind(t, proxy, open, func(store mfa.Store) {
		takeAway(t, store, func(giveUp context.CancelFunc) { proxy.Hang(); giveUp() }, proxy.Restore)
		deadline(t, proxy, store)
	})
}

// behind opens a store behind the proxy, and sees that nothing is left of it
// once it is closed.
func behind(t *testing.T, proxy *Proxy, open func() (store mfa.Store, close func(), err error), test func(store mfa.Store)) {
	before := runtime.NumGoroutine()
	store, closeStore, err := open()
	if err != nil {
		t.Fatal(err)
	}
	test(store)
	closeStore()
	wait(t, "connections are left", func() (int, bool) { n := proxy.Open(); return n, n == 0 })
	wait(t, "goroutines are left", func() (int, bool) { n := runtime.NumGoroutine(); return n - before, n <= before })
}

// wait waits for something that is on its way.
func wait(t *testing.T, what string, there func() (n int, ok bool)) {
	t.Helper()
	for over := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) {
		n, ok := there()
		if ok {
			return
		}
		if time.Now().After(over) {
			t.Errorf("%d %s", n, what)
			return
		}
	}
}

// A visitor is a user who logs in again and again, and for each login has a
// clock of their own.
type visitor struct {
	id     string
	engine *mfa.Engine
	clock  *mfatest.Clock
	app    *mfatest.Authenticator
}

// step is how long a code is shown.
const step = 30 * time.Second

// visits is how many logins of a visitor are enough.
const visits = 5

// visits logs in until that fails, and tells ready when there were enough.
func (v *visitor) visits(ctx context.Context, ready *sync.WaitGroup) (logins int, err error) {
	for {
		if err = v.visit(ctx); err == nil {
			logins++
		}
		if logins == visits && err == nil || logins < visits && err != nil {
			ready.Done()
		}
		if err != nil {
			return logins, err
		}
	}
}

// visit logs in with the next code.
func (v *visitor) visit(ctx context.Context) error {
	v.clock.Advance(step)
	return v.again(ctx)
}

// again logs in with the code of the last visit.
func (v *visitor) again(ctx context.Context) error {
	_, err := logIn(ctx, v.engine, v.id, v.app.Code(v.clock.Now()))
	return err
}

// takeAway has several users log in while the server goes and comes back. away
// may end the calls that are under way.
func takeAway(t *testing.T, store mfa.Store, away func(giveUp context.CancelFunc), back func()) {
	ctx := t.Context()
	visitors := make([]*visitor, 8)
	for i := range visitors {
		v := &visitor{id: fmt.Sprint("visitor ", i), clock: mfatest.NewClock(start)}
		var err error
		if v.engine, err = newEngine(store, v.clock.Now); err != nil {
			t.Fatal(err)
		}
		if v.app, _, err = enroll(ctx, v.engine, v.id, start, ""); err != nil {
			t.Fatal(err)
		}
		visitors[i] = v
	}
	ctx, cancel := context.WithTimeout(ctx, 2*Patience)
	defer cancel()
	before, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var ready, failed, done sync.WaitGroup
	ready.Add(len(visitors))
	failed.Add(len(visitors))
	returned := make(chan struct{})
	for _, v := range visitors {
		done.Go(func() {
			logins, err := v.visits(before, &ready)
			if logins < visits {
				t.Errorf("%s: before the outage: %v", v.id, err)
			}
			if isVerdict(err) {
				t.Errorf("%s: an outage became: %v", v.id, err)
			}
			failed.Done()
			<-returned
			for logins := 0; logins < visits; {
				one, cancel := context.WithTimeout(ctx, Patience/15)
				err := v.visit(one)
				cancel()
				if err == nil {
					logins++
				} else if isVerdict(err) {
					t.Errorf("%s: an outage became: %v", v.id, err)
					return
				} else if ctx.Err() != nil {
					t.Errorf("%s: after the outage: %v", v.id, err)
					return
				}
			}
		})
	}
	ready.Wait()
	away(giveUp)
	ended := make(chan struct{})
	go func() { failed.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(Patience):
		t.Error("calls do not end with their contexts")
	}
	back()
	close(returned)
	done.Wait()
	for _, v := range visitors {
		if err := v.again(t.Context()); !errors.Is(err, mfa.ErrInvalidCode) {
			t.Errorf("%s: the last code is taken again: %v", v.id, err)
		}
		status, err := v.engine.Status(t.Context(), v.id)
		if err != nil || len(status.Factors) != 1 || status.Factors[0].Disabled {
			t.Errorf("%s is left with %+v, %v", v.id, status, err)
		}
	}
}

// isVerdict tells whether what came says something about the user, and not about
// the store.
func isVerdict(err error) bool {
	return mfa.ErrorCode(err) != "internal" || errors.Is(err, errUnchallenged) || errors.Is(err, mfa.ErrNoRecord)
}

// deadline ends calls by their contexts while the server hangs.
func deadline(t *testing.T, proxy *Proxy, store mfa.Store) {
	record := mfa.Record{UserID: "deadline", Data: []byte("x")}
	if err := store.Save(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	record.Version = 1
	proxy.Hang()
	defer proxy.Restore()
	for name, call := range map[string]func(ctx context.Context) error{
		"Load":   func(ctx context.Context) error { _, err := store.Load(ctx, record.UserID); return err },
		"Save":   func(ctx context.Context) error { return store.Save(ctx, record) },
		"Delete": func(ctx context.Context) error { return store.Delete(ctx, "somebody else") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- call(ctx) }()
		select {
		case err := <-ended:
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mfa.ErrConflict) || errors.Is(err, mfa.ErrNoRecord) {
				t.Errorf("%s: %v, want DeadlineExceeded", name, err)
			}
		case <-time.After(Patience):
			t.Fatalf("%s does not end with its context", name)
		}
	}
}
