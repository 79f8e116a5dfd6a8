package pgxstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the database could do: the floor sends
// the statements of the store.
func BenchmarkLogins(b *testing.B) {
	pool, schema := place(b, server())
	s := create(b, pool, schema+".users")
	load, update := s.Statements()
	store.BenchmarkLogins(b, s, func(ctx context.Context, user string) error {
		var readOnly bool
		var version int64
		var methods string
		var identity, data []byte
		for range 2 {
			if err := pool.QueryRow(ctx, load, user).Scan(&readOnly, &identity, &version, &methods, &data); err != nil {
				return err
			}
		}
		tag, err := pool.Exec(ctx, update, methods, data, user, version)
		if err == nil && tag.RowsAffected() != 1 {
			err = errors.New("another has replaced the record")
		}
		return err
	})
}
