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

// The engine knows nothing of passwords, so the host must limit guesses at them.
// These are the attempts allowed in one window.
const (
	limitWindow   = 15 * time.Minute
	limitAccount  = 20  // wrong passwords for one account, and from each device that it trusts
	limitAddress  = 100 // wrong passwords, or new accounts, from one address
	limitForgot   = 20  // reset links requested from one address
	limitMessages = 5   // mails to one account
	maxCounters   = 20_000
)

// limits count within this process. An application that runs several processes
// should count where all of them see it, or at its edge.
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

// A limit counts attempts of one kind. Each kind has its own, so that a flood of
// one leaves the counters of the others alone.
type limit struct {
	now      func() time.Time
	attempts int

	mu       sync.Mutex
	counters map[[sha256.Size]byte]counter // by hash of the key, which may be long
}

type counter struct {
	left int
	ends time.Time
}

func newLimit(now func() time.Time, attempts int) *limit {
	return &limit{now: now, attempts: attempts, counters: make(map[[sha256.Size]byte]counter)}
}

// take counts an attempt that is about to be made. It returns an
// *mfa.ThrottledError if there have been too many.
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

// giveBack uncounts an attempt that turned out to be right.
func (l *limit) giveBack(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hash := sha256.Sum256([]byte(key))
	if c, ok := l.counters[hash]; ok && c.left < l.attempts {
		c.left++
		l.counters[hash] = c
	}
}

// makeRoom reports whether there is room for another counter. Once the limit is
// full, it drops the counters whose window has ended and those with the fewest
// attempts, but never one that has no attempts left.
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

// address returns what a request is counted under: the client's IPv4 address, or
// its /64 of IPv6, which one customer has. Behind a proxy, take the address from
// the header that your proxy sets, and from no other.
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
