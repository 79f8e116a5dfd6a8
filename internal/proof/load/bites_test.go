package load

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// A lossyStore acknowledges one Save in a hundred without carrying it out.
type lossyStore struct {
	mfa.Store
	saves atomic.Int64
}

func (s *lossyStore) Save(ctx context.Context, record mfa.Record) error {
	if s.saves.Add(1)%100 == 0 {
		return nil
	}
	return s.Store.Save(ctx, record)
}

// A keeper acknowledges each Delete without carrying it out.
type keeper struct{ mfa.Store }

func (keeper) Delete(context.Context, string) error { return nil }

// A hoarder retains memory, and leaks a goroutine now and then.
type hoarder struct {
	mfa.Store
	end chan struct{}

	mu    sync.Mutex
	hoard [][]byte
}

func (s *hoarder) Save(ctx context.Context, record mfa.Record) error {
	s.mu.Lock()
	s.hoard = append(s.hoard, []byte(strings.Repeat("x", 128<<10)))
	if len(s.hoard)%50 == 0 {
		go func() { <-s.end }()
	}
	s.mu.Unlock()
	return s.Store.Save(ctx, record)
}

// blindStore returns a store on which the last writer wins.
func blindStore() mfa.Store {
	store := world.NewFaultStore()
	store.Blind = true
	return store
}

// TestSoakBites: the soak finds nothing wrong with a correct store, and finds what
// is wrong with a broken one.
func TestSoakBites(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: soaks of broken stores")
	}
	for _, test := range []struct {
		name  string
		store mfa.Store
		want  []kind
	}{
		{"a right store", mfa.NewMemoryStore(), nil},
		{"one that loses an update in a hundred", &lossyStore{Store: mfa.NewMemoryStore()}, []kind{ofStore}},
		{"one that compares no versions", blindStore(), []kind{ofStore, ofUser}},
		{"one that deletes nothing", keeper{mfa.NewMemoryStore()}, []kind{ofUser}},
		{"one that grows", &hoarder{Store: mfa.NewMemoryStore(), end: make(chan struct{})}, []kind{ofLeak}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := newSoak(t.Context(), test.store, nil, plan{
				users: 40, callers: 4, phases: 2, phase: time.Minute, operations: 400, codes: 1, faults: 10, patience: 300 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			s.run()
			if h, ok := test.store.(*hoarder); ok {
				close(h.end)
			}
			for _, k := range []kind{ofStore, ofUser, ofLeak} {
				if slices.Contains(test.want, k) {
					if s.findings.of(k) == 0 {
						t.Errorf("found nothing wrong with %s", k)
					}
				} else if test.want == nil && s.findings.of(k) > 0 {
					t.Errorf("%d unexpected findings about %s: %s", s.findings.of(k), k, s.findings.first)
				}
			}
			if len(s.findings.first) > 0 {
				t.Logf("found %v, such as %s", s.findings.count, s.findings.first[0])
			}
		})
	}
}
