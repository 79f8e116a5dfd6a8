package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/protekt/mfa/internal/storeproof"
	"github.com/protekt/mfa/stores/sqlstore"
)

// BenchmarkLogins: how much of what the database gives, logins get.
func BenchmarkLogins(b *testing.B) {
	for _, d := range []database{pgx, libpq, mariaDB, sqlite} {
		b.Run(d.name, func(b *testing.B) {
			p := d.place(b)
			options := p.options()
			storeproof.BenchmarkLogins(b, p.store(b, options), p.floor(options.Table))
		})
	}
}

// floor is two SELECTs and one UPDATE by primary key.
func (p *place) floor(table string) storeproof.Floor {
	arg := func(n int) string {
		if p.dialect == sqlstore.PostgreSQL {
			return fmt.Sprintf("$%d", n)
		}
		return "?"
	}
	read := "SELECT version, methods, data FROM " + table + " WHERE user_id = " + arg(1)
	write := "UPDATE " + table + " SET version = " + arg(1) + ", methods = " + arg(2) + ", data = " + arg(3) + " WHERE user_id = " + arg(4)
	first := "INSERT INTO " + table + " (version, methods, data, user_id, updated_at) VALUES (" + arg(1) + ", " + arg(2) + ", " + arg(3) + ", " + arg(4) + ", '2030-01-01')"
	return func(ctx context.Context, user string, data []byte) error {
		var version int64
		for range 2 {
			var methods string
			var stored []byte
			err := p.db.QueryRowContext(ctx, read, user).Scan(&version, &methods, &stored)
			if errors.Is(err, sql.ErrNoRows) {
				_, err = p.db.ExecContext(ctx, first, 1, "totp", data, user)
			}
			if err != nil {
				return err
			}
		}
		_, err := p.db.ExecContext(ctx, write, version+1, "totp", data, user)
		return err
	}
}
