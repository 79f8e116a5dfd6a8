package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/protekt/mfa/stores/sqlstore"
)

// memory names a database that is lost when the process ends.
const memory = ":memory:"

const schema = `
CREATE TABLE IF NOT EXISTS users (
	id         TEXT PRIMARY KEY,
	email      TEXT NOT NULL UNIQUE,
	password   TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	is_admin   INTEGER NOT NULL,
	generation INTEGER NOT NULL DEFAULT 0,
	has_mfa    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS settings (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
	token   TEXT PRIMARY KEY,
	data    BLOB,
	expires INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_expires ON sessions (expires);
CREATE TABLE IF NOT EXISTS grants (
	id              TEXT PRIMARY KEY,
	user_id         TEXT NOT NULL,
	generation      INTEGER NOT NULL,
	access_hash     BLOB NOT NULL,
	access_expires  INTEGER NOT NULL,
	refresh_hash    BLOB NOT NULL,
	refresh_expires INTEGER NOT NULL,
	proof           BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS grants_expires ON grants (refresh_expires);
CREATE TABLE IF NOT EXISTS pending (
	hash       BLOB PRIMARY KEY,
	generation INTEGER NOT NULL,
	expires    INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS pending_expires ON pending (expires);
CREATE TABLE IF NOT EXISTS resets (
	hash    BLOB PRIMARY KEY,
	user_id TEXT NOT NULL,
	expires INTEGER NOT NULL
) STRICT;`

// numbersTable is the table in which messages are counted per phone number.
const numbersTable = "mfa_numbers"

// openDatabase opens the application's database, or makes it for its owner
// alone. Only a new database gets new stores: in one that has lost its own, users
// would seem to have no MFA.
func openDatabase(ctx context.Context, path string) (*sql.DB, error) {
	isNew := path == memory
	if !isNew {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			file.Close()
			isNew = true
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("making the database: %w", err)
		}
	}
	db, err := sql.Open("sqlite", dataSource(path))
	if err != nil {
		return nil, err
	}
	if path == memory {
		db.SetMaxOpenConns(1) // each connection would have a database of its own
	}
	_, err = db.ExecContext(ctx, schema)
	if err == nil && isNew {
		err = createStores(ctx, db)
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	return db, nil
}

func createStores(ctx context.Context, db *sql.DB) error {
	return errors.Join(
		sqlstore.Migrate(ctx, db, sqlstore.SQLite, sqlstore.Options{}),
		sqlstore.Migrate(ctx, db, sqlstore.SQLite, sqlstore.Options{Table: numbersTable}))
}

func dataSource(path string) string {
	if path == memory {
		return path
	}
	options := url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"},
		"_txlock": {"immediate"},
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}).String()
}
