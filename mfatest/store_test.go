package mfatest

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protekt/mfa"
)

func TestMemoryStore(t *testing.T) {
	TestStore(t, func(*testing.T) mfa.Store { return mfa.NewMemoryStore() })
}

// A brokenStore keeps the promises of mfa.Store except where a fault is set.
type brokenStore struct {
	mu      sync.Mutex
	records map[string]mfa.Record
	reads   map[string]mfa.Record // what a lagging replica returns

	comparesNothing     bool // Save overwrites whatever is there
	comparesLater       bool // Save compares first and writes in a second step
	keepsVersion        bool // Save does not increment the version
	skipsVersions       bool // Save increments the version by two
	readsStale          bool // Load does not see the last Save
	sharesGiven         bool // Save keeps the caller's slices
	sharesLoaded        bool // Load returns its own slices
	deletesNothing      bool // Delete leaves the record
	deletesOthers       bool // Delete removes every user whose ID begins with the given one
	hidesConflicts      bool // Save reports a conflict as success
	insertsAnyVersion   bool // Save accepts any version if there is no record
	inventsRecords      bool // Load returns an empty record for an unknown user
	failsUnknownDelete  bool // Delete of an unknown user fails
	forgetsMethods      bool // Load returns no methods
	cutsData            bool // Save keeps only 16,383 bytes of Data
	cancelledIsNoRecord bool // a cancelled Load returns ErrNoRecord
	key                 func(string) string
}

func newBrokenStore() *brokenStore {
	return &brokenStore{records: make(map[string]mfa.Record), reads: make(map[string]mfa.Record), key: func(id string) string { return id }}
}

func copied(r mfa.Record) mfa.Record {
	r.Data, r.Methods = slices.Clone(r.Data), slices.Clone(r.Methods)
	return r
}

