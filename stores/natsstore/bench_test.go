package natsstore_test

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the server could do. The floor is two
// reads, each with a fence, and one Put.
func BenchmarkLogins(b *testing.B) {
	js, _ := place(b)
	name := bucket(b, js)
	stream, err := js.Stream(context.Background(), "KV_"+name)
	if err != nil {
		b.Fatal(err)
	}
	subject := func(key string) string { return "$KV." + name + "." + key }
	store.BenchmarkLogins(b, newStore(b, js, name), func(ctx context.Context, user string, data []byte) error {
		key := subject(hex.EncodeToString([]byte(user)))
		for range 2 {
			var revision uint64
			switch message, err := stream.GetLastMsgForSubject(ctx, key); {
			case err == nil:
				revision = message.Sequence
			case !errors.Is(err, jetstream.ErrMsgNotFound):
				return err
			}
			fence := &nats.Msg{Subject: subject("floor.fence")}
			if _, err := js.PublishMsg(ctx, fence, jetstream.WithExpectLastSequenceForSubject(revision, key)); err != nil {
				return err
			}
		}
		_, err := js.PublishMsg(ctx, &nats.Msg{Subject: key, Data: data})
		return err
	})
}
