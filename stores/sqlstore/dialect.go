package sqlstore

import (
	"fmt"
	"strconv"
	"strings"
)

// A Dialect identifies the SQL that a database speaks.
type Dialect int

const (
	PostgreSQL Dialect = iota + 1
	MySQL              // and MariaDB
	SQLite
)

// String returns the name of the database.
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// check returns an error unless d is one of the constants.
func (d Dialect) check() error {
	if d < PostgreSQL || d > SQLite {
		return fmt.Errorf("sqlstore: unknown dialect %v: use PostgreSQL, MySQL or SQLite", d)
	}
	return nil
}

// maxName is the greatest length of a name, in bytes: PostgreSQL silently
// truncates longer ones.
const maxName = 63

// table returns the quoted name of the table.
func (d Dialect) table(options Options) (string, error) {
	if options.Table == "" {
		return d.quote(defaultTable)
	}
	return d.quote(options.Table)
}

// quote quotes the name of a table, or of a schema and a table.
func (d Dialect) quote(name string) (string, error) {
	parts := strings.Split(name, ".")
	if len(parts) > 2 {
		return "", fmt.Errorf("sqlstore: Options.Table %q has %d parts: give a table, or a schema and a table", name, len(parts))
	}
	mark := `"`
	if d == MySQL {
		mark = "`"
	}
	for i, part := range parts {
		if part == "" || len(part) > maxName || strings.ContainsRune(part, 0) {
			return "", fmt.Errorf("sqlstore: Options.Table %q: a name must be 1 to %d bytes, without NUL", name, maxName)
		}
		parts[i] = mark + strings.ReplaceAll(part, mark, mark+mark) + mark
	}
	return strings.Join(parts, "."), nil
}

// bind returns a statement with its question marks numbered, for databases that
// want that.
func (d Dialect) bind(statement string) string {
	if d != PostgreSQL {
		return statement
	}
	var b strings.Builder
	for n, part := range strings.Split(statement, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
	}
	return b.String()
}

// find returns the statement that finds a user's row. Its result always has a
// row if the store's marker is there: the user ID that was asked for, the
// marker's identity, whether the server is a replica or read-only, and what is
// stored, or NULL. On a PostgreSQL server in recovery, transaction_read_only is
// always on.
//
// So an empty result never means "no MFA". A pooler between lib/pq and the
// server can run the parameters of one client with the statement of another,
// since lib/pq sends the two apart unless binary_parameters is set. For the same
// reason no two statements take the same number of parameters: those of a SELECT
// never fit the DELETE.
func (d Dialect) find() string {
	asked, readOnly := "?", "0"
	switch d {
	case PostgreSQL:
		asked, readOnly = "CAST(? AS text)", "current_setting('transaction_read_only') <> 'off'"
	case MySQL:
		readOnly = "@@read_only"
	}
	return "SELECT " + asked + ", marker.data, " + readOnly + ", stored.version, stored.methods, stored.data" +
		" FROM TABLE AS marker LEFT JOIN TABLE AS stored ON stored.user_id = ? WHERE marker.user_id = ''"
}

// now returns the expression for the database's clock, in UTC. It is for people
// who look at the table: the engine has a clock of its own.
func (d Dialect) now() string {
	switch d {
	case MySQL:
		return "UTC_TIMESTAMP(6)"
	case SQLite:
		return "strftime('%Y-%m-%d %H:%M:%f', 'now')"
	}
	return "now()"
}

// unlessTaken returns the clause that makes an INSERT change nothing if the user
// has a row. MySQL has no such clause that counts the same rows with
// CLIENT_FOUND_ROWS and hides no other error; there, the unique violation shows
// the conflict.
func (d Dialect) unlessTaken() string {
	if d == MySQL {
		return ""
	}
	return " ON CONFLICT (user_id) DO NOTHING"
}

// prepares reports whether the store keeps statements prepared: the drivers of
// MySQL and SQLite would prepare them anew each time. The drivers of PostgreSQL
// decide better themselves, since that depends on the pooler in between.
func (d Dialect) prepares() bool { return d != PostgreSQL }