func (s *brokenStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	if ctx.Err() != nil {
		if s.cancelledIsNoRecord {
			return mfa.Record{}, mfa.ErrNoRecord
		}
		return mfa.Record{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.records
	if s.readsStale {
		from = s.reads
	}
	record, ok := from[s.key(userID)]
	if !ok && !s.inventsRecords {
		return mfa.Record{}, mfa.ErrNoRecord
	}
	if s.forgetsMethods {
		record.Methods = nil
	}
	if s.sharesLoaded {
		return record, nil
	}
	return copied(record), nil
}

func (s *brokenStore) Save(ctx context.Context, record mfa.Record) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.key(record.UserID)
	stored, ok := s.records[key]
	if stored.Version != record.Version && !s.comparesNothing && (ok || !s.insertsAnyVersion) {
		if s.hidesConflicts {
			return nil
		}
		return mfa.ErrConflict
	}
	if s.comparesLater {
		s.mu.Unlock() // like a SELECT and an UPDATE without a condition
		for range 100 {
			runtime.Gosched()
		}
		s.mu.Lock()
	}
	if !s.sharesGiven {
		record = copied(record)
	}
	switch {
	case s.skipsVersions:
		record.Version += 2
	case !s.keepsVersion:
		record.Version++
	}
	if s.cutsData {
		record.Data = record.Data[:min(len(record.Data), 1<<14-1)]
	}
	if ok {
		s.reads[key] = stored
	}
	s.records[key] = record
	return nil
}

func (s *brokenStore) Delete(ctx context.Context, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.records[s.key(userID)]
	if !ok && s.failsUnknownDelete {
		return mfa.ErrNoRecord
	}
	if s.deletesNothing {
		return nil
	}
	if s.deletesOthers {
		for id := range s.records {
			if strings.HasPrefix(id, userID) {
				delete(s.records, id)
			}
		}
	}
	delete(s.records, s.key(userID))
	return nil
}

// TestBrokenStoresAreFound tests the suite: each of these stores breaks a rule,
// and the store without a fault breaks none.
func TestBrokenStoresAreFound(t *testing.T) {
	broken := func(s *brokenStore) []string {
		var names []string
		for _, rule := range storeRules {
			fresh := *newBrokenStore()
			fault := s
			fault.records, fault.reads = fresh.records, fresh.reads
			if rule.check(t.Context(), fault) != nil {
				names = append(names, rule.name)
			}
		}
		return names
	}
	if names := broken(newBrokenStore()); len(names) > 0 {
		t.Errorf("the store without a fault breaks %v", names)
	}
	for _, test := range []struct {
		name  string
		fault func(*brokenStore)
		rule  string // one that it breaks
	}{
		{"a Save that compares nothing", func(s *brokenStore) { s.comparesNothing = true }, "Conflict"},
		{"a Save that compares and writes in two steps", func(s *brokenStore) { s.comparesLater = true }, "SaveRace"},
		{"a version that is not incremented", func(s *brokenStore) { s.keepsVersion = true }, "NextSave"},
		{"a version that is incremented by two", func(s *brokenStore) { s.skipsVersions = true }, "FirstSave"},
		{"stale reads", func(s *brokenStore) { s.readsStale = true }, "NextSave"},
		{"slices shared with the caller of Save", func(s *brokenStore) { s.sharesGiven = true }, "Copies"},
		{"slices shared with the caller of Load", func(s *brokenStore) { s.sharesLoaded = true }, "Copies"},
		{"a Delete that removes nothing", func(s *brokenStore) { s.deletesNothing = true }, "Delete"},
		{"a Delete that removes others", func(s *brokenStore) { s.deletesOthers = true }, "UserIDs"},
		{"a conflict reported as success", func(s *brokenStore) { s.hidesConflicts = true }, "Conflict"},
		{"an insert of any version", func(s *brokenStore) { s.insertsAnyVersion = true }, "NoRecordConflict"},
		{"a record for every user", func(s *brokenStore) { s.inventsRecords = true }, "UnknownUser"},
		{"a Delete that fails for unknown users", func(s *brokenStore) { s.failsUnknownDelete = true }, "UnknownUser"},
		{"methods that are lost", func(s *brokenStore) { s.forgetsMethods = true }, "Methods"},
		{"data that is truncated", func(s *brokenStore) { s.cutsData = true }, "Data"},
		{"a cancelled Load that returns ErrNoRecord", func(s *brokenStore) { s.cancelledIsNoRecord = true }, "Context"},
		{"IDs folded to lower case", func(s *brokenStore) { s.key = strings.ToLower }, "UserIDs"},
		{"IDs trimmed", func(s *brokenStore) { s.key = strings.TrimSpace }, "UserIDs"},
		{"IDs cut to 254 bytes", func(s *brokenStore) { s.key = func(id string) string { return id[:min(len(id), 254)] } }, "UserIDs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newBrokenStore()
			test.fault(s)
			if names := broken(s); !slices.Contains(names, test.rule) {
				t.Errorf("breaks %v, want %s among them", names, test.rule)
			}
		})
	}
}

// A recorder records the user IDs that it is called with.
type recorder struct {
	mfa.Store
	mu  sync.Mutex
	ids map[string]bool
}

func (r *recorder) record(userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids[userID] = true
}

func (r *recorder) Load(ctx context.Context, userID string) (mfa.Record, error) {
	r.record(userID)
	return r.Store.Load(ctx, userID)
}

func (r *recorder) Save(ctx context.Context, record mfa.Record) error {
	r.record(record.UserID)
	return r.Store.Save(ctx, record)
}

func (r *recorder) Delete(ctx context.Context, userID string) error {
	r.record(userID)
	return r.Store.Delete(ctx, userID)
}

// TestUserIDsAreThoseOfTestStore: the suite asks for no other user, and for no
// user ID that the engine refuses.
func TestUserIDsAreThoseOfTestStore(t *testing.T) {
	r := &recorder{ids: make(map[string]bool)}
	for _, rule := range storeRules {
		r.Store = mfa.NewMemoryStore()
		if err := rule.check(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range UserIDs() {
		if err := mfa.CheckUserID(id); err != nil || !r.ids[id] {
			t.Errorf("%q: used: %v, %v", id, r.ids[id], err)
		}
		delete(r.ids, id)
	}
	for id := range r.ids {
		t.Errorf("%q is used and not among UserIDs", id)
	}
}
