package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
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
			s := p.store(b, p.options())
			store.BenchmarkLogins(b, s, p.floor(b, s))
		})
	}
}

// floor sends the statements of the store, prepared where it prepares them.
func (p *place) floor(b *testing.B, s *sqlstore.Store) store.Floor {
	load, update := s.Statements()
	read := func(ctx context.Context, args ...any) *sql.Row { return p.db.QueryRowContext(ctx, load, args...) }
	write := func(ctx context.Context, args ...any) (sql.Result, error) {
		return p.db.ExecContext(ctx, update, args...)
	}
	if p.dialect != sqlstore.PostgreSQL {
		reading, err := p.db.Prepare(load)
		if err != nil {
			b.Fatal(err)
		}
		writing, err := p.db.Prepare(update)
		if err != nil {
			b.Fatal(err)
		}
		read, write = reading.QueryRowContext, writing.ExecContext
	}
	return func(ctx context.Context, user string) error {
		var asked, methods, readOnly string
		var version int64
		var identity, data []byte
		for range 2 {
			if err := read(ctx, user, user).Scan(&asked, &identity, &readOnly, &version, &methods, &data); err != nil {
				return err
			}
		}
		result, err := write(ctx, version+1, methods, data, user, version)
		if err != nil {
			return err
		}
		if rows, err := result.RowsAffected(); err != nil || rows != 1 {
			return errors.Join(errConflict, err)
		}
		return nil
	}
}

var errConflict = errors.New("another has replaced the record")
