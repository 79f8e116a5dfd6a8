package mfatest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// A Place is where a store keeps its data, together with what may happen there
// while processes use it.
type Place struct {
	// Create does what an operator does once, before any process starts: it
	// creates the store unless it exists.
	Create func(ctx context.Context) error

	// Open opens the store as a process does that starts. It creates nothing.
	Open func(ctx context.Context) (mfa.Store, error)

	// Wipe loses everything at once, behind the store's back.
	Wipe func(ctx context.Context) error
}

// TestLostStore checks that a store never takes the loss of its data for users
// without MFA: anyone who knows a password would get in, or enroll a factor of
// their own. The place must be empty, with no store created there.
//
//	func TestLostStore(t *testing.T) {
//		mfatest.TestLostStore(t, mfatest.Place{Create: create, Open: open, Wipe: wipe})
//	}
//
// To keep these promises, a store writes a marker with a random identity when
// it is created. Load of a user without a record reads the marker together with
// or after the record, and returns ErrNoRecord only if it is the one that was
// there when the process opened the store. Each promise is a subtest. A store
// whose data ends with the process, such as mfa.MemoryStore, needs no marker.
func TestLostStore(t *testing.T, place Place) {
	for _, rule := range lostRules {
		t.Run(rule.name, func(t *testing.T) {
			if err := rule.check(t.Context(), place); err != nil {
				t.Errorf("%s\n\t%v", rule.text, err)
			}
			if err := place.Wipe(t.Context()); err != nil {
				t.Fatalf("Wipe: %v", err)
			}
		})
	}
}

// A lostRule is one promise of a store whose data may be lost. Each begins where
// nothing is.
type lostRule struct {
	name  string
	text  string
	check func(ctx context.Context, place Place) error
}

var lostRules = []lostRule{
	{"NotCreated", "A process that starts creates nothing: until Create, no user has no record.", checkNotCreated},
	{"Created", "Create makes an empty store, and changes nothing if it is called again.", checkCreated},
	{"Lost", "Once the data is gone, Load of any user returns an error other than ErrNoRecord, and Save stores nothing.", checkLost},
	{"Replaced", "A store that is created anew is refused by processes that opened the one before it.", checkReplaced},
	{"Race", "Calls under way while the data is lost and the store created anew do not take that for ErrNoRecord.", checkLossRace},
}

// known is a user with a record, until it is lost.
const known = "known"

// openKnown creates and opens a store and saves a record for known in it.
func openKnown(ctx context.Context, place Place) (mfa.Store, error) {
	if err := place.Create(ctx); err != nil {
		return nil, fmt.Errorf("Create: %w", err)
	}
	store, err := place.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("Open: %w", err)
	}
	if err := store.Save(ctx, mfa.Record{UserID: known, Data: []byte("kept")}); err != nil {
		return nil, fmt.Errorf("Save: %w", err)
	}
	return store, wantNoRecord(ctx, store, "unknown")
}

func checkNotCreated(ctx context.Context, place Place) error {
	if err := refusedAtOpen(ctx, place); err != nil {
		return err
	}
	return refusedAtOpen(ctx, place)
}

func checkCreated(ctx context.Context, place Place) error {
	running, err := openKnown(ctx, place)
	if err != nil {
		return err
	}
	if err := place.Create(ctx); err != nil {
		return fmt.Errorf("Create where the store exists: %w", err)
	}
	started, err := place.Open(ctx)
	if err != nil {
		return fmt.Errorf("Open after the second Create: %w", err)
	}
	for _, store := range []mfa.Store{running, started} {
		if err := wantRecord(ctx, store, mfa.Record{UserID: known, Data: []byte("kept")}, 1); err != nil {
			return fmt.Errorf("after the second Create: %w", err)
		}
		if err := wantNoRecord(ctx, store, "unknown"); err != nil {
			return fmt.Errorf("after the second Create: %w", err)
		}
	}
	return nil
}

func checkLost(ctx context.Context, place Place) error {
	running, err := openKnown(ctx, place)
	if err != nil {
		return err
	}
	if err := place.Wipe(ctx); err != nil {
		return fmt.Errorf("Wipe: %w", err)
	}
	if err := wantRefused(ctx, running, known, "unknown"); err != nil {
		return err
	}
	return refusedAtOpen(ctx, place)
}

