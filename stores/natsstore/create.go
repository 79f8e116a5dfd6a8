package natsstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Create creates the store: a bucket for [New], and its marker. It is a step of a
// deployment: a process that called it whenever it starts would make an empty
// store of one that was lost. If the bucket exists and is new or has its marker,
// Create makes it usable: it applies config's Replicas and MaxBytes and has only
// the leader answer reads. Start the processes again after it has changed Replicas.
func Create(ctx context.Context, js jetstream.JetStream, config jetstream.KeyValueConfig) error {
	if err := checkServer(js.Conn().ConnectedServerVersion()); err != nil {
		return err
	}
	stream, err := createStream(ctx, js, config)
	if err == nil {
		err = mark(ctx, js, config.Bucket)
	}
	if err != nil {
		return explain(ctx, "creating", config.Bucket, err)
	}
	return check(stream.CachedInfo())
}

// createStream creates the bucket's stream, or changes its settings.
func createStream(ctx context.Context, js jetstream.JetStream, config jetstream.KeyValueConfig) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, streamOf(config.Bucket))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if _, err = js.CreateKeyValue(ctx, config); err == nil || errors.Is(err, jetstream.ErrBucketExists) {
			stream, err = js.Stream(ctx, streamOf(config.Bucket))
		}
	}
	if err != nil {
		return nil, err
	}
	settings := stream.CachedInfo().Config
	settings.AllowDirect = false
	if config.Replicas != 0 {
		settings.Replicas = config.Replicas
	}
	if config.MaxBytes != 0 {
		settings.MaxBytes = config.MaxBytes
	}
	return js.UpdateStream(ctx, settings)
}

// mark writes the marker, unless it is there, into a bucket into which nothing
// was ever written.
func mark(ctx context.Context, js jetstream.JetStream, name string) error {
	b, err := openBucket(ctx, js, name)
	if err != nil {
		return err
	}
	marker, err := b.last(ctx, markerKey)
	switch {
	case err != nil || marker.value != nil:
		return err
	case b.stream.CachedInfo().State.LastSeq > 0:
		return errLost
	}
	if _, err = b.put(ctx, markerKey, []byte(rand.Text()), "", 0); errors.Is(err, errStale) {
		return nil // another process has written it
	}
	return err
}

// check returns an error if a stream may lose records or return old ones.
func check(info *jetstream.StreamInfo) error {
	fault := ""
	switch settings := info.Config; {
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
	case clusterOf(info) != "" && settings.Replicas < 2:
		fault = "is kept by one server of a cluster and lost with it: call natsstore.Create with Replicas: 3"
	}
	if fault != "" {
		return fmt.Errorf("natsstore: stream %s %s", info.Config.Name, fault)
	}
	return nil
}

// oldest is the oldest version of a server that New accepts. Of the versions that
// were tried on three nodes with one failing at a time, 2.9.10 let two of two
// simultaneous Saves succeed, and 2.10.27 lost acknowledged records. 2.11.17
// held, but fewer runs say so.
var oldest = []int{2, 12, 15}

// checkServer returns an error unless a server's version is known to keep what it
// acknowledges.
func checkServer(version string) error {
	var parsed []int
	numbers, _, _ := strings.Cut(version, "-")
	for part := range strings.SplitSeq(numbers, ".") {
		number, err := strconv.Atoi(part)
		if err != nil {
			parsed = nil
			break
		}
		parsed = append(parsed, number)
	}
	if slices.Compare(parsed, oldest) >= 0 {
		return nil
	}
	return fmt.Errorf("natsstore: the server has version %q: servers before %d.%d.%d lose what they have acknowledged, or accept two of two simultaneous changes; upgrade every server of the cluster",
		version, oldest[0], oldest[1], oldest[2])
}
