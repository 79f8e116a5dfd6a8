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

// Patience is the time after which a test fails instead of waiting any longer
// for what should happen at once. No duration is measured with it. Clients under
// test must have longer timeouts, or none: otherwise a timeout could end what a
// context must end.
var Patience = 30 * time.Second

// TestOutage cuts the server off while users log in, and restores it. open opens
// a store at the proxy's address. During the outage logins fail with the store's
// error, nobody gets in with a spent code or without one, and afterwards logins
// work again.
func TestOutage(t *testing.T, proxy *Proxy, open func() (store mfa.Store, close func(), err error)) {
	behind(t, proxy, open, func(store mfa.Store) {
		takeAway(t, store, func(giveUp context.CancelFunc) {
			proxy.Cut()
			time.AfterFunc(time.Second, giveUp) // for clients that wait for a connection instead of failing
		}, proxy.Restore)
	})
}

// TestHang does the same as TestOutage with a server that keeps its connections
// open and no longer answers: calls must end with their contexts.
func TestHang(t *testing.T, proxy *Proxy, open func() (store mfa.Store, close func(), err error)) {
	behind(t, proxy, open, func(store mfa.Store) {
		takeAway(t, store, func(giveUp context.CancelFunc) { proxy.Hang(); giveUp() }, proxy.Restore)
		deadline(t, proxy, store)
	})
}

// behind calls test with a store behind the proxy, and checks that closing it
// leaves no connection and no goroutine.
func behind(t *testing.T, proxy *Proxy, open func() (store mfa.Store, close func(), err error), test func(store mfa.Store)) {
	before := runtime.NumGoroutine()
	store, closeStore, err := open()
	if err != nil {
		t.Fatal(err)
	}
	test(store)
	closeStore()
	wait(t, "connections left open", func() (int, bool) { n := proxy.Open(); return n, n == 0 })
	wait(t, "goroutines left running", func() (int, bool) { n := runtime.NumGoroutine(); return n - before, n <= before })
}

// wait waits until done reports true. n is the number of what is left until then.
func wait(t *testing.T, what string, done func() (n int, ok bool)) {
	t.Helper()
	for over := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) {
		n, ok := done()
		if ok {
			return
		}
		if time.Now().After(over) {
			t.Errorf("%d %s", n, what)
			return
		}
	}
}

// A visitor is a user who logs in again and again and has an engine with a clock
// of its own.
type visitor struct {
	id     string
	engine *mfa.Engine
	clock  *mfatest.Clock
	app    *mfatest.Authenticator
}

// step is the time for which an app shows a code.
const step = 30 * time.Second

// visits is the number of logins of a visitor before and after an outage.
const visits = 5

// visits logs in until that fails, and returns the number of logins. It calls
// ready.Done once, after enough logins or the first failure.
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

// visit logs the visitor in with the next code.
func (v *visitor) visit(ctx context.Context) error {
	v.clock.Advance(step)
	return v.again(ctx)
}

// again logs the visitor in with the code of the last visit.
func (v *visitor) again(ctx context.Context) error {
	_, err := logIn(ctx, v.engine, v.id, v.app.Code(v.clock.Now()))
	return err
}

// takeAway has several users log in while away takes the server from them and
// back restores it. away may call giveUp to end the calls under way.
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
			t.Errorf("%s: the last code is accepted again: %v", v.id, err)
		}
		status, err := v.engine.Status(t.Context(), v.id)
		if err != nil || len(status.Factors) != 1 || status.Factors[0].Disabled {
			t.Errorf("%s: status %+v, %v after the outage", v.id, status, err)
		}
	}
}

// isVerdict reports whether err says something about the user rather than the
// store.
func isVerdict(err error) bool {
	return mfa.ErrorCode(err) != "internal" || errors.Is(err, errUnchallenged) || errors.Is(err, mfa.ErrNoRecord)
}

// deadline checks that each of a store's calls ends with its context while the
// server hangs.
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
