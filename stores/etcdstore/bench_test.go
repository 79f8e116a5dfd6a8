package etcdstore_test

import (
	"context"
	"testing"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the server could do. The floor is two
// linearizable Gets and one Put.
func BenchmarkLogins(b *testing.B) {
	client, prefix := place(b)
	store.BenchmarkLogins(b, create(b, client, prefix), func(ctx context.Context, user string, data []byte) error {
		for range 2 {
			if _, err := client.Get(ctx, prefix+user); err != nil {
				return err
			}
		}
		_, err := client.Put(ctx, prefix+user, string(data))
		return err
	})
}
