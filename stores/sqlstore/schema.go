package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"strings"
)

// migrations holds a folder per dialect. The tables store user IDs so that they
// are compared byte by byte: as text under the C collation in PostgreSQL, and as
// bytes in MySQL, whose collations ignore trailing spaces. In PostgreSQL, the
// space that a fillfactor leaves keeps updates on their pages.
//
//go:embed schema
var migrations embed.FS

// defaultTable is the name of the table in the migrations.
const defaultTable = "mfa_users"

// Migrations returns the dialect's versioned migrations, for tools such as
// goose, golang-migrate and Atlas. They create the table mfa_users.
func Migrations(dialect Dialect) (fs.FS, error) {
	if err := dialect.check(); err != nil {
		return nil, err
	}
	return fs.Sub(migrations, "schema/"+strings.ToLower(dialect.String()))
}

// Schema returns the statements that create the store, with its marker, for the
// host's own migrations. The column methods holds the confirmed factors, as in
// "totp,sms"; it is empty for a user without MFA.
func Schema(dialect Dialect, options Options) (string, error) {
	statements, err := creation(dialect, options)
	return strings.Join(statements, ";\n"), err
}

// creation returns the statements that create the store.
func creation(dialect Dialect, options Options) ([]string, error) {
	files, err := Migrations(dialect)
	if err != nil {
		return nil, err
	}
	table, err := dialect.table(options)
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(files, "0001_mfa_users.up.sql")
	statements := strings.Split(string(text), ";\n")
	for i, statement := range statements {
		statements[i] = strings.ReplaceAll(statement, defaultTable, table)
	}
	return statements, err
}

// creators is the maximum number of times that Migrate looks for the table while
// other processes create it.
const creators = 10

// Migrate creates the store unless it exists. It is a step of a deployment: a
// process that called it whenever it starts would make an empty store of a
// database that was lost. Several processes may call it at the same time. Where
// the store exists, it needs no more permissions than [New].
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect, options Options) error {
	s, err := newStore(db, dialect, options)
	if err != nil {
		return err
	}
	statements, err := creation(dialect, options)
	if err != nil {
		return err
	}
	for range creators {
		if err = s.open(ctx); !isMissing(err) {
			break
		}
		if err = s.create(ctx, statements); err != nil && !isDuplicate(err) {
			return s.explain(ctx, "creating", err)
		}
	}
	if err == nil {
		err = s.checkColumns(ctx)
	}
	return s.explain(ctx, "checking", err)
}

// create executes all of the statements or none.
func (s *Store) create(ctx context.Context, statements []string) error {
	_, err := within(ctx, func() (any, error) {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer tx.Rollback()
		for _, statement := range statements {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return nil, err
			}
		}
		return nil, tx.Commit()
	})
	return err
}

// open finds the marker, whose identity the store remembers.
func (s *Store) open(ctx context.Context) error {
	if err := s.checkCommits(ctx); err != nil {
		return err
	}
	var key any = ""
	if s.dialect == MySQL {
		key = []byte{}
	}
	row, err := s.load.query(ctx, key)
	if err != nil {
		return err
	}
	s.identity = row.identity
	return row.check("")
}

// checkColumns returns an error if the table lacks a column.
func (s *Store) checkColumns(ctx context.Context) error {
	_, err := within(ctx, func() (any, error) {
		rows, err := s.db.QueryContext(ctx, "SELECT user_id, version, methods, data, updated_at FROM "+s.table+" WHERE 1 = 0")
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		return nil, rows.Err()
	})
	return err
}

// checkCommits returns an error if the connections do not commit each statement:
// without autocommit they wait for a COMMIT, which nobody sends.
func (s *Store) checkCommits(ctx context.Context) error {
	if s.dialect != MySQL {
		return nil
	}
	commits, err := within(ctx, func() (commits bool, err error) {
		err = s.db.QueryRowContext(ctx, "SELECT @@autocommit").Scan(&commits)
		return commits, err
	})
	if err == nil && !commits {
		err = errors.New("the connections of the DB do not commit what is saved: remove autocommit=0 from the data source name")
	}
	return err
}
