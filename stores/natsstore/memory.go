package natsstore

import (
	"hash/maphash"
	"sync"
)

// remembered is the number of keys that a memory holds at most.
const remembered = 4096

// A memory holds the revisions that were seen last of some keys, so that a Save
// that follows a Load need not look for its revision again. Whether a revision is
// still stored is for the server to decide.
type memory struct {
	seed  maphash.Seed
	mu    sync.Mutex
	slots [remembered]seen
}

// seen is a version of a record that was seen at a revision of its key.
type seen struct {
	key      string
	version  int64
	revision uint64
}

func newMemory() *memory { return &memory{seed: maphash.MakeSeed()} }

// add adds a version of a record, which must exist, in the place of another.
func (m *memory) add(key string, version int64, revision uint64) {
	if version == 0 {
		return // to save a first record, its key and the marker must be read anew
	}
	slot := maphash.String(m.seed, key) % remembered
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slots[slot] = seen{key, version, revision}
}

// take removes a version of a record and returns its revision.
func (m *memory) take(key string, version int64) (revision uint64, ok bool) {
	slot := maphash.String(m.seed, key) % remembered
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slots[slot]
	if s.key != key || s.version != version {
		return 0, false
	}
	m.slots[slot] = seen{}
	return s.revision, true
}
