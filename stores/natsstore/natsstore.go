// Package natsstore keeps MFA state in a key-value bucket of NATS JetStream,
// which its servers replicate. It provides an mfa.Store with one key per user.
//
// An operator creates the bucket once:
//
//	js, err := jetstream.New(connection)
//	...
//	err = natsstore.Create(ctx, js, jetstream.KeyValueConfig{Bucket: "mfa_users", Replicas: 3})
//
// Each process opens it when it starts:
//
//	store, err := natsstore.New(ctx, js, "mfa_users")
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// Load reads from the leader of the bucket's stream, and in a cluster then fences
// what it has read: it writes to a key of its own on the condition that the user's
// key is still what it was. Only a leader that a majority follows can do that.
// Without the fence, a leader that is cut off from the others would accept a spent
// code again, and let in a user who has enrolled meanwhile without asking for one.
//
// A key with a random value marks the store. If it is missing, as in a bucket
// that was purged, Load of an unknown user fails: users whose records are lost
// must not pass for users without MFA. A process also refuses a bucket that was
// created anew since it started.
package natsstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	insecure "math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa"
)

// A Store is an mfa.Store in a bucket. It is safe for concurrent use.
type Store struct {
	bucket   *bucket
	identity string // of the marker that New found
	seen     *memory
}

// New returns the store in a bucket that [Create] has made. It changes nothing.
// It refuses servers that are known to lose what they have acknowledged; a bucket
// that reads from replicas or mirrors; and one that loses keys: because they
// expire, because new ones push them out, because it is kept in memory only, or
// because only one server of a cluster keeps it.
func New(ctx context.Context, js jetstream.JetStream, name string) (*Store, error) {
	if err := checkServer(js.Conn().ConnectedServerVersion()); err != nil {
		return nil, err
	}
	b, err := openBucket(ctx, js, name)
	if err != nil {
		return nil, explain(ctx, "opening", name, err)
	}
	if err := check(b.stream.CachedInfo()); err != nil {
		return nil, err
	}
	marker, err := b.last(ctx, markerKey)
	if err == nil && marker.value == nil {
		err = errLost
	}
	if err != nil {
		return nil, explain(ctx, "opening", name, err)
	}
	return &Store{bucket: b, identity: string(marker.value), seen: newMemory()}, nil
}

// retries is the maximum number of times that a call starts again because others
// use the same key at the same time. A context usually ends earlier.
const retries = 1000

// pause waits for a random while before a retry, or until ctx is done.
func pause(ctx context.Context, retry int) {
	if retry == 0 {
		return
	}
	waiting, cancel := context.WithTimeout(ctx, insecure.N(time.Duration(min(retry, 10))*time.Millisecond))
	defer cancel()
	<-waiting.Done()
}

var (
	// errLost never counts as "no MFA".
	errLost = errors.New("this store is empty or was lost")

	errReplaced = errors.New("this store is empty or was lost: it is not the one that this process opened")
	errBusy     = errors.New("too many others use the record")
)

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	key, err := userKey(userID)
	if err != nil {
		return mfa.Record{}, err
	}
	for retry := range retries {
		pause(ctx, retry)
		record, message, err := s.read(ctx, userID, key)
		if err != nil && !errors.Is(err, mfa.ErrNoRecord) {
			return mfa.Record{}, explain(ctx, "loading from", s.bucket.name, err)
		}
		fenced := s.bucket.fence(ctx, key, message.revision)
		if errors.Is(fenced, errStale) {
			continue // somebody saves or loads the same user
		}
		if fenced != nil {
			return mfa.Record{}, explain(ctx, "loading from", s.bucket.name, fenced)
		}
		s.seen.add(key, record.Version, message.revision)
		return record, err
	}
	return mfa.Record{}, explain(ctx, "loading from", s.bucket.name, errBusy)
}

// read returns a user's record and the message that it is in, without a fence. If
// the marker is there and no record, it returns mfa.ErrNoRecord and the message.
func (s *Store) read(ctx context.Context, userID, key string) (mfa.Record, message, error) {
	m, err := s.bucket.last(ctx, key)
	if err != nil {
		return mfa.Record{}, message{}, err
	}
	if m.value != nil {
		record, err := decode(userID, m.value)
		return record, m, err
	}
	// The marker is read after the record, or both could be lost in between.
	marker, err := s.bucket.last(ctx, markerKey)
	switch {
	case err != nil:
		return mfa.Record{}, message{}, err
	case marker.value == nil:
		return mfa.Record{}, message{}, errLost
	case string(marker.value) != s.identity:
		return mfa.Record{}, message{}, errReplaced
	}
	return mfa.Record{}, m, mfa.ErrNoRecord
}

// Save implements [mfa.Store]. A bucket counts revisions over all of its keys,
// so the version is stored in the value: Save replaces only the revision that
// holds it, which it has seen or looks for.
//
// That another revision is stored may be the answer of an old leader while the new
// one carries out the Save. Only what is stored then shows whether it did.
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	key, err := userKey(record.UserID)
	if err != nil {
		return err
	}
	value, err := encode(record)
	if err != nil {
		return err
	}
	save := rand.Text()
	for retry := range retries {
		pause(ctx, retry)
		revision, known := s.seen.take(key, record.Version)
		if !known {
			stored, message, err := s.read(ctx, record.UserID, key)
			switch {
			case err != nil && !errors.Is(err, mfa.ErrNoRecord):
				return explain(ctx, "saving to", s.bucket.name, err)
			case message.save == save:
				s.seen.add(key, stored.Version, message.revision)
				return nil
			case stored.Version > record.Version:
				return mfa.ErrConflict
			case stored.Version < record.Version: // or an old leader has answered
				err := s.bucket.fence(ctx, key, message.revision)
				if errors.Is(err, errStale) {
					continue
				}
				if err == nil {
					return mfa.ErrConflict
				}
				return explain(ctx, "saving to", s.bucket.name, err)
			}
			revision = message.revision
		}
		revision, err = s.bucket.put(ctx, key, value, save, revision)
		if errors.Is(err, errStale) {
			continue // another version is stored, a Load fences this one, or an old leader has answered
		}
		if err == nil {
			s.seen.add(key, record.Version+1, revision)
		}
		return explain(ctx, "saving to", s.bucket.name, err)
	}
	return explain(ctx, "saving to", s.bucket.name, errBusy)
}

// Delete implements [mfa.Store]. It leaves no trace of the key behind.
func (s *Store) Delete(ctx context.Context, userID string) error {
	key, err := userKey(userID)
	if err != nil {
		return err
	}
	return explain(ctx, "deleting from", s.bucket.name, s.bucket.purge(ctx, key))
}

// explain returns err with what was being done and, for known faults, the cure.
// It adds the error of a context that has ended, which the client may leave out.
// It returns nil for nil.
func explain(ctx context.Context, doing, bucket string, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	cure := ""
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		cure = ", which is missing: this store is empty or was lost (restore it from a backup or, if there has never been one, call natsstore.Create once)"
	case errors.Is(err, errLost):
		cure = " (restore it from a backup or, if there has never been a record in it, delete the bucket and call natsstore.Create once)"
	case errors.Is(err, errReplaced):
		cure = " (start the process again if it was replaced on purpose)"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		cure = " (JetStream is not enabled for the server or the account: enable it)"
	}
	return fmt.Errorf("natsstore: %s bucket %s%s: %w", doing, bucket, cure, err)
}
