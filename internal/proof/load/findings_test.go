package load

import (
	"fmt"
	"sync"
)

// A kind is the kind of a finding.
type kind string

const (
	ofStore kind = "the store"   // a record does not have the version that was acknowledged
	ofUser  kind = "a user"      // something that was acknowledged does not hold
	ofLeak  kind = "the process" // something grows
)

// Findings are the faults that a check has found.
type findings struct {
	mu    sync.Mutex
	count map[kind]int
	first []string
}

// told is the number of findings whose texts are kept.
const told = 20

func (f *findings) add(k kind, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = make(map[kind]int)
	}
	f.count[k]++
	if len(f.first) < told {
		f.first = append(f.first, string(k)+": "+fmt.Sprintf(format, args...))
	}
}

// of returns the number of findings of a kind.
func (f *findings) of(k kind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[k]
}
