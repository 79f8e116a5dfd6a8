//go:build linux

package cluster

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/natsstore"
)

const natsBucket = "mfa_users"

func init() { openers["nats"] = openNATS }

func openNATS(ctx context.Context, servers []string) (mfa.Store, error) {
	js, err := connectNATS(servers)
	if err != nil {
		return nil, err
	}
	return natsstore.New(ctx, js, natsBucket)
}

func createNATS(ctx context.Context, servers []string) error {
	js, err := connectNATS(servers)
	if err != nil {
		return err
	}
	defer js.Conn().Close()
	return natsstore.Create(ctx, js, jetstream.KeyValueConfig{Bucket: natsBucket, Replicas: 3})
}

func connectNATS(servers []string) (jetstream.JetStream, error) {
	connection, err := nats.Connect(strings.Join(servers, ","), nats.DontRandomize(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	return jetstream.New(connection)
}
