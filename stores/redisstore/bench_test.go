package redisstore_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/stores/redisstore"
)

// BenchmarkLogins compares logins with what the server could do: the floor runs the
// scripts of the store.
func BenchmarkLogins(b *testing.B) {
	shared, prefix := place(b)
	punctual := *shared.Options()
	punctual.ContextTimeoutEnabled = true // as the README recommends
	client := redis.NewClient(&punctual)
	defer client.Close()
	s := newStore(b, client, options(prefix))
	load, save := redisstore.Scripts()
	identity := client.Get(b.Context(), prefix+"{0}").Val()
	store.BenchmarkLogins(b, s, func(ctx context.Context, user string) error {
		keys := s.Keys(user)
		var fields []any
		var err error
		for range 2 {
			if fields, err = client.EvalSha(ctx, load, keys).Slice(); err != nil {
				return err
			}
		}
		stored := fields[0].(string)
		version, err := strconv.Atoi(stored)
		if err != nil {
			return err
		}
		result, err := client.EvalSha(ctx, save, keys, identity, stored, version+1, fields[1], fields[2]).Text()
		if err == nil && result != "saved" {
			err = errors.New(result)
		}
		return err
	})
}
