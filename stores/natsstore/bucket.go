package natsstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa"
)

// Keys that belong to no user: their dot is in no user's key.
const (
	markerKey = "store.marker"
	fenceKey  = "store.fence"
)

// userKey returns the key of a user, in the characters that keys may have.
func userKey(userID string) (string, error) {
	if err := mfa.CheckUserID(userID); err != nil {
		return "", fmt.Errorf("natsstore: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(userID)), nil
}

// A bucket is a key-value bucket as its stream. The client's own bucket does not
// tell the revision of a key that another tool has deleted, nor fence.
type bucket struct {
	name   string
	js     jetstream.JetStream
	stream jetstream.Stream
	prefix string // of subjects that are published to, in another domain
	alone  bool   // one server keeps it
}

func openBucket(ctx context.Context, js jetstream.JetStream, name string) (*bucket, error) {
	stream, err := js.Stream(ctx, streamOf(name))
	if err != nil {
		return nil, err
	}
	prefix := js.Options().APIPrefix
	if domain := js.Options().Domain; domain != "" {
		prefix = "$JS." + domain + ".API"
	}
	if prefix != "" {
		prefix = strings.TrimSuffix(prefix, ".") + "."
	}
	info := stream.CachedInfo()
	return &bucket{name: name, js: js, stream: stream, prefix: prefix, alone: info.Config.Replicas == 1 && clusterOf(info) == ""}, nil
}

// clusterOf returns the name of the cluster that keeps a stream, or "". A client may
// be connected to another one, or to a leaf node.
func clusterOf(info *jetstream.StreamInfo) string {
	if info.Cluster == nil {
		return ""
	}
	return info.Cluster.Name
}

// streamOf returns the name of the stream behind a bucket.
func streamOf(name string) string { return "KV_" + name }

func (b *bucket) subject(key string) string { return "$KV." + b.name + "." + key }

// A message is the last one of a key. It has no value if there is none or if it
// says that the key was deleted.
type message struct {
	revision uint64
	value    []byte
	save     string // the Save that has stored it
}

const (
	// operationHeader is set in messages that do not carry a value.
	operationHeader = "KV-Operation"

	// saveHeader is a random identity of the Save that a message belongs to.
	saveHeader = "Mfa-Save"
)

// last returns the last message of a key, by the word of a server that takes
// itself for the leader.
func (b *bucket) last(ctx context.Context, key string) (message, error) {
	raw, err := b.stream.GetLastMsgForSubject(ctx, b.subject(key))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return message{}, nil
	}
	if err != nil {
		return message{}, err
	}
	m := message{raw.Sequence, raw.Data, raw.Header.Get(saveHeader)}
	if raw.Header.Get(operationHeader) != "" {
		m.value = nil
	} else if m.value == nil {
		m.value = []byte{}
	}
	return m, nil
}

// errStale is returned by fence and put if the key's last message is not the
// expected one, or if another condition on it is being carried out.
var errStale = errors.New("another revision is stored")

// fence returns nil if the last message of the key has that revision, according
// to a leader that a majority follows. A server outside of a cluster is its own
// majority, until it has joined one.
func (b *bucket) fence(ctx context.Context, key string, revision uint64) error {
	if b.alone && b.js.Conn().ConnectedClusterName() == "" {
		return nil
	}
	_, err := b.publish(ctx, fenceKey, nil, "", jetstream.WithExpectLastSequenceForSubject(revision, b.subject(key)))
	return err
}

// put replaces the message of the key with that revision.
func (b *bucket) put(ctx context.Context, key string, value []byte, save string, revision uint64) (uint64, error) {
	return b.publish(ctx, key, value, save, jetstream.WithExpectLastSequencePerSubject(revision))
}

func (b *bucket) publish(ctx context.Context, key string, value []byte, save string, condition jetstream.PublishOpt) (revision uint64, err error) {
	message := nats.NewMsg(b.prefix + b.subject(key))
	message.Data = value
	if save != "" {
		message.Header.Set(saveHeader, save)
	}
	ack, err := b.js.PublishMsg(ctx, message, condition)
	var fault *jetstream.APIError
	switch {
	case err == nil:
		return ack.Sequence, nil
	case errors.As(err, &fault) && (fault.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		fault.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return 0, errStale
	}
	return 0, err
}

func (b *bucket) purge(ctx context.Context, key string) error {
	return b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.subject(key)))
}
