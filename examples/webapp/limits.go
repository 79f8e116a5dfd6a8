package main

import (
	"crypto/sha256"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/protekt/mfa"
)

// Guessing passwords is the host's to stop: the engine knows nothing of them.
// So many attempts there may be in a window.
const (
	limitWindow   = 15 * time.Minute
	limitAccount  = 20  // wrong passwords for one account, and on each device that it trusts
	limitAddress  = 100 // wrong passwords, or new accounts, from one address
	limitForgot   = 20  // links that one address asks for
	limitMessages = 5   // mails to one account
	maxCounters   = 20_000
)

// limits count in this process alone. An application of several processes
// counts where all of them see it, or at its edge.
type limits struct{ account, device, address, signUp, forgot, mail *limit }

func newLimits(now func() time.Time) limits {
	return limits{
		account: newLimit(now, limitAccount),
		device:  newLimit(now, limitAccount),
		address: newLimit(now, limitAddress),
		signUp:  newLimit(now, limitAddress),
		forgot:  newLimit(now, limitForgot),
		mail:    newLimit(now, limitMessages),
	}
}

// A limit counts attempts of one kind, so that a flood of these leaves the
// counters of the others alone.
type limit struct {
	now      func() time.Time
	attempts int

	mu       sync.Mutex
	counters map[[sha256.Size]byte]counter // by the key's hash: keys may be long
}

type counter struct {
	left int
	ends time.Time
}

func newLimit(now func() time.Time, attempts int) *limit {
	return &limit{now: now, attempts: attempts, counters: make(map[[sha256.Size]byte]counter)}
}

// take counts one attempt, before it is made, or says when to try again.
func (l *limit) take(key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	hash, now := sha256.Sum256([]byte(key)), l.now()
	c, ok := l.counters[hash]
	if !ok && !l.makeRoom(now) {
		return &mfa.ThrottledError{RetryAfter: limitWindow}
	}
	if !now.Before(c.ends) {
		c = counter{left: l.attempts, ends: now.Add(limitWindow)}
	}
	if c.left == 0 {
		return &mfa.ThrottledError{RetryAfter: c.ends.Sub(now)}
	}
	c.left--
	l.counters[hash] = c
	return nil
}

// giveBack uncounts an attempt that was right.
func (l *limit) giveBack(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hash := sha256.Sum256([]byte(key))
	if c, ok := l.counters[hash]; ok && c.left < l.attempts {
		c.left++
		l.counters[hash] = c
	}
}

// makeRoom keeps the memory bounded: what is over goes, and who has tried least.
// Who has no attempt left is not forgotten: where nobody else is there, new ones
// are refused.
func (l *limit) makeRoom(now time.Time) bool {
	if len(l.counters) < maxCounters {
		return true
	}
	most := 1
	for _, c := range l.counters {
		if now.Before(c.ends) {
			most = max(most, c.left)
		}
	}
	maps.DeleteFunc(l.counters, func(_ [sha256.Size]byte, c counter) bool {
		return !now.Before(c.ends) || c.left == most
	})
	return len(l.counters) < maxCounters
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
