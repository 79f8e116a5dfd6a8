// Package sqlstore keeps MFA state in a SQL database: PostgreSQL, MySQL or
// MariaDB, SQLite, and what speaks their protocols. It is a mfa.Store over
// database/sql and imports no driver; pgx/v5/stdlib, lib/pq,
// go-sql-driver/mysql and modernc.org/sqlite are the ones that it is tested
// with.
//
//	store, err := sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Options{})
//	...
//	err = store.Migrate(ctx) // or put store.Schema() in a migration of yours
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// There is one table, and one row per user. Each operation is one statement by
// primary key, outside of any transaction: Load one SELECT, Save one
// conditional UPDATE or INSERT. So the database must be the primary: a replica
// that lags behind would bring a spent code back to life, and let in a user
// who has just enrolled. A pool that sends reads to replicas is not for this.
//
// Only [Store.DeleteTx] takes a transaction. Save must not: the count of wrong
// codes would be rolled back with whatever else the host gives up.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/methods"
	"github.com/protekt/mfa/internal/userid"
)

// Options are what may differ from one host to the next.
type Options struct {
	// Table is the table's name, or a schema's and the table's with a dot
	// between; each is quoted. "" means "mfa_users".
	Table string
}

// A Store is a mfa.Store in a SQL database. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	dialect Dialect
	table   string // quoted
	load    *statement
	insert  *statement
	update  *statement
	remove  *statement

	punctual bool // the driver ends calls in time by itself
}

// New returns a store in db. It does not ask the database anything. One store
// serves a whole process: it keeps statements prepared as long as db is open.
func New(db *sql.DB, dialect Dialect, options Options) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlstore: db is nil: open one with sql.Open")
	}
	if _, known := schemas[dialect]; !known {
		return nil, fmt.Errorf("sqlstore: unknown dialect %v: give PostgreSQL, MySQL or SQLite", dialect)
	}
	if options.Table == "" {
		options.Table = "mfa_users"
	}
	table, err := dialect.quote(options.Table)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, dialect: dialect, table: table, punctual: endsCalls(db)}
	text := func(text string) string {
		return strings.NewReplacer("TABLE", table, "NOW", dialect.now()).Replace(dialect.bind(text))
	}
	s.load = s.statement(text(dialect.find()))
	s.insert = s.statement(text("INSERT INTO TABLE (user_id, version, methods, data, updated_at) VALUES (?, 1, ?, ?, NOW)" + dialect.unlessTaken()))
	s.update = s.statement(text("UPDATE TABLE SET version = version + 1, methods = ?, data = ?, updated_at = NOW WHERE user_id = ? AND version = ?"))
	s.remove = s.statement(text("DELETE FROM TABLE WHERE user_id = ?"))
	return s, nil
}

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	key, err := s.key(userID)
	if err != nil {
		return mfa.Record{}, err
	}
	var row row
	for range retries {
		if row, err = s.load.query(ctx, key); !lost(err) {
			break
		}
	}
	switch {
	case errors.Is(err, sql.ErrNoRows) && s.dialect != PostgreSQL, err == nil && row.asked == userID && !row.version.Valid:
		return mfa.Record{}, mfa.ErrNoRecord
	case errors.Is(err, sql.ErrNoRows), err == nil && row.asked != userID:
		return mfa.Record{}, s.explain(ctx, "loading", errOthers)
	case err != nil:
		return mfa.Record{}, s.explain(ctx, "loading", err)
	}
	return mfa.Record{UserID: userID, Version: row.version.Int64, Methods: methods.Split(row.methods.String), Data: row.data}, nil
}

// Save implements [mfa.Store].
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	key, err := s.key(record.UserID)
	if err != nil {
		return err
	}
	list, err := methods.Join(record.Methods)
	if err != nil {
		return fmt.Errorf("sqlstore: saving: %w", err)
	}
	data := record.Data
	if data == nil {
		data = []byte{} // not NULL
	}
	// Every row that the UPDATE finds is also changed, so that MySQL counts the
	// same with CLIENT_FOUND_ROWS and without.
	var rows int64
	switch {
	case record.Version < 0 || record.Version == math.MaxInt64:
		return fmt.Errorf("sqlstore: there is no version after %d", record.Version)
	case record.Version == 0:
		rows, err = s.insert.exec(ctx, key, list, data)
	default:
		rows, err = s.update.exec(ctx, list, data, key, record.Version)
	}
	if lost(err) {
		return mfa.ErrConflict
	}
	if err != nil {
		return s.explain(ctx, "saving", err)
	}
	if rows == 0 {
		return mfa.ErrConflict
	}
	return nil
}

// retries bounds how often a statement starts again since the database gave it
// up for another's sake, which got something done. Save leaves that to the
// engine, which judges anew.
const retries = 100

// errOthers is never "no MFA".
var errOthers = errors.New("the answer is not to what was asked")

// Delete implements [mfa.Store].
func (s *Store) Delete(ctx context.Context, userID string) error {
	key, err := s.key(userID)
	if err != nil {
		return err
	}
	for range retries {
		if _, err = s.remove.exec(ctx, key); !lost(err) {
			break
		}
	}
	if err != nil {
		return s.explain(ctx, "deleting", err)
	}
	return nil
}

// DeleteTx removes a user inside a transaction of the host's, with whatever
// else the host removes: all of it goes, or none.
func (s *Store) DeleteTx(ctx context.Context, tx *sql.Tx, userID string) error {
	key, err := s.key(userID)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, s.remove.text, key); err != nil {
		return s.explain(ctx, "deleting", err)
	}
	return nil
}

// key is a user ID as the database gets it.
func (s *Store) key(userID string) (any, error) {
	if err := userid.Check(userID); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	if s.dialect == MySQL {
		return []byte(userID), nil // whatever the connection's character set
	}
	return userID, nil
}
