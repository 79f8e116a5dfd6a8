package pgxstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// create creates the store: the table, whose user IDs are compared byte by byte and
// whose fillfactor leaves room to keep updates on their pages, the marker, and an
// index of the users who have MFA.
const create = `CREATE TABLE {table} (
	user_id    text COLLATE "C" PRIMARY KEY,
	version    bigint NOT NULL,
	methods    text NOT NULL,
	data       bytea NOT NULL,
	updated_at timestamptz NOT NULL
) WITH (fillfactor = 85);

-- The marker of this store. Without it, the store counts as lost.
INSERT INTO {table} VALUES ('', 0, '', decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), now());

-- For queries such as who has no MFA.
CREATE INDEX ON {table} (user_id) WHERE methods <> '';
`

// Schema returns the statements that create the store, with its marker, for the
// host's own migrations. The column methods holds the confirmed factors, as in
// "totp,sms"; it is empty for a user without MFA.
func Schema(options Options) (string, error) {
	table, err := options.table()
	if err != nil {
		return "", err
	}
	return onTable(create, table), nil
}

// creators is the maximum number of times that Migrate looks for the table while
// other processes create it.
const creators = 10

// Migrate creates the store unless it exists. It is a step of a deployment: a
// process that called it whenever it starts would make an empty store of a
// database that was lost. Several processes may call it at the same time. Where
// the store exists, it needs no more permissions than [New].
func Migrate(ctx context.Context, pool *pgxpool.Pool, options Options) error {
	s, err := on(pool, options)
	if err != nil {
		return err
	}
	for range creators {
		if _, err = s.query(ctx, ""); code(err) != undefinedTable {
			break
		}
		// Several statements in one message are one transaction.
		if _, err = pool.Exec(ctx, onTable(create, s.table)); err != nil && !isDuplicate(err) {
			return explain("creating", s.table, err)
		}
	}
	return explain("checking", s.table, err)
}

// maxName is the greatest length of a name, in bytes: PostgreSQL silently
// truncates longer ones.
const maxName = 63

// table returns the name of the table, quoted.
func (o Options) table() (string, error) {
	if o.Table == "" {
		o.Table = "mfa_users"
	}
	parts := strings.Split(o.Table, ".")
	if len(parts) > 2 {
		return "", fmt.Errorf("pgxstore: Options.Table %q has %d parts: give a table, or a schema and a table", o.Table, len(parts))
	}
	for i, part := range parts {
		if part == "" || len(part) > maxName || strings.ContainsRune(part, 0) {
			return "", fmt.Errorf("pgxstore: Options.Table %q: a name must be 1 to %d bytes, without NUL", o.Table, maxName)
		}
		parts[i] = `"` + strings.ReplaceAll(part, `"`, `""`) + `"`
	}
	return strings.Join(parts, "."), nil
}

// onTable returns a statement with the table's name in it.
func onTable(statement, table string) string {
	return strings.ReplaceAll(statement, "{table}", table)
}
