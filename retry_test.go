package mfa_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protekt/mfa"
)

// A contested store returns ErrConflict from its first Saves.
type contested struct {
	mfa.Store
	conflicts int
	conflict  func() // called for each
}

func (s *contested) Save(ctx context.Context, record mfa.Record) error {
	if s.conflicts == 0 {
		return s.Store.Save(ctx, record)
	}
	s.conflicts--
	s.conflict()
	return mfa.ErrConflict
}

// TestConflictsAreRetriedAfterAWhile: the first retry follows at once, the others
// after waits that end with the caller's context.
func TestConflictsAreRetriedAfterAWhile(t *testing.T) {
	for _, test := range []struct {
		name      string
		conflicts int
		cancelAt  int // number of conflicts left when the caller gives up
		want      error
		waits     bool
	}{
		{"no conflict", 0, -1, nil, false},
		{"one", 1, -1, nil, false},
		{"several", 10, -1, nil, true},
		{"too many", 1000, -1, mfa.ErrConflict, true},
		{"a caller who gives up", 10, 8, context.Canceled, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				store := &contested{Store: mfa.NewMemoryStore(), conflicts: test.conflicts}
				store.conflict = func() {
					if store.conflicts == test.cancelAt {
						cancel()
					}
				}
				engine, err := mfa.New(mfa.Config{Issuer: "ACME", Store: store, Keys: [][]byte{newKey()}})
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now() // by the bubble's clock, which only waiting advances
				if err := engine.ImportSMS(ctx, "ada", "+14155552671"); !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
				if waited := time.Since(begun); waited > 0 != test.waits || waited > time.Second {
					t.Errorf("waited for %v", waited)
				}
			})
		})
	}
}
