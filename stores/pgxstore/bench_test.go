package pgxstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the database could do. The floor is
// two SELECTs and one UPDATE of the whole row by primary key.
func BenchmarkLogins(b *testing.B) {
	pool, schema := place(b, server())
	table := schema + ".users"
	read := "SELECT version, methods, data FROM " + table + " WHERE user_id = $1"
	write := "UPDATE " + table + " SET version = $1, methods = $2, data = $3, updated_at = now() WHERE user_id = $4"
	first := "INSERT INTO " + table + " (version, methods, data, user_id, updated_at) VALUES ($1, $2, $3, $4, now())"
	store.BenchmarkLogins(b, create(b, pool, table), func(ctx context.Context, user string, data []byte) error {
		var version int64
		for range 2 {
			var methods string
			var stored []byte
			err := pool.QueryRow(ctx, read, user).Scan(&version, &methods, &stored)
			if errors.Is(err, pgx.ErrNoRows) {
				_, err = pool.Exec(ctx, first, 1, "totp", data, user)
			}
			if err != nil {
				return err
			}
		}
		_, err := pool.Exec(ctx, write, version+1, "totp", data, user)
		return err
	})
}
