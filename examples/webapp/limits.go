package main

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/protekt/mfa"
)

// Guessing passwords is the host's to stop: the engine knows nothing of them.
// So many may be wrong in a window, per account and per address.
const (
	limitWindow   = 15 * time.Minute
	limitAccount  = 20
	limitAddress  = 100
	limitMessages = 5 // mails to one account
	maxCounters   = 20_000
)

// limits counts in this process alone. An application of several processes
// counts where all of them see it, or at its edge.
type limits struct {
	now func() time.Time

	mu       sync.Mutex
	counters map[string]counter
}

type counter struct {
	left int
	ends time.Time
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, counters: make(map[string]counter)}
}

// take counts one attempt, before it is made, or says when to try again.
func (l *limits) take(key string, limit int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	c, ok := l.counters[key]
	if !ok || !now.Before(c.ends) {
		l.makeRoom(now)
		c = counter{left: limit, ends: now.Add(limitWindow)}
	}
	if c.left == 0 {
		return &mfa.ThrottledError{RetryAfter: c.ends.Sub(now)}
	}
	c.left--
	l.counters[key] = c
	return nil
}

// giveBack uncounts an attempt that was right.
func (l *limits) giveBack(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.counters[key]; ok {
		c.left++
		l.counters[key] = c
	}
}

// makeRoom keeps the memory bounded: what is over goes, and if that is not
// enough, whatever comes first.
func (l *limits) makeRoom(now time.Time) {
	if len(l.counters) < maxCounters {
		return
	}
	for key, c := range l.counters {
		if !now.Before(c.ends) {
			delete(l.counters, key)
		}
	}
	for key := range l.counters {
		if len(l.counters) < maxCounters {
			return
		}
		delete(l.counters, key)
	}
}

// address is whom a request is counted for: an IPv4 address, or a network of
// IPv6 as one customer gets it. Behind a proxy of yours take it from the header
// that the proxy sets, and from no other.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip.WithZone(""), 64).Masked().String()
}
