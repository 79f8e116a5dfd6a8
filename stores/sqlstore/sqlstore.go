// Package sqlstore keeps MFA state in an SQL database: PostgreSQL, MySQL,
// MariaDB, SQLite, and databases that speak their protocols. It provides an
// mfa.Store over database/sql and imports no driver. It is tested with
// pgx/v5/stdlib, lib/pq, go-sql-driver/mysql and modernc.org/sqlite.
//
// An operator creates the store once, with [Migrate] or with the statements that
// [Schema] returns. Each process opens it when it starts:
//
//	store, err := sqlstore.New(ctx, db, sqlstore.PostgreSQL, sqlstore.Options{})
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// There is one table with one row per user. Each operation is one statement by
// primary key, outside of any transaction: Load is one SELECT, Save one
// conditional UPDATE or INSERT. So the database must be the primary: a replica
// that lags behind would accept a spent code again, and let in a user who has
// just enrolled without asking for a code. Load refuses a server that
// takes no writes: PostgreSQL in recovery or with default_transaction_read_only,
// MySQL with read_only.
//
// A row with an empty user ID marks the store. If it is missing, as in a new
// table or after a TRUNCATE, every Load and every first Save fails: users whose rows
// are lost must not pass for users without MFA. Its data is random, so that a
// process also refuses a table that was created anew since it started.
//
// Only [Store.DeleteTx] takes a transaction. Save must not: if the host rolled
// it back, the count of wrong codes would be lost with it.
package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/protekt/mfa"
)

// Options configures a [Store]. The zero value is ready to use.
type Options struct {
	// Table is the name of the table, or of a schema and the table with a dot
	// between them; each part is quoted. The default is "mfa_users".
	Table string
}

// A Store is an mfa.Store in an SQL database. It is safe for concurrent use.
type Store struct {
	db       *sql.DB
	dialect  Dialect
	table    string // quoted
	identity []byte // of the marker that New found
	load     *statement
	insert   *statement
	update   *statement
	remove   *statement

	punctual bool // the driver itself ends calls with their contexts
}

// New returns the store in db, which must exist. It changes nothing. Use one
// store for the whole process: it keeps statements prepared as long as db is
// open.
func New(ctx context.Context, db *sql.DB, dialect Dialect, options Options) (*Store, error) {
	s, err := newStore(db, dialect, options)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, s.explain(ctx, "opening", err)
	}
	return s, nil
}

// newStore returns a store that is not open yet.
func newStore(db *sql.DB, dialect Dialect, options Options) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlstore: db is nil: open one with sql.Open")
	}
	if err := dialect.check(); err != nil {
		return nil, err
	}
	table, err := dialect.table(options)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, dialect: dialect, table: table, punctual: isPunctual(db)}
	text := func(text string) string {
		return strings.NewReplacer("TABLE", table, "NOW", dialect.now()).Replace(dialect.bind(text))
	}
	s.load = s.statement(text(dialect.find()))
	s.insert = s.statement(text("INSERT INTO TABLE (user_id, version, methods, data, updated_at) SELECT ?, 1, ?, ?, NOW FROM TABLE AS marker WHERE marker.user_id = '' AND marker.data = ?" + dialect.unlessTaken()))
	s.update = s.statement(text("UPDATE TABLE SET version = ?, methods = ?, data = ?, updated_at = NOW WHERE user_id = ? AND version = ?"))
	s.remove = s.statement(text("DELETE FROM TABLE WHERE user_id = ?"))
	return s, nil
}

// key returns a user ID as the argument of a statement.
func (s *Store) key(userID string) (any, error) {
	if err := mfa.CheckUserID(userID); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	if s.dialect == MySQL {
		return []byte(userID), nil // whatever the connection's character set
	}
	return userID, nil
}

// retries is the maximum number of times that a statement is tried while the
// database aborts it in favor of another transaction, which each time makes
// progress. Save leaves retrying to the engine, which decides anew.
const retries = 100

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	key, err := s.key(userID)
	if err != nil {
		return mfa.Record{}, err
	}
	var row row
	for range retries {
		if row, err = s.load.query(ctx, key); !isConflict(err) {
			break
		}
	}
	if err == nil {
		err = row.check(userID)
	}
	switch {
	case err != nil:
		return mfa.Record{}, s.explain(ctx, "loading", err)
	case !bytes.Equal(row.identity, s.identity):
		return mfa.Record{}, s.explain(ctx, "loading", errReplaced)
	case !row.version.Valid:
		return mfa.Record{}, mfa.ErrNoRecord
	}
	return mfa.Record{UserID: userID, Version: row.version.Int64, Methods: splitMethods(row.methods.String), Data: row.data}, nil
}

// Save implements [mfa.Store].
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	key, err := s.key(record.UserID)
	if err != nil {
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
	// The UPDATE changes every row that it finds, so that MySQL counts the same
	// rows with and without CLIENT_FOUND_ROWS.
	var rows int64
	if record.Version == 0 {
		rows, err = s.insert.exec(ctx, key, methods, data, s.identity)
	} else {
		rows, err = s.update.exec(ctx, record.Version+1, methods, data, key, record.Version)
	}
	if isConflict(err) {
		return mfa.ErrConflict
	}
	if err != nil {
		return s.explain(ctx, "saving", err)
	}
	if rows == 0 { // or the marker is not there, as the next Load will tell
		return mfa.ErrConflict
	}
	return nil
}

// Delete implements [mfa.Store].
func (s *Store) Delete(ctx context.Context, userID string) error {
	key, err := s.key(userID)
	if err != nil {
		return err
	}
	for range retries {
		if _, err = s.remove.exec(ctx, key); !isConflict(err) {
			break
		}
	}
	return s.explain(ctx, "deleting", err)
}

// DeleteTx removes a user's record inside a transaction of the host's, so that
// it is deleted together with the host's own rows or not at all.
func (s *Store) DeleteTx(ctx context.Context, tx *sql.Tx, userID string) error {
	key, err := s.key(userID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.remove.text, key)
	return s.explain(ctx, "deleting", err)
}
