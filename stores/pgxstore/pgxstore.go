// Package pgxstore keeps MFA state in PostgreSQL, through a pool of pgx. It
// provides an mfa.Store for hosts that use pgx without database/sql; the table is
// that of stores/sqlstore, so that both may serve it at the same time.
//
//	err := pgxstore.Migrate(ctx, pool, pgxstore.Options{}) // once, by the operator
//	...
//	store, err := pgxstore.New(ctx, pool, pgxstore.Options{})
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// There is one table with one row per user. Each operation is one statement by
// primary key, outside of any transaction. The pool must connect to the primary: a
// replica that lags behind would accept a spent code again, and let in a user who
// has just enrolled without asking for a code. Load refuses a server in recovery
// and one that is read-only.
//
// A row with an empty user ID marks the store. If it is missing, as in a new table
// or after a TRUNCATE, every Load fails: users whose rows are lost must not pass
// for users without MFA. Its data is random, so that a process also refuses a
// table that was created anew since it started.
//
// Only [Store.DeleteTx] takes a transaction. Save must not: if the host rolled it
// back, the count of wrong codes would be lost with it.
package pgxstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/protekt/mfa"
)

// Options configures a [Store]. The zero value is ready to use.
type Options struct {
	// Table is the name of the table, or of a schema and the table with a dot
	// between them; each part is quoted. The default is "mfa_users".
	Table string
}

// A Store is an mfa.Store in PostgreSQL. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	table    string // quoted
	identity []byte // of the store, as it was when New was called

	load, insert, update, remove string
}

// New returns the store in a table that [Migrate] or the statements of [Schema]
// have created. It changes nothing.
func New(ctx context.Context, pool *pgxpool.Pool, options Options) (*Store, error) {
	s, err := on(pool, options)
	if err != nil {
		return nil, err
	}
	marker, err := s.query(ctx, "")
	if err != nil {
		return nil, explain("opening", s.table, err)
	}
	s.identity = marker.identity
	return s, nil
}

// on returns a store that has sent nothing to the database yet.
func on(pool *pgxpool.Pool, options Options) (*Store, error) {
	if pool == nil {
		return nil, errors.New("pgxstore: pool is nil: open one with pgxpool.New")
	}
	table, err := options.table()
	if err != nil {
		return nil, err
	}
	return &Store{
		pool:   pool,
		table:  table,
		load:   onTable(find, table),
		insert: onTable(add, table),
		update: onTable("UPDATE {table} SET version = version + 1, methods = $1, data = $2, updated_at = now() WHERE user_id = $3 AND version = $4", table),
		remove: onTable("DELETE FROM {table} WHERE user_id = $1", table),
	}, nil
}

// find selects the marker's data with a user's row, or NULLs if there is none. An
// empty result means that the marker is missing, never that a user is. On a server
// in recovery, transaction_read_only is always on.
const find = `SELECT current_setting('transaction_read_only') <> 'off', marker.data, stored.version, stored.methods, stored.data
FROM {table} AS marker LEFT JOIN {table} AS stored ON stored.user_id = $1 WHERE marker.user_id = ''`

// add inserts a user's row if there is none, and the marker is the one that New
// found.
const add = `INSERT INTO {table} (user_id, version, methods, data, updated_at)
SELECT $1::text, 1, $2::text, $3::bytea, now() FROM {table} AS marker WHERE marker.user_id = '' AND marker.data = $4
ON CONFLICT (user_id) DO NOTHING`

// A row is the result of find.
type row struct {
	readOnly bool // the server takes no Save, and may not have seen the last one
	identity []byte
	version  pgtype.Int8
	methods  pgtype.Text
	data     []byte
}

var (
	errReadOnly = errors.New("the server is in recovery or read-only")
	errLost     = errors.New("this store is empty or was lost")
	errReplaced = errors.New("this store is empty or was lost: it is not the one that this process opened")
)

// query returns the row of a user.
func (s *Store) query(ctx context.Context, userID string) (row, error) {
	var r row
	err := s.pool.QueryRow(ctx, s.load, userID).Scan(&r.readOnly, &r.identity, &r.version, &r.methods, &r.data)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		err = errLost
	case err == nil && r.readOnly:
		err = errReadOnly
	}
	return r, err
}

// retries is the maximum number of times that a statement is tried while the
// database aborts it in favor of another transaction, which each time makes
// progress. Save leaves retrying to the engine, which decides anew.
const retries = 100

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	if err := check(userID); err != nil {
		return mfa.Record{}, err
	}
	var row row
	var err error
	for range retries {
		if row, err = s.query(ctx, userID); !isConflict(err) {
			break
		}
	}
	if err == nil && !bytes.Equal(row.identity, s.identity) {
		err = errReplaced
	}
	switch {
	case err != nil:
		return mfa.Record{}, explain("loading", s.table, err)
	case !row.version.Valid:
		return mfa.Record{}, mfa.ErrNoRecord
	}
	return mfa.Record{UserID: userID, Version: row.version.Int64, Methods: splitMethods(row.methods.String), Data: row.data}, nil
}

// Save implements [mfa.Store].
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	if err := check(record.UserID); err != nil {
		return err
	}
	methods, err := joinMethods(record.Methods)
	if err != nil {
		return err
	}
	data := record.Data
	if data == nil {
		data = []byte{} // not NULL
	}
	statement, args := s.update, []any{methods, data, record.UserID, record.Version}
	if record.Version == 0 {
		statement, args = s.insert, []any{record.UserID, methods, data, s.identity}
	}
	tag, err := s.pool.Exec(ctx, statement, args...)
	switch {
	case isConflict(err), err == nil && tag.RowsAffected() == 0: // or the marker is missing, as the next Load shows
		return mfa.ErrConflict
	case err != nil:
		return explain("saving", s.table, err)
	}
	return nil
}

// Delete implements [mfa.Store].
func (s *Store) Delete(ctx context.Context, userID string) error {
	if err := check(userID); err != nil {
		return err
	}
	var err error
	for range retries {
		if _, err = s.pool.Exec(ctx, s.remove, userID); !isConflict(err) {
			break
		}
	}
	return explain("deleting", s.table, err)
}

// DeleteTx removes a user's record inside a transaction of the host's, so that
// it is deleted together with the host's own rows or not at all.
func (s *Store) DeleteTx(ctx context.Context, tx pgx.Tx, userID string) error {
	if err := check(userID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, s.remove, userID)
	return explain("deleting", s.table, err)
}

// check returns an error that wraps [mfa.ErrInvalidUser] for a user ID that the
// engine would refuse: the marker's, for one.
func check(userID string) error {
	if err := mfa.CheckUserID(userID); err != nil {
		return fmt.Errorf("pgxstore: %w", err)
	}
	return nil
}
