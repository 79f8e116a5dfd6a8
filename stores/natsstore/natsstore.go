// Package natsstore keeps MFA state in a key-value bucket of NATS JetStream,
// which its servers replicate. It provides an mfa.Store with one key per user.
//
//	js, err := jetstream.New(connection)
//	...
//	err = natsstore.Create(ctx, js, jetstream.KeyValueConfig{Bucket: "mfa_users", Replicas: 3})
//	...
//	store, err := natsstore.New(ctx, js, "mfa_users")
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// Reads go to the leader of the bucket's stream. By default, a bucket lets any
// replica answer, and a replica may lag behind: it would accept a spent code
// again, and let in a user who has just enrolled without asking for a code.
// [Create] turns that off, and [New] refuses a bucket where it is on.
package natsstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa"
)

// A Store is an mfa.Store in a bucket. It is safe for concurrent use.
type Store struct {
	bucket string
	kv     jetstream.KeyValue
	stream jetstream.Stream
}

// Create creates a bucket for [New]. If the bucket exists, Create makes it
// usable: it applies config's Replicas and MaxBytes and has only the leader
// answer reads.
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

// New returns a store in an existing bucket. It refuses a bucket that reads
// from replicas or mirrors, and one that loses keys: because they expire, because
// new ones push them out, or because it is kept in memory only.
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

// streamOf returns the name of the stream behind a bucket.
func streamOf(bucket string) string { return "KV_" + bucket }

// check returns an error if a stream with these settings may lose records or
// return old ones.
func check(settings jetstream.StreamConfig) error {
	fault := ""
	switch {
	case settings.AllowDirect:
		fault = "lets replicas answer, which lag behind: call natsstore.Create on it"
	case settings.Mirror != nil:
		fault = "is a mirror, which lags behind: use the bucket that it mirrors"
	case settings.Storage != jetstream.FileStorage:
		fault = "is kept in memory only and lost when its servers stop: use jetstream.FileStorage"
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

// key returns the key of a user, in the characters that keys may have.
func key(userID string) (string, error) {
	if err := mfa.CheckUserID(userID); err != nil {
		return "", fmt.Errorf("natsstore: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(userID)), nil
}

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	key, err := key(userID)
	if err != nil {
		return mfa.Record{}, err
	}
	record, _, err := s.load(ctx, userID, key)
	return record, err
}

// load returns a user's record and the revision of the key.
func (s *Store) load(ctx context.Context, userID, key string) (record mfa.Record, revision uint64, err error) {
	entry, err := s.kv.Get(ctx, key)
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

// Save implements [mfa.Store]. A bucket counts revisions over all of its keys,
// so the version is stored in the value: Save finds the revision that holds it
// and replaces only that one.
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	key, err := key(record.UserID)
	if err != nil {
		return err
	}
	value, err := encode(record)
	if err != nil {
		return err
	}
	if record.Version == 0 {
		if _, err = s.kv.Create(ctx, key, value); errors.Is(err, jetstream.ErrKeyExists) {
			return mfa.ErrConflict
		}
		return explain(ctx, "saving to", s.bucket, err)
	}
	stored, revision, err := s.load(ctx, record.UserID, key)
	if errors.Is(err, mfa.ErrNoRecord) || err == nil && stored.Version != record.Version {
		return mfa.ErrConflict
	}
	if err != nil {
		return err
	}
	if _, err = s.kv.Update(ctx, key, value, revision); errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return mfa.ErrConflict
	}
	return explain(ctx, "saving to", s.bucket, err)
}

// Delete implements [mfa.Store]. It leaves no marker behind.
func (s *Store) Delete(ctx context.Context, userID string) error {
	key, err := key(userID)
	if err != nil {
		return err
	}
	subject := "$KV." + s.bucket + "." + key
	return explain(ctx, "deleting from", s.bucket, s.stream.Purge(ctx, jetstream.WithPurgeSubject(subject)))
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
	case errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		cure = ", which is missing (call natsstore.Create)"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		cure = " (JetStream is not enabled for the server or the account: enable it)"
	}
	return fmt.Errorf("natsstore: %s bucket %s%s: %w", doing, bucket, cure, err)
}
