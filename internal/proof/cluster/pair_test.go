//go:build linux

package cluster

import (
	"sync/atomic"
	"time"
)

// A pair is a primary and its replica. Only the test promotes the replica, as an
// operator or a high-availability tool would.
type pair struct {
	*cluster
	primary atomic.Int64 // its number

	// promote makes the replica with that number the primary.
	promote func(i int)
	// follow makes the node with that number a new replica of the other.
	follow func(i int)
}

// failOver promotes the replica, and returns the number of the old primary.
func (p *pair) failOver() (old int) {
	old = int(p.primary.Load())
	p.promote(1 - old)
	p.primary.Store(int64(1 - old))
	return old
}

// replace returns a function that turns a node whose data is out of date into a
// replica.
func (p *pair) replace(old int) (heal func()) {
	return func() {
		p.nodes[old].kill()
		p.network.heal()
		p.follow(old)
	}
}

// lag is the time for which a primary works without its replica before it fails.
const lag = 2 * time.Second

// fenced returns the faults during which at most one node is a primary. The short
// run has the first three.
func (p *pair) fenced() []fault {
	return []fault{
		{"the primary is killed, and the replica promoted", func(*cluster) func() {
			p.nodes[p.primary.Load()].kill()
			return p.replace(p.failOver())
		}},
		{"the primary loses its replica, is killed later, and the replica promoted", func(*cluster) func() {
			p.network.cut(0, 1, dropped)
			time.Sleep(lag)
			p.nodes[p.primary.Load()].kill()
			return p.replace(p.failOver())
		}},
		{"the primary is killed and comes back", func(c *cluster) func() {
			return killed(c, int(p.primary.Load()))
		}},
		{"the replica is killed and comes back", func(c *cluster) func() {
			return killed(c, 1-int(p.primary.Load()))
		}},
	}
}

// unfenced returns the faults after which both nodes consider themselves the primary.
func (p *pair) unfenced() []fault {
	return []fault{
		{"the primary is cut off and left running, and the replica promoted", func(*cluster) func() {
			p.network.cut(0, 1, dropped)
			return p.replace(p.failOver())
		}},
		{"the primary is stopped, the replica promoted, and the primary continues", func(*cluster) func() {
			old := p.nodes[p.primary.Load()]
			old.pause()
			heal := p.replace(p.failOver())
			time.Sleep(lag)
			old.resume()
			return heal
		}},
	}
}
