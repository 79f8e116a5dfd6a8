package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync/atomic"
)

// A statement is one of a store's statements. It is kept prepared if prepares is
// set.
type statement struct {
	db       *sql.DB
	text     string
	prepares bool
	punctual bool
	prepared atomic.Pointer[sql.Stmt] // nil until the first use
}

func (s *Store) statement(text string) *statement {
	return &statement{db: s.db, text: text, prepares: s.dialect.prepares(), punctual: s.punctual}
}

// prepare returns the prepared statement, which lasts as long as the DB. The
// first call prepares it, since the table may not exist when the store is made.
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

// A row is the result of a SELECT: the user ID that was asked for, what is known
// of the store and the server and, if version is valid, what is stored.
type row struct {
	asked    string
	identity []byte
	readOnly string
	version  sql.NullInt64
	methods  sql.NullString
	data     []byte
}

var (
	// errLost never counts as "no MFA".
	errLost = errors.New("this store is empty or was lost")

	errReplaced = errors.New("this store is empty or was lost: it is not the one that this process opened")
	errReadOnly = errors.New("the server is a replica or read-only")

	// errOthers is returned for an answer that belongs to another statement.
	errOthers = errors.New("the answer does not belong to the statement")
)

// check returns an error unless the row is the answer to the question for that
// user, from a server that takes writes.
func (r row) check(userID string) error {
	switch {
	case r.asked != userID:
		return errOthers
	case !slices.Contains([]string{"0", "OFF", "false"}, r.readOnly): // by MySQL, MariaDB 12, PostgreSQL
		return errReadOnly
	}
	return nil
}

// query returns the row of the user with that key.
func (s *statement) query(ctx context.Context, key any) (row, error) {
	if s.punctual {
		return s.queryNow(ctx, key)
	}
	return within(ctx, func() (row, error) { return s.queryNow(ctx, key) })
}

func (s *statement) queryNow(ctx context.Context, key any) (r row, err error) {
	query := func(ctx context.Context, args ...any) *sql.Row { return s.db.QueryRowContext(ctx, s.text, args...) }
	if s.prepares {
		prepared, err := s.prepare(ctx)
		if err != nil {
			return r, err
		}
		query = prepared.QueryRowContext
	}
	err = query(ctx, key, key).Scan(&r.asked, &r.identity, &r.readOnly, &r.version, &r.methods, &r.data)
	if errors.Is(err, sql.ErrNoRows) {
		err = errLost
	}
	return r, err
}

// exec executes the statement and returns the number of rows that it changed. It
// sends the statement once. A DB sends one again whose connection turns out to be
// bad, on the word of the driver that the server has not carried it out. lib/pq
// says so of lost answers too, and so does pgx in the simple protocol. A single
// connection of the DB never sends again.
func (s *statement) exec(ctx context.Context, args ...any) (int64, error) {
	if s.punctual {
		return s.execNow(ctx, args)
	}
	for i, arg := range args {
		if data, ok := arg.([]byte); ok {
			args[i] = bytes.Clone(data) // the caller may change its own once ctx is done
		}
	}
	return within(ctx, func() (int64, error) { return s.execNow(ctx, args) })
}

func (s *statement) execNow(ctx context.Context, args []any) (int64, error) {
	var exec func(ctx context.Context, args ...any) (sql.Result, error)
	if s.prepares && s.punctual { // by a driver whose word is good
		prepared, err := s.prepare(ctx)
		if err != nil {
			return 0, err
		}
		exec = prepared.ExecContext
	} else {
		connection, err := s.db.Conn(ctx)
		if err != nil {
			return 0, err
		}
		defer connection.Close()
		exec = func(ctx context.Context, args ...any) (sql.Result, error) {
			return connection.ExecContext(ctx, s.text, args...)
		}
	}
	result, err := exec(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
