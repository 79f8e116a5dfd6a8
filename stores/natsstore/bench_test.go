package natsstore_test

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the server could do. The floor is two
// Gets and one Put; Save needs one Get more.
func BenchmarkLogins(b *testing.B) {
	js := place(b)
	name := bucket(b, js)
	kv, err := js.KeyValue(context.Background(), name)
	if err != nil {
		b.Fatal(err)
	}
	store.BenchmarkLogins(b, newStore(b, js, name), func(ctx context.Context, user string, data []byte) error {
		key := hex.EncodeToString([]byte(user))
		for range 2 {
			if _, err := kv.Get(ctx, key); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
				return err
			}
		}
		_, err := kv.Put(ctx, key, data)
		return err
	})
}
