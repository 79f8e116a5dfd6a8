package sqlstore

import (
	"context"
	"database/sql"
	"sync/atomic"
)

// A statement is one of a store's, kept prepared where that pays.
type statement struct {
	db       *sql.DB
	text     string
	prepares bool
	prepared atomic.Pointer[sql.Stmt] // nil until the first use
}

func (s *Store) statement(text string) *statement {
	return &statement{db: s.db, text: text, prepares: s.dialect.prepares()}
}

// prepare gives the prepared statement, which lasts as long as the DB. There may
// be no table when the store is made, so the first use prepares it.
func (s *statement) prepare(ctx context.Context) (*sql.Stmt, error) {
	if prepared := s.prepared.Load(); prepared != nil {
		return prepared, nil
	}
	prepared, err := s.db.PrepareContext(ctx, s.text)
	if err != nil {
		return nil, err
	}
	if !s.prepared.CompareAndSwap(nil, prepared) {
		prepared.Close()
		return s.prepared.Load(), nil
	}
	return prepared, nil
}

// query reads one row into those variables.
func (s *statement) query(ctx context.Context, key any, into ...any) error {
	if !s.prepares {
		return s.db.QueryRowContext(ctx, s.text, key).Scan(into...)
	}
	prepared, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	return prepared.QueryRowContext(ctx, key).Scan(into...)
}

func (s *statement) exec(ctx context.Context, args ...any) (sql.Result, error) {
	if !s.prepares {
		return s.db.ExecContext(ctx, s.text, args...)
	}
	prepared, err := s.prepare(ctx)
	if err != nil {
		return nil, err
	}
	return prepared.ExecContext(ctx, args...)
}
