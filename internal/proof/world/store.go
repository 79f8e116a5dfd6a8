package world

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/protekt/mfa"
)

// A BarrierStore makes a race certain: its first n Loads return together, so
// that all of them have read the same version.
type BarrierStore struct {
	mfa.Store
	all sync.WaitGroup

	mu   sync.Mutex
	left int
}

// NewBarrier returns a store whose first n Loads wait for each other.
func NewBarrier(store mfa.Store, n int) *BarrierStore {
	s := &BarrierStore{Store: store, left: n}
	s.all.Add(n)
	return s
}

func (s *BarrierStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	record, err := s.Store.Load(ctx, userID)
	s.mu.Lock()
	waits := s.left > 0
	if waits {
		s.left--
	}
	s.mu.Unlock()
	if waits {
		s.all.Done()
		s.all.Wait()
	}
	return record, err
}

// Race runs attempt n times at once, over three engines on one store whose
// first Loads all return the same version, and returns the errors.
func (w *World) Race(n int, attempt func(engine *mfa.Engine, i int) error) []error {
	w.T.Helper()
	barrier := NewBarrier(w.Store, n)
	var engines []*mfa.Engine
	for range 3 {
		engines = append(engines, w.Another(func(c *mfa.Config) { c.Store = barrier }))
	}
	errs := make([]error, n)
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() { errs[i] = attempt(engines[i%3], i) })
	}
	done.Wait()
	return errs
}

// A Fault is a fault in one call of a store.
type Fault string

const (
	Fails       Fault = "fails"                  // before anything is done
	FailsLate   Fault = "fails after it is done" // the answer is lost
	Conflicts   Fault = "conflicts once"
	EverTooLate Fault = "conflicts for ever"
	Cancelled   Fault = "is cancelled"
)

// ErrStore is returned by a FaultStore whose call fails.
var ErrStore = errors.New("store is down")

// A FaultStore is a correct store except for a fault in its n-th call.
type FaultStore struct {
	mu      sync.Mutex
	Records map[string]mfa.Record
	Calls   int // since Arm
	At      int // the call with the fault; 0 for none
	Fault   Fault
	Met     bool
	Blind   bool   // Save compares no versions: the last writer wins
	Saved   func() // after each Save
}

// NewFaultStore returns an empty store without a fault.
func NewFaultStore() *FaultStore { return &FaultStore{Records: make(map[string]mfa.Record)} }

// Snapshot returns a copy of the records, for Arm.
func (s *FaultStore) Snapshot() map[string]mfa.Record { return maps.Clone(s.Records) }

// Arm sets the store's records, and the call with the fault f.
func (s *FaultStore) Arm(records map[string]mfa.Record, at int, f Fault) {
	s.Records, s.Calls, s.At, s.Fault, s.Met = maps.Clone(records), 0, at, f, false
}

// meet counts a call and returns its fault, or "".
func (s *FaultStore) meet(isSave bool) (f Fault) {
	s.Calls++
	if s.At == 0 || s.Calls != s.At && !(s.Fault == EverTooLate && s.Calls > s.At && isSave) {
		return ""
	}
	if !isSave && (s.Fault == Conflicts || s.Fault == EverTooLate) {
		s.At++ // a Load has no conflicts
		return ""
	}
	s.Met = true
	return s.Fault
}

func (s *FaultStore) Load(_ context.Context, userID string) (mfa.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.meet(false) {
	case Fails, FailsLate:
		return mfa.Record{}, ErrStore
	case Cancelled:
		return mfa.Record{}, context.Canceled
	}
	record, ok := s.Records[userID]
	if !ok {
		return mfa.Record{}, mfa.ErrNoRecord
	}
	record.Data = slices.Clone(record.Data)
	return record, nil
}

func (s *FaultStore) Save(_ context.Context, record mfa.Record) error {
	s.mu.Lock()
	f := s.meet(true)
	switch f {
	case Fails:
		s.mu.Unlock()
		return ErrStore
	case Cancelled:
		s.mu.Unlock()
		return context.Canceled
	case Conflicts, EverTooLate:
		s.mu.Unlock()
		return mfa.ErrConflict
	}
	if !s.Blind && s.Records[record.UserID].Version != record.Version {
		s.mu.Unlock()
		return mfa.ErrConflict
	}
	record.Data = slices.Clone(record.Data)
	record.Version++
	s.Records[record.UserID] = record
	s.mu.Unlock()
	if f == FailsLate {
		return ErrStore
	}
	if s.Saved != nil {
		s.Saved()
	}
	return nil
}

func (s *FaultStore) Delete(_ context.Context, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.meet(false) {
	case Fails:
		return ErrStore
	case Cancelled:
		return context.Canceled
	case FailsLate:
		delete(s.Records, userID)
		return ErrStore
	}
	delete(s.Records, userID)
	return nil
}

// A StaleStore returns an old record from every Load.
type StaleStore struct {
	mfa.Store
	Old mfa.Record
}

func (s StaleStore) Load(context.Context, string) (mfa.Record, error) { return s.Old, nil }

// A CountingStore counts the calls to each method.
type CountingStore struct {
	mfa.Store
	Loads, Saves int
}

func (s *CountingStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	s.Loads++
	return s.Store.Load(ctx, userID)
}

func (s *CountingStore) Save(ctx context.Context, record mfa.Record) error {
	s.Saves++
	return s.Store.Save(ctx, record)
}

// A SpyStore keeps a copy of everything that is written.
type SpyStore struct {
	mfa.Store
	Written bytes.Buffer
	IDs     []string
}

func (s *SpyStore) Save(ctx context.Context, record mfa.Record) error {
	s.IDs = append(s.IDs, record.UserID)
	s.Written.WriteString(record.UserID + " ")
	s.Written.Write(record.Data)
	return s.Store.Save(ctx, record)
}

// A HookStore calls a function after each Load and after each successful Save: what
// the function does happens between two steps of an operation.
type HookStore struct {
	mfa.Store
	Loaded, Saved func() // nil for none
}

func (s *HookStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	record, err := s.Store.Load(ctx, userID)
	if s.Loaded != nil {
		s.Loaded()
	}
	return record, err
}

func (s *HookStore) Save(ctx context.Context, record mfa.Record) error {
	err := s.Store.Save(ctx, record)
	if err == nil && s.Saved != nil {
		s.Saved()
	}
	return err
}

// A FrozenStore accepts every Save without storing it, so that each call begins
// with the same record.
type FrozenStore struct{ mfa.Store }

func (FrozenStore) Save(context.Context, mfa.Record) error { return nil }

// A FailingStore fails every call with Err.
type FailingStore struct{ Err error }

func (s FailingStore) Load(context.Context, string) (mfa.Record, error) { return mfa.Record{}, s.Err }
func (s FailingStore) Save(context.Context, mfa.Record) error           { return s.Err }
func (s FailingStore) Delete(context.Context, string) error             { return s.Err }
