package sqlstore

import (
	"context"
	"errors"
	"strings"

	"github.com/protekt/mfa/internal/deadline"
)

// schemas hold user IDs so that they are compared byte by byte: text under the
// C collation, and bytes in MySQL, whose collations ignore trailing spaces.
// Data is under 2 KiB as the engine writes it.
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

// Schema is the statement that creates the table, for migrations of the
// host's. The column methods holds the confirmed factors, as in "totp,sms"; it
// is empty for a user without MFA.
func (s *Store) Schema() string {
	return strings.Replace(schemas[s.dialect], "TABLE_NAME", s.table, 1)
}

// creators bounds how often Migrate tries again since another process was faster.
// In PostgreSQL IF NOT EXISTS can lose that race.
const creators = 10

// Migrate creates the table unless it is there, and checks that it has the
// columns of Schema. Processes may call it at the same time.
func (s *Store) Migrate(ctx context.Context) error {
	if s.punctual {
		return s.migrate(ctx)
	}
	_, err := deadline.Within(ctx, func() (any, error) { return nil, s.migrate(ctx) })
	return err
}

func (s *Store) migrate(ctx context.Context) error {
	var err error
	for range creators {
		if _, err = s.db.ExecContext(ctx, s.Schema()); !exists(err) {
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

func (s *Store) checkColumns(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, "SELECT user_id, version, methods, data, updated_at FROM "+s.table+" WHERE 1 = 0")
	if err != nil {
		return err
	}
	defer rows.Close()
	return rows.Err()
}

// checkCommits sees that what is saved is kept: a connection may be told to wait
// for a COMMIT, which nobody sends.
func (s *Store) checkCommits(ctx context.Context) error {
	var commits bool
	if err := s.db.QueryRowContext(ctx, "SELECT @@autocommit").Scan(&commits); err != nil {
		return s.explain(ctx, "checking", err)
	}
	if !commits {
		return errors.New("sqlstore: the DB's connections keep nothing that is saved: take autocommit=0 out of the data source name")
	}
	return nil
}
