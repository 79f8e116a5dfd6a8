package mfa

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A Store keeps one record per user and needs nothing but compare and swap on
// one key: two columns of a table, a Redis hash, a DynamoDB item or an etcd key.
// To check an implementation, run mfatest.TestStore and mfatest.TestLostStore on
// it.
//
// User IDs are compared byte by byte: case and trailing spaces count. The engine
// passes only user IDs that [CheckUserID] accepts. Any error other than
// ErrNoRecord and ErrConflict is a fault of the store, and the engine then
// refuses the operation. Methods must be safe for concurrent use.
type Store interface {
	// Load returns the user's record, or ErrNoRecord if there is none. It sees
	// every Save that has returned: never read from a replica that may lag
	// behind.
	//
	// ErrNoRecord may mean that the user has no MFA, so a Store returns it only
	// when it knows that its data was not lost: a marker that was written when
	// the store was created is still there, and is the one that this process
	// found when it started. Otherwise Load returns another error. So a Store is
	// created explicitly, by an operator, and never by a process that starts.
	Load(ctx context.Context, userID string) (Record, error)

	// Save writes record if the stored version is still record.Version, and
	// stores it as Version+1. Version 0 means that there must be no record yet.
	// Otherwise Save changes nothing and returns ErrConflict.
	//
	// The stored version must be exactly Version+1: the seal depends on it. No
	// Save is sent to the database twice, even if its answer is lost: the second
	// would return ErrConflict for what the first has done.
	Save(ctx context.Context, record Record) error

	// Delete removes the user's record. For an unknown user it returns nil.
	Delete(ctx context.Context, userID string) error
}

// A Record is one user's state as a Store keeps it. A Store and its caller
// share no memory: each may change the slices that it gets from the other.
type Record struct {
	UserID string

	// Version is 1 after the first Save and goes up by one with each Save.
	Version int64

	// Methods lists the methods of the confirmed factors, for the host's own
	// queries. The engine does not read it.
	Methods []Method

	// Data is sealed and opaque, and at most 16 KiB long.
	Data []byte
}

// maxUserID is the greatest length of a user ID, in bytes.
const maxUserID = 255

// CheckUserID returns ErrInvalidUser unless userID is 1 to 255 bytes of valid
// UTF-8 without control characters. The engine checks every user ID with it
// before it calls a Store. A Store that is also called without the engine, and
// whose database cannot keep every string, can do the same.
func CheckUserID(userID string) error {
	if len(userID) < 1 || len(userID) > maxUserID || !utf8.ValidString(userID) || strings.ContainsFunc(userID, unicode.IsControl) {
		return ErrInvalidUser
	}
	return nil
}

// shards is the number of locks that users are spread over, so that processors
// rarely wait for each other.
const shards = 64

// A MemoryStore is a [Store] in memory, for tests, demonstrations and single
// processes that may lose their records when they end. It starts no goroutine.
// Use [NewMemoryStore] to make one.
type MemoryStore struct {
	seed   maphash.Seed
	shards [shards]memoryShard
}

type memoryShard struct {
	mu      sync.Mutex
	records map[string]Record
	_       [48]byte // pads the shard to a cache line of its own
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
