package mfa

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
)

// A Store keeps one record per user: one key, compare and swap, nothing else.
// Two columns on a table of users will do, a Redis hash, a DynamoDB item or an
// etcd key; mfatest.TestStore tells whether an implementation is right.
//
// User IDs are compared byte by byte: case and trailing spaces count. An error
// that is neither ErrNoRecord nor ErrConflict is a fault, and refuses whatever
// was asked of the engine. Methods may be called at the same time.
type Store interface {
	// Load returns the user's record, or ErrNoRecord. It sees every Save that
	// has returned: never read from a replica that may lag behind.
	Load(ctx context.Context, userID string) (Record, error)

	// Save writes record if the stored version still is record.Version, and
	// stores it as Version+1. Version 0 means that there must be no record
	// yet. Otherwise Save changes nothing and returns ErrConflict.
	//
	// Exactly Version+1: the seal depends on it.
	Save(ctx context.Context, record Record) error

	// Delete removes the user's record. It is nil for an unknown user.
	Delete(ctx context.Context, userID string) error
}

// A Record is one user's state as a Store keeps it. Whoever is given one may
// change its slices: neither side may keep a reference to the other's.
type Record struct {
	UserID  string
	Version int64    // 1 for the first, up by one with each Save
	Methods []Method // the confirmed factors, for the host's own queries; the engine does not read it
	Data    []byte   // sealed; opaque; under 2 KiB
}

// shards spread the users over as many locks, so that processors do not wait
// for each other.
const shards = 64

// A MemoryStore keeps records in memory, for tests, demonstrations and single
// processes that may forget. It starts no goroutine.
type MemoryStore struct {
	seed   maphash.Seed
	shards [shards]memoryShard
}

type memoryShard struct {
	mu      sync.Mutex
	records map[string]Record
	_       [48]byte // to a cache line of its own
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	s := &MemoryStore{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].records = make(map[string]Record)
	}
	return s
}

// Load implements [Store].
func (s *MemoryStore) Load(ctx context.Context, userID string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	shard := s.lock(userID)
	defer shard.mu.Unlock()
	record, ok := shard.records[userID]
	if !ok {
		return Record{}, ErrNoRecord
	}
	return copyRecord(record), nil
}

// Save implements [Store].
func (s *MemoryStore) Save(ctx context.Context, record Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	record = copyRecord(record)
	shard := s.lock(record.UserID)
	defer shard.mu.Unlock()
	if shard.records[record.UserID].Version != record.Version {
		return ErrConflict
	}
	record.Version++
	shard.records[record.UserID] = record
	return nil
}

// Delete implements [Store].
func (s *MemoryStore) Delete(ctx context.Context, userID string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	shard := s.lock(userID)
	defer shard.mu.Unlock()
	delete(shard.records, userID)
	return nil
}

func (s *MemoryStore) lock(userID string) *memoryShard {
	shard := &s.shards[maphash.String(s.seed, userID)%shards]
	shard.mu.Lock()
	return shard
}

func copyRecord(record Record) Record {
	record.Methods = slices.Clone(record.Methods)
	record.Data = slices.Clone(record.Data)
	return record
}
