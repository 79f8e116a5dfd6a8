//go:build linux

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa/mfatest"
)

// A load is the work of the clients while faults strike their cluster.
type load struct {
	history
	processes []*process

	mu    sync.Mutex
	apps  map[string]*mfatest.Authenticator // of users whose enrollment was acknowledged
	names int
}

// clients is the number of processes that log users in. Each prefers another node.
const clients = 3

// rivals is the number of users whom two clients at a time log in with one code.
const rivals = 6

// pause is the time between two logins of a user, so that the load stays bounded.
const pause = 20 * time.Millisecond

// pace is the time between two codes of a user by the user's clock. Every other step
// is left out, since two adjacent steps may have the same code.
const pace = time.Minute

// lone is the part of users who log in through only one client.
const lone = "lone"

// start is the time at which the users' clocks begin.
var start = time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC)

// newLoad launches the clients, each with one of the kinds of store.
func newLoad(t *testing.T, servers []string, kinds ...string) *load {
	t.Helper()
	l := &load{apps: make(map[string]*mfatest.Authenticator)}
	for i := range clients {
		first := i % len(servers)
		order := append(append([]string{}, servers[first:]...), servers[:first]...)
		l.processes = append(l.processes, launch(t, i, address{kinds[i%len(kinds)], order}))
	}
	return l
}

// run logs users in and enrolls more of them until the context ends.
func (l *load) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, p := range l.processes {
		all.Go(func() { l.alone(ctx, p) })
		all.Go(func() { l.newcomers(ctx, p) })
	}
	for range rivals {
		all.Go(func() { l.rivals(ctx) })
	}
	all.Wait()
}

// enroll enrolls a new user with that part in the load, until it is acknowledged.
func (l *load) enroll(ctx context.Context, p *process, part string) (user string, ok bool) {
	for ctx.Err() == nil {
		l.mu.Lock()
		l.names++
		user := fmt.Sprint(part, " ", l.names)
		l.mu.Unlock()
		a := l.do(p, request{Do: opEnroll, User: user, At: start})
		if a.Outcome == done {
			app, err := mfatest.NewAuthenticator(a.URI)
			if err != nil {
				panic(err) // a bug in the engine, which other tests find
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.apps[user] = app
			return user, true
		}
		rest(ctx)
	}
	return "", false
}

func rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// code returns the code that the user's app shows.
func (l *load) code(user string, at time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.apps[user].Code(at)
}

// alone logs a user in through one client, again and again. The time between two
// logins shows how long that client's users were locked out.
func (l *load) alone(ctx context.Context, p *process) {
	user, _ := l.enroll(ctx, p, lone)
	for now := start.Add(pace); ctx.Err() == nil; now = now.Add(pace) {
		l.logIn(user, now, p)
		rest(ctx)
	}
}

// rivals logs a user in through two clients at once, with one code.
func (l *load) rivals(ctx context.Context) {
	user, _ := l.enroll(ctx, l.processes[rand.IntN(clients)], "rival")
	for now := start.Add(pace); ctx.Err() == nil; now = now.Add(pace) {
		first := rand.IntN(clients)
		second := (first + 1 + rand.IntN(clients-1)) % clients
		l.logIn(user, now, l.processes[first], l.processes[second])
		rest(ctx)
	}
}

// logIn begins logins of a user with each client and then answers all at once.
func (l *load) logIn(user string, now time.Time, processes ...*process) {
	tokens := make([]string, len(processes))
	together(len(processes), func(i int) {
		tokens[i] = l.do(processes[i], request{Do: opBegin, User: user, At: now}).Token
	})
	code := l.code(user, now)
	together(len(processes), func(i int) {
		if tokens[i] != "" {
			l.do(processes[i], request{Do: opVerify, User: user, At: now, Token: tokens[i], Code: code})
		}
	})
}

// newcomers enrolls one user after the other, and has the other clients begin a
// login of each at once. A client that reads a stale record lets the user in.
func (l *load) newcomers(ctx context.Context, p *process) {
	for {
		user, ok := l.enroll(ctx, p, "newcomer")
		if !ok {
			return
		}
		together(clients, func(i int) {
			if i != p.number {
				l.do(l.processes[i], request{Do: opBegin, User: user, At: start.Add(pace)})
			}
		})
		rest(ctx)
	}
}

// finish looks back at every user, once nobody else works on the store.
func (l *load) finish(t *testing.T) {
	t.Helper()
	for i, p := range l.processes {
		eventually(t, fmt.Sprintf("client %d does not recover", i), func() error {
			user := "after the faults"
			if a := p.ask(request{Do: opStatus, User: user, At: start}); a.Outcome == failed {
				return fmt.Errorf("%s", a.Error)
			}
			return nil
		})
	}
	last := l.lastLogins()
	work := make(chan string)
	var all sync.WaitGroup
	for i := range 4 * clients {
		p := l.processes[i%clients]
		all.Go(func() {
			for user := range work {
				l.lookBack(p, user, last[user])
			}
		})
	}
	for user := range l.apps {
		work <- user
	}
	close(work)
	all.Wait()
}

// lookBack requests a user's state, and enters the code of the last login again.
func (l *load) lookBack(p *process, user string, last event) {
	now := start
	if !last.At.IsZero() {
		now = last.At
	}
	for range 20 {
		if l.do(p, request{Do: opStatus, User: user, At: now}).Outcome != failed {
			break
		}
	}
	l.logIn(user, now, p)
}

// lastLogins returns each user's last acknowledged login.
func (l *load) lastLogins() map[string]event {
	last := make(map[string]event)
	for _, e := range l.events {
		if e.Do == opVerify && e.Answer.Outcome == done && e.At.After(last[e.User].At) {
			last[e.User] = e
		}
	}
	return last
}

// together runs n calls at once and waits for them.
func together(n int, call func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { call(i) })
	}
	all.Wait()
}
