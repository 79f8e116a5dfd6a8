package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// A soak has callers act for users on one store, in phases, and checks the engine
// and the store against what they have acknowledged.
type soak struct {
	plan     plan
	findings findings
	ledger   *ledger
	faulty   faultyStore
	faults   atomic.Int64
	callers  []*caller
	left     atomic.Int64 // operations of this phase
	done     atomic.Int64
	database *sql.DB // nil if the store has none
	gauges   []gauge // after each phase
	lasted   time.Duration
	took     map[string]*latencies // by operation
}

type plan struct {
	users, callers, phases int
	phase                  time.Duration // the longest that a phase may take
	codes                  int           // backup codes of a set
	operations             int64         // of all phases, at most
	faults                 int           // in a thousand calls of the store
	patience               time.Duration // how long to wait for what should end at once; no time is measured with it
}

// A gauge holds the figures that must not grow, read while nothing is under way.
type gauge struct {
	goroutines int
	heap       uint64 // live, in bytes
	connected  int
	inUse      int
}

// start is the time at which the clocks of all users begin.
var start = time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC)

// newSoak returns a soak whose users each have an app.
func newSoak(ctx context.Context, store mfa.Store, database *sql.DB, plan plan) (*soak, error) {
	s := &soak{plan: plan, database: database, took: make(map[string]*latencies)}
	var ids []string
	for i := range plan.users {
		ids = append(ids, fmt.Sprintf("user-%05d", i))
	}
	s.ledger = newLedger(store, &s.findings, ids)
	s.faulty = faultyStore{s.ledger, plan.faults, &s.faults}
	for i := range plan.callers {
		c, err := s.newCaller(ctx, uint64(i))
		if err != nil {
			return nil, err
		}
		s.callers = append(s.callers, c)
	}
	for i, id := range ids {
		c, u := s.callers[i%plan.callers], &user{id: id, now: start}
		c.users = append(c.users, u)
		if err := c.adopt(u); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// run goes through the phases, and reads the gauges after each. In the end
// everything that was acknowledged must be there, and every user must get in.
func (s *soak) run() {
	goroutines := runtime.NumGoroutine()
	for range s.plan.phases {
		s.left.Store(s.plan.operations / int64(s.plan.phases))
		before := time.Now()
		over := before.Add(s.plan.phase)
		s.each(func(c *caller) {
			for s.left.Add(-1) >= 0 && time.Now().Before(over) {
				c.next()
				s.done.Add(1)
			}
		})
		s.lasted += time.Since(before)
		s.gauges = append(s.gauges, s.read(goroutines))
	}
	s.leaks(goroutines)
	for _, c := range s.callers {
		for operation, l := range c.took {
			if s.took[operation] == nil {
				s.took[operation] = new(latencies)
			}
			s.took[operation].merge(l)
		}
	}
	s.each(func(c *caller) {
		c.engine = c.sure
		for _, u := range c.users {
			c.wait(u, period)
			status, err := c.sure.Status(c.ctx, u.id)
			if err == nil {
				err = errors.Join(c.compare(u, status), c.loginByApp(u))
			}
			if len(u.codes) > 0 {
				err = errors.Join(err, c.loginByBackupCode(u))
			}
			if err != nil {
				s.findings.add(ofUser, "%s, at the end: %v", u.id, err)
			}
		}
	})
}

// each has all callers act at once.
func (s *soak) each(act func(c *caller)) {
	var all sync.WaitGroup
	for _, c := range s.callers {
		all.Go(func() { act(c) })
	}
	all.Wait()
}

// patience is more than enough for what should end at once.
const patience = 10 * time.Second

// read reads the gauges, once what is still under way has ended. A driver may keep
// one goroutine for each connection in the pool: pgx leaves one reading after a
// slow write.
func (s *soak) read(goroutines int) (g gauge) {
	wait(s.plan.patience, func() bool {
		g.goroutines = runtime.NumGoroutine()
		if s.database != nil {
			stats := s.database.Stats()
			g.connected, g.inUse = stats.OpenConnections, stats.InUse
		}
		return g.goroutines <= goroutines+g.connected && g.inUse == 0
	})
	runtime.GC()
	runtime.GC() // frees what the first left to finalizers
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	g.heap = memory.HeapAlloc
	return g
}

// wait waits until there reports true, or until patience runs out.
func wait(patience time.Duration, there func() bool) {
	for over := time.Now().Add(patience); !there() && time.Now().Before(over); {
		time.Sleep(time.Millisecond)
	}
}

// slack is by how many bytes, beyond a quarter, the live heap may be larger after
// the last phase than after the first: records grow, with backup codes for example.
const slack = 8 << 20

// leaks reports what has grown.
func (s *soak) leaks(goroutines int) {
	first, last := s.gauges[0], s.gauges[len(s.gauges)-1]
	if last.heap > first.heap+first.heap/4+slack {
		s.findings.add(ofLeak, "the live heap has grown from %d to %d bytes", first.heap, last.heap)
	}
	for i, g := range s.gauges {
		if g.goroutines > goroutines+g.connected {
			s.findings.add(ofLeak, "%d goroutines before, %d after phase %d", goroutines, g.goroutines, i+1)
		}
		if g.inUse > 0 {
			s.findings.add(ofLeak, "%d connections are in use after phase %d", g.inUse, i+1)
		}
		if s.database != nil && g.connected > s.database.Stats().MaxOpenConnections {
			s.findings.add(ofLeak, "%d connections after phase %d", g.connected, i+1)
		}
	}
}

// report returns the figures for docs/performance.md.
func (s *soak) report(store string) string {
	var b strings.Builder
	first, last := s.gauges[0], s.gauges[len(s.gauges)-1]
	fmt.Fprintf(&b, "%s, %d users, %d callers, GOMAXPROCS %d: %d operations in %v, %.0f a second, %d injected faults\n\n",
		store, s.plan.users, s.plan.callers, runtime.GOMAXPROCS(0), s.done.Load(), s.lasted.Round(time.Second), float64(s.done.Load())/s.lasted.Seconds(), s.faults.Load())
	fmt.Fprintf(&b, "| | times | p50 | p99 |\n| --- | --- | --- | --- |\n")
	for _, operation := range slices.Sorted(maps.Keys(s.took)) {
		l := s.took[operation]
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", operation, l.count, brief(l.quantile(.5)), brief(l.quantile(.99)))
	}
	fmt.Fprintf(&b, "\nAfter the first and the last tenth: live heap %.1f and %.1f MiB, goroutines %d and %d, connections %d and %d, in use %d and %d.\n",
		mebibytes(first.heap), mebibytes(last.heap), first.goroutines, last.goroutines, first.connected, last.connected, first.inUse, last.inUse)
	return b.String()
}

// brief returns a duration rounded to two digits.
func brief(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 100 {
		unit *= 10
	}
	return d.Round(unit).String()
}

func mebibytes[T int64 | uint64](bytes T) float64 { return float64(bytes) / (1 << 20) }

// soakPlan returns a short plan, or one for as long as MFA_TEST_SOAK says.
func soakPlan(t *testing.T) plan {
	text := os.Getenv("MFA_TEST_SOAK")
	if text == "" {
		return plan{users: 100, callers: 8, phases: 3, phase: 300 * time.Millisecond, operations: 6000, codes: 1, faults: 10, patience: patience}
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("MFA_TEST_SOAK: %v", err)
	}
	return plan{users: 10_000, callers: 8, phases: 10, phase: length / 10, operations: 1 << 40, codes: 10, faults: 10, patience: patience}
}

// TestSoak: however operations are mixed, and whichever call of the store fails,
// nothing that was acknowledged is lost, and nothing grows.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: the soak")
	}
	plan := soakPlan(t)
	soakOn := func(t *testing.T, store mfa.Store, database *sql.DB) {
		s, err := newSoak(t.Context(), store, database, plan)
		if err != nil {
			t.Fatal(err)
		}
		s.run()
		for _, finding := range s.findings.first {
			t.Error(finding)
		}
		if s.done.Load() == 0 || s.faults.Load() == 0 {
			t.Errorf("%d operations, %d faults: this shows nothing", s.done.Load(), s.faults.Load())
		}
		t.Log(s.report(t.Name()))
	}
	t.Run("MemoryStore", func(t *testing.T) { soakOn(t, mfa.NewMemoryStore(), nil) })
	t.Run("PostgreSQL", func(t *testing.T) {
		goroutines := runtime.NumGoroutine()
		store, database := postgres(t)
		soakOn(t, store, database)
		database.Close()
		wait(patience, func() bool { return runtime.NumGoroutine() <= goroutines })
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines before, %d once the pool is closed", goroutines, n)
		}
	})
}
