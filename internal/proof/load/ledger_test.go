package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// A ledger is a store that counts what the store behind it has acknowledged, and
// checks that store against it.
type ledger struct {
	mfa.Store
	findings *findings
	saves    map[string]*saves // of every user there is, so that no lock is needed
}

type saves struct {
	acknowledged atomic.Int64
	unsure       atomic.Int64 // failed, but may have been carried out
}

func newLedger(store mfa.Store, findings *findings, users []string) *ledger {
	l := &ledger{Store: store, findings: findings, saves: make(map[string]*saves)}
	for _, id := range users {
		l.saves[id] = new(saves)
	}
	return l
}

// Load checks that it sees every Save that returned before it began.
func (l *ledger) Load(ctx context.Context, userID string) (mfa.Record, error) {
	before := l.saves[userID].acknowledged.Load()
	record, err := l.Store.Load(ctx, userID)
	if (err == nil || errors.Is(err, mfa.ErrNoRecord)) && record.Version < before {
		l.findings.add(ofStore, "%s loads as version %d after %d acknowledged saves", userID, record.Version, before)
	}
	return record, err
}

func (l *ledger) Save(ctx context.Context, record mfa.Record) error {
	err := l.Store.Save(ctx, record)
	switch {
	case err == nil:
		l.saves[record.UserID].acknowledged.Add(1)
	case !errors.Is(err, mfa.ErrConflict):
		l.saves[record.UserID].unsure.Add(1)
	}
	return err
}

// Delete restarts a user's count. If it fails, the record may still be there.
// Nobody else acts for the user meanwhile.
func (l *ledger) Delete(ctx context.Context, userID string) error {
	err := l.Store.Delete(ctx, userID)
	s := l.saves[userID]
	before := s.acknowledged.Swap(0)
	if err != nil {
		s.unsure.Add(before)
	} else {
		s.unsure.Store(0)
	}
	return err
}

// audit checks a user's record against what was acknowledged, while nobody changes
// it.
func (l *ledger) audit(ctx context.Context, userID string) error {
	record, err := l.Store.Load(ctx, userID)
	if err != nil && !errors.Is(err, mfa.ErrNoRecord) {
		return err
	}
	least := l.saves[userID].acknowledged.Load()
	most := least + l.saves[userID].unsure.Load()
	if record.Version < least || record.Version > most {
		return fmt.Errorf("%s has version %d, want %d to %d", userID, record.Version, least, most)
	}
	return nil
}

// A faultyStore injects faults into a random part of its calls, given in
// thousandths.
type faultyStore struct {
	mfa.Store
	faults int
	met    *atomic.Int64
}

func (s faultyStore) meet(possible ...world.Fault) world.Fault {
	if rand.IntN(1000) >= s.faults {
		return ""
	}
	s.met.Add(1)
	return possible[rand.IntN(len(possible))]
}

func (s faultyStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	if s.meet(world.Fails) != "" {
		return mfa.Record{}, world.ErrStore
	}
	return s.Store.Load(ctx, userID)
}

func (s faultyStore) Save(ctx context.Context, record mfa.Record) error {
	switch s.meet(world.Fails, world.FailsLate, world.Conflicts) {
	case world.Fails:
		return world.ErrStore
	case world.Conflicts:
		return mfa.ErrConflict
	case world.FailsLate:
		if err := s.Store.Save(ctx, record); err != nil {
			return err
		}
		return world.ErrStore
	}
	return s.Store.Save(ctx, record)
}

func (s faultyStore) Delete(ctx context.Context, userID string) error {
	switch s.meet(world.Fails, world.FailsLate) {
	case world.Fails:
		return world.ErrStore
	case world.FailsLate:
		if err := s.Store.Delete(ctx, userID); err != nil {
			return err
		}
		return world.ErrStore
	}
	return s.Store.Delete(ctx, userID)
}
