package load

import (
	"fmt"
	"sync"
)

// A finding is of one of these kinds.
type kind string

const (
	ofStore kind = "the store"   // a record is not of the version that was acknowledged
	ofUser  kind = "a user"      // something that was acknowledged is not so
	ofLeak  kind = "the process" // something grows
)

// Findings are what a checker has to say against what it checks.
type findings struct {
	mu    sync.Mutex
	count map[kind]int
	first []string
}

// told is how many findings are kept word by word.
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

// of counts the findings of a kind.
func (f *findings) of(k kind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[k]
}
