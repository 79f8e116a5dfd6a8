package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// A worker is a user who logs in and, now and then, enrolls another app, in a
// process that will be killed.
type worker struct {
	ID  string
	URI string    // of the user's app
	Now time.Time // on the user's own clock, after everything done so far
}

// An entry is a line of a process's journal. It is written before an operation
// and, with Done set, again after the engine has acknowledged it.
type entry struct {
	User string
	URI  string // of the app whose code is entered; a new app if Enrolls is set
	At   time.Time

	Enrolls bool
	Done    bool
}

// enrollEvery is the number of logins between two enrollments.
const enrollEvery = 4

// work has each user log in and enroll until the process is killed, and writes
// the journal. Each line is one write, so that a kill leaves whole lines.
func work(store mfa.Store, users []worker, journal io.Writer) error {
	var mu sync.Mutex
	write := func(e entry) error {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		_, err = journal.Write(append(line, '\n'))
		return err
	}
	return errors.Join(together(len(users), func(i int) error { return users[i].work(store, write) })...)
}

// work logs the user in and enrolls apps until an error.
func (u worker) work(store mfa.Store, write func(entry) error) error {
	ctx := context.Background()
	clock := mfatest.NewClock(u.Now)
	engine, err := newEngine(store, clock.Now)
	if err != nil {
		return err
	}
	app, err := mfatest.NewAuthenticator(u.URI)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		clock.Advance(30 * time.Second)
		e := entry{User: u.ID, URI: u.URI, At: clock.Now()}
		if err := write(e); err != nil {
			return err
		}
		login, err := logIn(ctx, engine, u.ID, app.Code(e.At))
		if err != nil {
			return fmt.Errorf("login of %s: %w", u.ID, err)
		}
		e.Done = true
		if err := write(e); err != nil {
			return err
		}
		if n%enrollEvery != 0 {
			continue
		}
		enrollment, err := engine.EnrollTOTP(ctx, u.ID, u.ID, mfa.WithProof(login.Proof))
		if err != nil {
			return fmt.Errorf("enrollment of %s: %w", u.ID, err)
		}
		if app, err = mfatest.NewAuthenticator(enrollment.URI); err != nil {
			return err
		}
		u.URI = enrollment.URI
		e = entry{User: u.ID, URI: u.URI, At: clock.Now(), Enrolls: true}
		if err := write(e); err != nil {
			return err
		}
		if _, err := engine.VerifyEnrollment(ctx, u.ID, mfa.MethodTOTP, app.Code(e.At)); err != nil {
			return fmt.Errorf("enrollment of %s: %w", u.ID, err)
		}
		e.Done = true
		if err := write(e); err != nil {
			return err
		}
	}
}

// errUnchallenged is returned by logIn if a user with a factor is let in without
// a challenge, the worst failure there is.
var errUnchallenged = errors.New("let in without a code")

// logIn logs a user in with a code.
func logIn(ctx context.Context, engine *mfa.Engine, user, code string) (*mfa.Login, error) {
	err := engine.BeginLogin(ctx, user)
	var challenge *mfa.ChallengeError
	switch {
	case err == nil:
		return nil, errUnchallenged
	case !errors.As(err, &challenge):
		return nil, err
	}
	return engine.VerifyLogin(ctx, challenge.Token, code)
}

