//go:build linux

package cluster

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A cluster is a set of nodes that a test has started.
type cluster struct {
	t       *testing.T
	nodes   []*node
	network *network
	leader  func() (int, error) // returns the node that the others follow now
	hold    time.Duration       // duration of a fault: longer than it takes to elect another leader
}

// led waits until there is a leader, and returns its number.
func (c *cluster) led() (leader int) {
	c.t.Helper()
	eventually(c.t, "nobody leads", func() (err error) {
		leader, err = c.leader()
		return err
	})
	return leader
}

// A fault disturbs a cluster. strike returns the function that ends the fault.
type fault struct {
	name   string
	strike func(c *cluster) (heal func())
}

func killed(c *cluster, numbers ...int) (heal func()) {
	for _, i := range numbers {
		c.nodes[i].kill()
	}
	return func() {
		for _, i := range numbers {
			c.nodes[i].start(c.t)
		}
	}
}

func cutOff(c *cluster, i int, how cut) (heal func()) {
	c.network.isolate(i, how)
	return c.network.heal
}

// faults are for clusters that elect a leader by themselves. The short run has the
// first three.
var faults = []fault{
	{"the leader is killed", func(c *cluster) func() { return killed(c, c.led()) }},
	{"the leader is stopped, and continues", func(c *cluster) func() {
		leader := c.nodes[c.led()]
		leader.pause()
		return leader.resume
	}},
	{"the leader is cut off, packets are lost", func(c *cluster) func() { return cutOff(c, c.led(), dropped) }},
	{"the leader is cut off, connections end", func(c *cluster) func() { return cutOff(c, c.led(), reset) }},
	{"another node is killed", func(c *cluster) func() { return killed(c, (c.led()+1)%len(c.nodes)) }},
	{"all nodes are killed", func(c *cluster) func() {
		var all []int
		for i := range c.nodes {
			all = append(all, i)
		}
		return killed(c, all...)
	}},
	{"the leader loses one of the others", func(c *cluster) func() {
		leader := c.led()
		c.network.cut(leader, (leader+1)%len(c.nodes), dropped)
		return c.network.heal
	}},
}

// require skips a test, which takes minutes, unless it was requested.
func require(t *testing.T) {
	t.Helper()
	if os.Getenv("MFA_TEST_CLUSTER") != "1" {
		t.Skip("skipped: starts a cluster and takes a minute; set MFA_TEST_CLUSTER=1")
	}
}

// rounds returns how often all faults strike, or 0 for the short run.
func rounds(t *testing.T) int {
	t.Helper()
	text, long := os.LookupEnv("MFA_TEST_LONG")
	if !long || text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("MFA_TEST_LONG is %q, want a number of rounds", text)
	}
	return n
}

// requireLong skips a test that counts how often a promise is broken that no store
// can keep in its setting, except in a long run.
func requireLong(t *testing.T) {
	t.Helper()
	if rounds(t) == 0 {
		t.Skip("skipped: shows what this setting loses; set MFA_TEST_LONG to a number of rounds")
	}
}

// asked returns the faults that are to strike, in order.
func asked(t *testing.T, all []fault) (asked []fault) {
	t.Helper()
	for range rounds(t) {
		asked = append(asked, all...)
	}
	if asked == nil {
		return all[:min(3, len(all))]
	}
	return asked
}

// quiet is the time without a fault between two faults.
const quiet = time.Second

// A span is the time during which a fault and its consequences lasted.
type span struct {
	fault    string
	from, to time.Time
}

// suffer has the clients work while one fault after the other strikes, and returns
// the breaches and when each fault lasted.
func (l *load) suffer(c *cluster, faults []fault) (findings, []span) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { l.run(ctx) })
	defer func() { cancel(); working.Wait() }()

	var spans []span
	s := span{fault: "the start"}
	calm := func() {
		c.t.Helper()
		since := time.Now()
		eventually(c.t, "the users do not get in after "+s.fault, func() error { return l.back(since) })
		time.Sleep(quiet)
	}
	calm()
	for _, f := range asked(c.t, faults) {
		s = span{fault: fmt.Sprintf("%s for %v", f.name, c.hold), from: time.Now()}
		heal := f.strike(c)
		time.Sleep(c.hold)
		heal()
		calm()
		s.to = time.Now()
		spans = append(spans, s)
	}
	cancel()
	working.Wait()
	l.finish(c.t)
	return check(l.events), spans
}

// table logs the effects of each fault, as a table for docs/stores.md.
func (l *load) table(t *testing.T, f findings, spans []span) {
	t.Helper()
	ended := make(map[operation]map[outcome]int)
	for _, e := range l.events {
		if ended[e.Do] == nil {
			ended[e.Do] = make(map[outcome]int)
		}
		ended[e.Do][e.Answer.Outcome]++
	}
	t.Logf("%d users, %v", len(l.apps), ended)
	var lines strings.Builder
	fmt.Fprintf(&lines, "| fault | locked out, s |")
	for _, b := range breaches {
		fmt.Fprintf(&lines, " %s |", b)
	}
	for _, s := range spans {
		var outages []time.Duration
		for i := range l.processes {
			outages = append(outages, longestOutage(l.events, i, s.from, s.to))
		}
		fmt.Fprintf(&lines, "\n| %s | %.1f–%.1f |", s.fault, slices.Min(outages).Seconds(), slices.Max(outages).Seconds())
		for _, b := range breaches {
			fmt.Fprintf(&lines, " %d |", f.during(b, s))
		}
	}
	t.Logf("what each client's users saw:\n%s", lines.String())
}
