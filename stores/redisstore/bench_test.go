package redisstore_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the server could do. The floor is two
// HMGET and one HSET.
func BenchmarkLogins(b *testing.B) {
	shared, prefix := place(b)
	punctual := *shared.Options()
	punctual.ContextTimeoutEnabled = true // as the README recommends
	client := redis.NewClient(&punctual)
	defer client.Close()
	store.BenchmarkLogins(b, newStore(b, client, options(prefix)), func(ctx context.Context, user string, data []byte) error {
		for range 2 {
			if err := client.HMGet(ctx, prefix+user, "version", "methods", "data").Err(); err != nil {
				return err
			}
		}
		return client.HSet(ctx, prefix+user, "version", "1", "methods", "totp", "data", data).Err()
	})
}