// TestCrash repeatedly kills a process in the middle of its work on the store at
// address. Afterwards every record must open, no code is accepted twice, and
// nothing that the engine has acknowledged is missing. The store must be empty.
func TestCrash(t *testing.T, open Opener, address string, rounds int) {
	if testing.Short() {
		t.Skip("left out by -short: kills a process again and again")
	}
	users := make([]worker, 4)
	atStore(t, open, address, func(ctx context.Context, store mfa.Store) {
		for i := range users {
			u := &users[i]
			u.ID, u.Now = fmt.Sprint("user ", i), start
			engine, err := newEngine(store, mfatest.NewClock(u.Now).Now)
			if err != nil {
				t.Fatal(err)
			}
			enrollment, err := engine.EnrollTOTP(ctx, u.ID, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			u.URI = enrollment.URI
			if _, err := engine.VerifyEnrollment(ctx, u.ID, mfa.MethodTOTP, u.code(t, u.URI, u.Now)); err != nil {
				t.Fatal(err)
			}
		}
	})
	var done, cut int
	for range rounds {
		journal := workUntilKilled(t, job{Address: address, Part: partWork, Users: users})
		atStore(t, open, address, func(ctx context.Context, store mfa.Store) {
			for i := range users {
				d, c := users[i].recover(ctx, t, store, journal[users[i].ID])
				done, cut = done+d, cut+c
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills: %d changes acknowledged, %d cut off", rounds, done, cut)
	if done < rounds || cut == 0 {
		t.Errorf("the kills interrupted nothing")
	}
}

// atStore calls do with the store, opened as by a process that starts after a
// crash.
func atStore(t *testing.T, open Opener, address string, do func(ctx context.Context, store mfa.Store)) {
	t.Helper()
	store, closeStore, err := open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore()
	do(t.Context(), store)
}

// workUntilKilled runs the job in a process, kills it after a random while and
// returns each user's part of the journal.
func workUntilKilled(t *testing.T, j job) map[string][]entry {
	t.Helper()
	p := launch(t, j)
	defer p.command.Wait()
	defer p.command.Process.Kill()
	lines := bufio.NewScanner(p.out)
	journal := make(map[string][]entry)
	read := func() bool {
		if !lines.Scan() {
			return false
		}
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return false // an incomplete line
		}
		journal[e.User] = append(journal[e.User], e)
		return true
	}
	for range 2 + rand.IntN(40) {
		if !read() {
			t.Fatalf("the process ended before it was killed: %v", lines.Err())
		}
	}
	time.Sleep(rand.N(3 * time.Millisecond)) // so that the kill comes in the middle of an operation
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for read() {
	}
	return journal
}

// recover checks what is left of a user after a kill. It returns how many changes
// were acknowledged and how many were cut off.
func (u *worker) recover(ctx context.Context, t *testing.T, store mfa.Store, journal []entry) (done, cut int) {
	t.Helper()
	clock := mfatest.NewClock(u.Now)
	engine, err := newEngine(store, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	// The server may still be working on the process's last request. Once something
	// else is saved, that request has been carried out or never will be.
	if err := engine.ForgetDevices(ctx, u.ID); err != nil {
		t.Fatalf("the record of %s does not open: %v", u.ID, err)
	}
	status, err := engine.Status(ctx, u.ID)
	if err != nil {
		t.Fatalf("the record of %s does not open: %v", u.ID, err)
	}
	// At most the last line is about something that was not acknowledged.
	var open *entry
	var last entry
	for i, e := range journal {
		if u.Now = e.At; !e.Done {
			open = &journal[i]
			continue
		}
		open, last, done = nil, e, done+1
		u.URI = e.URI
	}
	if len(status.Factors) != 1 {
		t.Fatalf("%s has the factors %+v", u.ID, status.Factors)
	}
	if f := status.Factors[0]; last.Done && f.EnrolledAt.Before(last.At) && f.LastUsedAt.Before(last.At) {
		t.Errorf("for %s a change at %v was acknowledged; the record ends at %v", u.ID, last.At, f.LastUsedAt)
	}
	if last.Done {
		clock.Set(last.At)
		if _, err := logIn(ctx, engine, u.ID, u.code(t, last.URI, last.At)); !errors.Is(err, mfa.ErrInvalidCode) {
			t.Errorf("the code that %s entered at %v is accepted again: %v", u.ID, last.At, err)
		}
	}
	if open != nil {
		cut++
		u.settle(ctx, t, engine, clock, *open)
	}
	// The user can still log in.
	u.Now = u.Now.Add(30 * time.Second)
	clock.Set(u.Now)
	if _, err := logIn(ctx, engine, u.ID, u.code(t, u.URI, u.Now)); err != nil {
		t.Errorf("%s cannot log in after the kill: %v", u.ID, err)
	}
	return done, cut
}

// settle finds out whether the operation that was cut off took effect. Its code
// must be accepted at most once.
func (u *worker) settle(ctx context.Context, t *testing.T, engine *mfa.Engine, clock *mfatest.Clock, open entry) {
	t.Helper()
	clock.Set(open.At)
	if open.Enrolls {
		// The next code shows which app the user now has.
		u.Now = u.Now.Add(30 * time.Second)
		clock.Set(u.Now)
		if _, err := logIn(ctx, engine, u.ID, u.code(t, open.URI, u.Now)); err == nil {
			u.URI = open.URI
		}
		return
	}
	code := u.code(t, open.URI, open.At)
	logins := 0
	for range 2 {
		if _, err := logIn(ctx, engine, u.ID, code); err == nil {
			logins++
		}
	}
	if logins > 1 {
		t.Errorf("the code that %s entered at %v is accepted twice", u.ID, open.At)
	}
}

// code returns the code that the app with that URI shows.
func (u *worker) code(t *testing.T, uri string, at time.Time) string {
	t.Helper()
	app, err := mfatest.NewAuthenticator(uri)
	if err != nil {
		t.Fatal(err)
	}
	return app.Code(at)
}
