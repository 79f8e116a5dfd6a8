//go:build linux

package cluster

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// An event is one operation as the test saw it, from its request to its answer.
type event struct {
	Process int
	Do      operation
	User    string
	At      time.Time // by the user's clock, which determines the code
	Answer  answer

	Begun, Ended time.Time
}

// A history is everything that the clients did, in the order in which it ended.
type history struct {
	mu     sync.Mutex
	events []event
}

// do has a client perform an operation, and records it.
func (h *history) do(p *process, r request) answer {
	e := event{Process: p.number, Do: r.Do, User: r.User, At: r.At, Begun: time.Now()}
	e.Answer = p.ask(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	e.Ended = time.Now()
	h.events = append(h.events, e)
	return e.Answer
}

// isLone reports whether the event is a login of a client's lone user.
func (e event) isLone(process int) bool {
	return e.Process == process && e.Do == opVerify && e.Answer.Outcome == done && strings.HasPrefix(e.User, lone)
}

// back returns nil if every client's lone user has logged in since then, or else an
// error with the last one that a client reported.
func (h *history) back(since time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := make(map[int]bool)
	last := ""
	for i := len(h.events) - 1; i >= 0 && h.events[i].Ended.After(since); i-- {
		if e := h.events[i]; e.isLone(e.Process) && e.Begun.After(since) {
			seen[e.Process] = true
		} else if e.Answer.Error != "" && last == "" {
			last = e.Answer.Error
		}
	}
	if len(seen) < clients {
		return fmt.Errorf("%d of %d clients work; last error: %s", len(seen), clients, last)
	}
	return nil
}
