package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/stores/sqlstore"
)

// BenchmarkLogins compares logins with what the database could do.
func BenchmarkLogins(b *testing.B) {
	for _, d := range []database{pgx, libpq, mariaDB, sqlite} {
		b.Run(d.name, func(b *testing.B) {
			p := d.place(b)
			if d.dialect == sqlstore.SQLite {
				p.db.SetMaxOpenConns(1) // as the README recommends
			}
			options := p.options()
			store.BenchmarkLogins(b, p.store(b, options), p.floor(b, options.Table))
		})
	}
}

// floor returns a floor of two SELECTs and one UPDATE of the whole row by primary
// key, prepared where the store prepares.
func (p *place) floor(b *testing.B, table string) store.Floor {
	arg := func(n int) string {
		if p.dialect == sqlstore.PostgreSQL {
			return fmt.Sprintf("$%d", n)
		}
		return "?"
	}
	now := map[sqlstore.Dialect]string{sqlstore.PostgreSQL: "now()", sqlstore.MySQL: "UTC_TIMESTAMP(6)", sqlstore.SQLite: "datetime('now')"}[p.dialect]
	read := "SELECT version, methods, data FROM " + table + " WHERE user_id = " + arg(1)
	write := "UPDATE " + table + " SET version = " + arg(1) + ", methods = " + arg(2) + ", data = " + arg(3) + ", updated_at = " + now + " WHERE user_id = " + arg(4)
	first := "INSERT INTO " + table + " (version, methods, data, user_id, updated_at) VALUES (" + arg(1) + ", " + arg(2) + ", " + arg(3) + ", " + arg(4) + ", " + now + ")"
	if p.dialect != sqlstore.PostgreSQL {
		reading, err := p.db.Prepare(read)
		if err != nil {
			b.Fatal(err)
		}
		writing, err := p.db.Prepare(write)
		if err != nil {
			b.Fatal(err)
		}
		return p.both(first, reading.QueryRowContext, writing.ExecContext)
	}
	return p.both(first,
		func(ctx context.Context, args ...any) *sql.Row { return p.db.QueryRowContext(ctx, read, args...) },
		func(ctx context.Context, args ...any) (sql.Result, error) {
			return p.db.ExecContext(ctx, write, args...)
		})
}

// both returns a floor that reads twice and writes once.
func (p *place) both(first string, read func(ctx context.Context, args ...any) *sql.Row,
	write func(ctx context.Context, args ...any) (sql.Result, error)) store.Floor {
	return func(ctx context.Context, user string, data []byte) error {
		var version int64
		for range 2 {
			var methods string
			var stored []byte
			err := read(ctx, user).Scan(&version, &methods, &stored)
			if errors.Is(err, sql.ErrNoRows) {
				_, err = p.db.ExecContext(ctx, first, 1, "totp", data, user)
			}
			if err != nil {
				return err
			}
		}
		_, err := write(ctx, version+1, "totp", data, user)
		return err
	}
}
