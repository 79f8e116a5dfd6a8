package mfatest

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/protekt/mfa"
)

// A database is what stores share: records, and the marker of the store that was
// created in it.
type database struct {
	mu      sync.Mutex
	marker  string // "" if there is no store
	records map[string]mfa.Record

	lostFaults
}

// lostFaults are ways in which stores may take a loss for users without MFA.
type lostFaults struct {
	hasNoMarker      bool // Load looks for no marker
	hasNoIdentity    bool // one marker is like another
	adoptsIdentities bool // Load accepts a new marker from the second time on
	readsMarkerFirst bool // Load reads the marker before the record, in two steps
	createsAtOpen    bool // Open creates the store if there is none
	createsAtSave    bool // Save creates the store if there is none
	savesWithout     bool // Save looks for no marker
	createsOver      bool // Create makes a new store out of an existing one
	createsNot       bool // Create does not make the store
}

var errLost = errors.New("this store is empty or was lost")

func (d *database) create(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.createsNot {
		return nil
	}
	if d.marker == "" || d.createsOver {
		d.marker = rand.Text()
		d.records = make(map[string]mfa.Record)
	}
	return nil
}

func (d *database) wipe(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.marker, d.records = "", make(map[string]mfa.Record)
	return nil
}

func (d *database) open(ctx context.Context) (mfa.Store, error) {
	if d.createsAtOpen {
		d.create(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.marker == "" && !d.hasNoMarker {
		return nil, errLost
	}
	return &markedStore{database: d, identity: d.marker}, nil
}

// A markedStore keeps the promises that TestLostStore checks, except where a
// fault is set.
type markedStore struct {
	*database
	identity string
}

// isLost reports whether the store is not the one that was opened.
func (s *markedStore) isLost() bool {
	switch {
	case s.hasNoMarker:
		return false
	case s.hasNoIdentity:
		return s.marker == ""
	case s.adoptsIdentities && s.marker != "" && s.marker != s.identity:
		s.identity = s.marker
		return true
	}
	return s.marker != s.identity
}

func (s *markedStore) Load(_ context.Context, userID string) (mfa.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.isLost()
	if s.readsMarkerFirst {
		s.mu.Unlock()
		for range 100 {
			runtime.Gosched()
		}
		s.mu.Lock()
	}
	record, ok := s.records[userID]
	switch {
	case ok:
		return copied(record), nil
	case lost:
		return mfa.Record{}, errLost
	}
	return mfa.Record{}, mfa.ErrNoRecord
}

func (s *markedStore) Save(_ context.Context, record mfa.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.createsAtSave && s.marker == "" {
		s.marker = s.identity
	}
	if !s.savesWithout && s.isLost() {
		return errLost
	}
	if s.records[record.UserID].Version != record.Version {
		return mfa.ErrConflict
	}
	record = copied(record)
	record.Version++
	s.records[record.UserID] = record
	return nil
}

func (s *markedStore) Delete(_ context.Context, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, userID)
	return nil
}

func newPlace(faults lostFaults) Place {
	d := &database{records: make(map[string]mfa.Record), lostFaults: faults}
	return Place{Create: d.create, Open: d.open, Wipe: d.wipe}
}

func TestMarkedStore(t *testing.T) {
	TestLostStore(t, newPlace(lostFaults{}))
	TestStore(t, func(t *testing.T) mfa.Store {
		place := newPlace(lostFaults{})
		if err := place.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		store, err := place.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

// TestStoresThatTakeALossForNoMFAAreFound tests TestLostStore: each of these
// stores breaks a rule.
func TestStoresThatTakeALossForNoMFAAreFound(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults lostFaults
		rule   string // one that it breaks
	}{
		{"no marker", lostFaults{hasNoMarker: true}, "Lost"},
		{"no marker needed to start", lostFaults{hasNoMarker: true}, "NotCreated"},
		{"a marker without an identity", lostFaults{hasNoIdentity: true}, "Replaced"},
		{"an identity that is adopted while running", lostFaults{adoptsIdentities: true}, "Replaced"},
		{"a marker that is read before the record", lostFaults{readsMarkerFirst: true}, "Race"},
		{"a store created by whoever starts", lostFaults{createsAtOpen: true}, "NotCreated"},
		{"a store created anew by whoever starts", lostFaults{createsAtOpen: true}, "Lost"},
		{"a store created anew by a Save", lostFaults{createsAtSave: true}, "Lost"},
		{"a Save that needs no marker", lostFaults{savesWithout: true}, "Lost"},
		{"a Create over an existing store", lostFaults{createsOver: true}, "Created"},
		{"a Create that does nothing", lostFaults{createsNot: true}, "Created"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var broken []string
			for _, rule := range lostRules {
				if rule.check(t.Context(), newPlace(test.faults)) != nil {
					broken = append(broken, rule.name)
				}
			}
			if !slices.Contains(broken, test.rule) {
				t.Errorf("breaks %v, want %s among them", broken, test.rule)
			}
		})
	}
}