func checkReplaced(ctx context.Context, place Place) error {
	running, err := openKnown(ctx, place)
	if err != nil {
		return err
	}
	if err := place.Wipe(ctx); err != nil {
		return fmt.Errorf("Wipe: %w", err)
	}
	if err := place.Create(ctx); err != nil {
		return fmt.Errorf("Create after Wipe: %w", err)
	}
	if err := wantRefused(ctx, running, known, "unknown"); err != nil {
		return err
	}
	started, err := place.Open(ctx)
	if err != nil {
		return fmt.Errorf("Open of the new store: %w", err)
	}
	for _, id := range []string{known, "unknown"} {
		if err := wantNoRecord(ctx, started, id); err != nil {
			return fmt.Errorf("in the new store: %w", err)
		}
	}
	if err := started.Save(ctx, mfa.Record{UserID: "another", Data: []byte("new")}); err != nil {
		return fmt.Errorf("Save in the new store: %w", err)
	}
	return wantRefused(ctx, running, known, "unknown")
}

func checkLossRace(ctx context.Context, place Place) error {
	for range 3 {
		if err := loseWhileCalled(ctx, place); err != nil {
			return err
		}
		if err := place.Wipe(ctx); err != nil {
			return fmt.Errorf("Wipe: %w", err)
		}
	}
	return nil
}

// loseWhileCalled wipes the store and creates it anew while others call it.
func loseWhileCalled(ctx context.Context, place Place) error {
	running, err := openKnown(ctx, place)
	if err != nil {
		return err
	}
	var calls atomic.Int64
	var lost, over atomic.Bool
	meanwhile := func() {
		const each = 5 // calls of each goroutine
		for from := calls.Load(); calls.Load() < from+each*storeWriters && !over.Load(); {
			time.Sleep(time.Millisecond)
		}
	}
	lose := func() error {
		meanwhile()
		if err := place.Wipe(ctx); err != nil {
			return fmt.Errorf("Wipe: %w", err)
		}
		lost.Store(true)
		meanwhile()
		if err := place.Create(ctx); err != nil {
			return fmt.Errorf("Create after Wipe: %w", err)
		}
		meanwhile()
		return nil
	}
	return errors.Join(together(func(i int) (err error) {
		defer func() {
			if i == 0 || err != nil {
				over.Store(true)
			}
		}()
		if i == 0 {
			return lose()
		}
		for n := 0; err == nil && !over.Load(); n++ {
			err = callLost(ctx, running, lost.Load(), fmt.Sprint("goroutine ", i, " ", n))
			calls.Add(1)
		}
		return err
	})...)
}

// callLost calls a store whose data may be lost meanwhile, or was before. Some
// databases do not answer what they were asked while that happens.
func callLost(ctx context.Context, store mfa.Store, wasLost bool, newcomer string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := store.Load(ctx, known); errors.Is(err, mfa.ErrNoRecord) {
		return errors.New("Load of a user whose record is lost: ErrNoRecord")
	}
	if _, err := store.Load(ctx, "unknown"); wasLost && errors.Is(err, mfa.ErrNoRecord) {
		return errors.New("Load of an unknown user after the loss: ErrNoRecord")
	}
	if err := store.Save(ctx, mfa.Record{UserID: newcomer, Data: []byte("x")}); wasLost && err == nil {
		return errors.New("a first Save after the loss succeeds")
	}
	return nil
}

// refusedAtOpen returns an error if a process that starts takes the place for an
// empty store.
func refusedAtOpen(ctx context.Context, place Place) error {
	store, err := place.Open(ctx)
	if err != nil {
		return nil
	}
	if err := wantRefused(ctx, store, known, "unknown"); err != nil {
		return fmt.Errorf("after Open: %w", err)
	}
	return nil
}

// wantRefused returns an error unless each Load fails with an error other than
// ErrNoRecord, before and after Saves that must store nothing.
func wantRefused(ctx context.Context, store mfa.Store, ids ...string) error {
	for _, id := range ids {
		for _, version := range []int64{0, 1} {
			if err := wantLoadFails(ctx, store, id); err != nil {
				return err
			}
			if err := store.Save(ctx, mfa.Record{UserID: id, Version: version, Data: []byte("x")}); err == nil {
				return fmt.Errorf("Save of Version %d for user %q succeeds", version, id)
			}
			if err := wantLoadFails(ctx, store, id); err != nil {
				return fmt.Errorf("after Save of Version %d: %w", version, err)
			}
		}
	}
	return nil
}

func wantLoadFails(ctx context.Context, store mfa.Store, id string) error {
	if record, err := store.Load(ctx, id); err == nil || errors.Is(err, mfa.ErrNoRecord) {
		return fmt.Errorf("Load of user %q: Version %d, error %v; want an error other than ErrNoRecord", id, record.Version, err)
	}
	return nil
}
