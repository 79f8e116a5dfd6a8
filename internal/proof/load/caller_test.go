package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfatest"
)

// period is a time step of every app.
const period = 30 * time.Second

// A caller acts for one user at a time, on an engine of its own, as one of many
// processes does.
type caller struct {
	soak   *soak
	ctx    context.Context
	random *rand.Rand
	clock  *mfatest.Clock // shows the time of the user it acts for
	phone  phone          // of that user
	config mfa.Config
	engine *mfa.Engine
	sure   *mfa.Engine // on the same store, without faults: to find out what a fault has left
	took   map[string]*latencies
}

// A phone shows the last message.
type phone struct{ code string }

func (p *phone) SendSMS(_ context.Context, message mfa.SMS) error {
	p.code = message.Code
	return nil
}

func (s *soak) newCaller(ctx context.Context, number uint64) (*caller, error) {
	c := &caller{
		soak:   s,
		ctx:    ctx,
		random: rand.New(rand.NewPCG(1, number)),
		clock:  mfatest.NewClock(start),
		took:   make(map[string]*latencies),
	}
	for _, operation := range timed {
		c.took[operation] = new(latencies)
	}
	c.config = mfa.Config{Issuer: "ACME", Keys: [][]byte{world.Key(1)}, SMS: &c.phone, Now: c.clock.Now,
		BackupCodes: mfa.BackupCodeConfig{Count: s.plan.codes}}
	var err error
	if c.engine, err = c.on(s.faulty); err != nil {
		return nil, err
	}
	c.sure, err = c.on(s.ledger)
	return c, err
}

// on is another engine like the caller's.
func (c *caller) on(store mfa.Store) (*mfa.Engine, error) {
	config := c.config
	config.Store = store
	return mfa.New(config)
}

// errGivenUp ends an operation that met a fault before its code was judged.
var errGivenUp = fmt.Errorf("given up: %w", world.ErrStore)

// time measures one operation, unless it met a fault.
func (c *caller) time(operation string, do func() error) error {
	before := time.Now()
	err := do()
	if !faulted(err) {
		c.took[operation].add(time.Since(before))
	}
	return err
}

// wait lets a user's time pass.
func (c *caller) wait(a *account, d time.Duration) {
	a.now = a.now.Add(d)
	c.clock.Set(a.now)
}

// later lets time pass until the app shows a code that was not accepted yet, and
// no factor is delayed.
func (c *caller) later(a *account) {
	if a.now.Before(a.spent) {
		a.now = a.spent
	}
	c.wait(a, period+time.Duration(1+c.random.Int64N(int64(10*time.Minute))))
	if a.failures[mfa.MethodTOTP].most >= 5 || a.failures[mfa.MethodSMS].most >= 5 || a.failures[mfa.MethodBackupCode].most >= 10 {
		c.wait(a, 15*time.Minute)
	}
}

// slips tells whether the user types a wrong code this time: one of twenty.
func (c *caller) slips() bool { return c.random.IntN(20) == 0 }

// wrong is a finding about a user, after which nothing more is known of them.
func (c *caller) wrong(a *account, format string, args ...any) {
	a.lost = true
	c.soak.findings.add(ofUser, a.id+": "+format, args...)
}

// faulted tells whether a call met an injected fault.
func faulted(err error) bool { return errors.Is(err, world.ErrStore) }

// done tells whether a call that changes nothing to be seen went through. A
// fault is no answer; any other error is a finding.
func (c *caller) done(a *account, what string, err error) bool {
	if err != nil && !faulted(err) {
		c.wrong(a, "%s: %v", what, err)
	}
	return err == nil
}

// becomes tells whether a call that had to succeed has made the user look like
// next: it says so, or after a fault the store does.
func (c *caller) becomes(a *account, what string, err error, next picture) bool {
	if err == nil {
		a.shown = next
		return true
	}
	if c.done(a, what, err); a.lost {
		return false
	}
	before := a.shown
	return c.settles(a, what, next) && a.shown != before
}

// settles takes for the user's picture what is in the store, which must be as
// before or one of the others.
func (c *caller) settles(a *account, what string, others ...picture) bool {
	got, err := c.look(a)
	if err != nil {
		c.wrong(a, "%s, then Status: %v", what, err)
		return false
	}
	if got != a.shown && !slices.Contains(others, got) {
		c.wrong(a, "%s left %+v, want %+v or one of %+v", what, got, a.shown, others)
		return false
	}
	a.shown = got
	return true
}

func (c *caller) look(a *account) (picture, error) {
	c.clock.Set(a.now)
	status, err := c.sure.Status(c.ctx, a.id)
	if err != nil {
		return picture{}, err
	}
	return pictureOf(status), nil
}

// judged takes the engine's verdict on a code, and tells whether it was accepted.
// charged are the factors that a wrong one is charged to, the one that a right
// one belongs to first.
func (c *caller) judged(a *account, right bool, login *mfa.Login, err error, charged ...mfa.Method) bool {
	method := charged[0]
	if !right {
		switch {
		case errors.Is(err, mfa.ErrInvalidCode):
			for _, m := range charged {
				a.failed(m, 1, 0)
			}
		case faulted(err):
			for _, m := range charged {
				a.failed(m, 0, 1)
			}
		default:
			c.wrong(a, "a wrong code by %s: %v", method, err)
		}
		return false
	}
	if faulted(err) && method == mfa.MethodBackupCode {
		a.failed(method, 0, 1) // paid for, and not given back
	}
	if !c.becomes(a, "a right code by "+string(method), err, a.shown.used(method, a.now)) {
		return false
	}
	a.failures[method] = between{}
	if method == mfa.MethodTOTP {
		a.spend()
	}
	if login != nil && login.Proof != "" {
		a.keep(login.Proof)
	}
	return true
}

// begin begins a login that must be challenged; "" after a fault.
func (c *caller) begin(a *account, opts ...mfa.LoginOption) (token string) {
	err := c.engine.BeginLogin(c.ctx, a.id, opts...)
	var challenge *mfa.ChallengeError
	if errors.As(err, &challenge) {
		return challenge.Token
	}
	if !faulted(err) {
		c.wrong(a, "BeginLogin: %v, want a challenge", err)
	}
	return ""
}

// together has n goroutines act on one version of the user's record: their
// engine's store lets the first n Loads return together.
func (c *caller) together(a *account, n int, act func(engine *mfa.Engine, i int) error) []error {
	engine, err := c.on(world.NewBarrier(c.soak.faulty, n))
	if err != nil {
		c.wrong(a, "New: %v", err)
		return nil
	}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = act(engine, i) })
	}
	all.Wait()
	return errs
}
