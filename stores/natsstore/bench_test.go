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

// BenchmarkLogins compares logins with what the server could do, on one server,
// where no fence is needed. The floor is two reads and one Put.
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
			if _, err := stream.GetLastMsgForSubject(ctx, key); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
				return err
			}
		}
		_, err := js.PublishMsg(ctx, &nats.Msg{Subject: key, Data: data})
		return err
	})
}
