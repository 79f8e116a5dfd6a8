// Package natsstore keeps MFA state in a key-value bucket of NATS JetStream,
// whose servers replicate it. It is a mfa.Store: one key per user.
//
//	js, err := jetstream.New(connection)
//	...
//	err = natsstore.Create(ctx, js, jetstream.KeyValueConfig{Bucket: "mfa_users", Replicas: 3})
//	...
//	store, err := natsstore.New(ctx, js, "mfa_users")
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// Reads go to the leader of the bucket's stream. A bucket as jetstream makes it
// answers from any replica, which may lag behind: a spent code would live
// again, and a user who has just enrolled would be let in without one. Create
// turns that off, and New refuses a bucket where it is on.
package natsstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/userid"
)

// A Store is a mfa.Store in a bucket. It is safe for concurrent use.
type Store struct {
	bucket string
	kv     jetstream.KeyValue
	stream jetstream.Stream
}

// Create makes a bucket for New, or makes one that is there fit for it: with
// config's Replicas and MaxBytes, and answers of the leader alone.
func Create(ctx context.Context, js jetstream.JetStream, config jetstream.KeyValueConfig) error {
	stream, err := js.Stream(ctx, streamOf(config.Bucket))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if _, err = js.CreateKeyValue(ctx, config); err == nil || errors.Is(err, jetstream.ErrBucketExists) {
			stream, err = js.Stream(ctx, streamOf(config.Bucket))
		}
	}
	if err != nil {
		return explain(ctx, "creating", config.Bucket, err)
	}
	settings := stream.CachedInfo().Config
	settings.AllowDirect = false
	if config.Replicas != 0 {
		settings.Replicas = config.Replicas
	}
	if config.MaxBytes != 0 {
		settings.MaxBytes = config.MaxBytes
	}
	if _, err := js.UpdateStream(ctx, settings); err != nil {
		return explain(ctx, "creating", config.Bucket, err)
	}
	return check(settings)
}

// New returns a store in a bucket that is there. It refuses one that answers
// from replicas or mirrors, or that forgets: keys that expire, old ones that make
// room for new ones, and all of them where they are in memory alone.
func New(ctx context.Context, js jetstream.JetStream, bucket string) (*Store, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, explain(ctx, "opening", bucket, err)
	}
	stream, err := js.Stream(ctx, streamOf(bucket))
	if err != nil {
		return nil, explain(ctx, "opening", bucket, err)
	}
	if err := check(stream.CachedInfo().Config); err != nil {
		return nil, err
	}
	return &Store{bucket, kv, stream}, nil
}

// streamOf names the stream behind a bucket.
func streamOf(bucket string) string { return "KV_" + bucket }

// check sees whether a stream is fit to keep users.
func check(settings jetstream.StreamConfig) error {
	fault := ""
	switch {
	case settings.AllowDirect:
		fault = "answers from replicas, which lag behind: call natsstore.Create on it"
	case settings.Mirror != nil:
		fault = "is a mirror, which lags behind: use the bucket that it mirrors"
	case settings.Storage != jetstream.FileStorage:
		fault = "is in memory alone, and forgets all when its servers end: use jetstream.FileStorage"
	case settings.MaxAge != 0:
		fault = "lets keys expire: set no TTL"
	case settings.Discard != jetstream.DiscardNew:
		fault = "drops old keys when it is full: it must refuse new ones (DiscardNew)"
	}
	if fault != "" {
		return fmt.Errorf("natsstore: stream %s %s", settings.Name, fault)
	}
	return nil
}

// key spells a user ID in the letters that keys may have.
func key(userID string) string { return base64.RawURLEncoding.EncodeToString([]byte(userID)) }

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	record, _, err := s.load(ctx, userID)
	return record, err
}

// load gives the revision too.
func (s *Store) load(ctx context.Context, userID string) (record mfa.Record, revision uint64, err error) {
	if err := userid.Check(userID); err != nil {
		return record, 0, fmt.Errorf("natsstore: %w", err)
	}
	entry, err := s.kv.Get(ctx, key(userID))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return record, 0, mfa.ErrNoRecord
	}
	if err != nil {
		return record, 0, explain(ctx, "loading from", s.bucket, err)
	}
	if record, err = decode(userID, entry.Value()); err != nil {
		return record, 0, fmt.Errorf("natsstore: loading from bucket %s: %w", s.bucket, err)
	}
	return record, entry.Revision(), nil
}

// Save implements [mfa.Store]. The bucket's revisions are counted over all
// keys, so the version is in the value: Save looks for the revision that has
// it, and replaces that one and no other.
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	if err := userid.Check(record.UserID); err != nil {
		return fmt.Errorf("natsstore: %w", err)
	}
	if record.Version < 0 || record.Version == math.MaxInt64 {
		return fmt.Errorf("natsstore: there is no version after %d", record.Version)
	}
	value, err := encode(record)
	if err != nil {
		return err
	}
	if record.Version == 0 {
		if _, err = s.kv.Create(ctx, key(record.UserID), value); errors.Is(err, jetstream.ErrKeyExists) {
			return mfa.ErrConflict
		}
		return explain(ctx, "saving to", s.bucket, err)
	}
	stored, revision, err := s.load(ctx, record.UserID)
	if errors.Is(err, mfa.ErrNoRecord) || err == nil && stored.Version != record.Version {
		return mfa.ErrConflict
	}
	if err != nil {
		return err
	}
	if _, err = s.kv.Update(ctx, key(record.UserID), value, revision); errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return mfa.ErrConflict
	}
	return explain(ctx, "saving to", s.bucket, err)
}

// Delete implements [mfa.Store]. It leaves no marker behind.
func (s *Store) Delete(ctx context.Context, userID string) error {
	if err := userid.Check(userID); err != nil {
		return fmt.Errorf("natsstore: %w", err)
	}
	subject := "$KV." + s.bucket + "." + key(userID)
	return explain(ctx, "deleting from", s.bucket, s.stream.Purge(ctx, jetstream.WithPurgeSubject(subject)))
}

// explain says what to do about an error, as far as that can be told; nil stays
// nil.
func explain(ctx context.Context, doing, bucket string, err error) error {
	if err == nil {
		return nil
	}
	cure := ""
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		cure = ", which is missing (call natsstore.Create)"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		cure = " (the server, or the account, has no JetStream: enable it)"
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return fmt.Errorf("natsstore: %s bucket %s%s: %w", doing, bucket, cure, err)
}
