package sqlstore

import (
	"context"
	"errors"
	"strings"
)

// schemas holds the statements that create the table. They store user IDs so
// that they are compared byte by byte: as text under the C collation in
// PostgreSQL, and as bytes in MySQL, whose collations ignore trailing spaces.
// The engine's data is shorter than 2 KiB.
var schemas = map[Dialect]string{
	PostgreSQL: `CREATE TABLE IF NOT EXISTS TABLE_NAME (
	user_id    text COLLATE "C" PRIMARY KEY,
	version    bigint NOT NULL,
	methods    text NOT NULL,
	data       bytea NOT NULL,
	updated_at timestamptz NOT NULL
)`,
	MySQL: `CREATE TABLE IF NOT EXISTS TABLE_NAME (
	user_id    VARBINARY(255) NOT NULL PRIMARY KEY,
	version    BIGINT NOT NULL,
	methods    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	data       BLOB NOT NULL,
	updated_at DATETIME(6) NOT NULL
) ENGINE=InnoDB`,
	SQLite: `CREATE TABLE IF NOT EXISTS TABLE_NAME (
	user_id    TEXT NOT NULL PRIMARY KEY,
	version    INTEGER NOT NULL,
	methods    TEXT NOT NULL,
	data       BLOB NOT NULL,
	updated_at TEXT NOT NULL
) STRICT`,
}

// Schema returns the statement that creates the table, for the host's own
// migrations. The column methods holds the confirmed factors, as in "totp,sms";
// it is empty for a user without MFA.
func (s *Store) Schema() string {
	return strings.Replace(schemas[s.dialect], "TABLE_NAME", s.table, 1)
}

// creators is the maximum number of times that Migrate tries to create the table
// while other processes do so too: in PostgreSQL, IF NOT EXISTS can lose that
// race.
const creators = 10

// Migrate creates the table unless it exists, and checks that it has the columns
// of Schema. Several processes may call it at the same time.
func (s *Store) Migrate(ctx context.Context) error {
	if s.punctual {
		return s.migrate(ctx)
	}
	_, err := within(ctx, func() (any, error) { return nil, s.migrate(ctx) })
	return err
}

func (s *Store) migrate(ctx context.Context) error {
	var err error
	for range creators {
		if _, err = s.db.ExecContext(ctx, s.Schema()); !isDuplicate(err) {
			break
		}
	}
	if err != nil {
		return s.explain(ctx, "creating", err)
	}
	if err := s.checkColumns(ctx); err != nil {
		return s.explain(ctx, "checking", err)
	}
	if s.dialect == MySQL {
		return s.checkCommits(ctx)
	}
	return nil
}

// checkColumns returns an error if the table lacks a column.
func (s *Store) checkColumns(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, "SELECT user_id, version, methods, data, updated_at FROM "+s.table+" WHERE 1 = 0")
	if err != nil {
		return err
	}
	defer rows.Close()
	return rows.Err()
}

// checkCommits returns an error if the connections do not commit each statement:
// without autocommit they wait for a COMMIT, which nobody sends.
func (s *Store) checkCommits(ctx context.Context) error {
	var commits bool
	if err := s.db.QueryRowContext(ctx, "SELECT @@autocommit").Scan(&commits); err != nil {
		return s.explain(ctx, "checking", err)
	}
	if !commits {
		return errors.New("sqlstore: the connections of the DB do not commit what is saved: remove autocommit=0 from the data source name")
	}
	return nil
}
