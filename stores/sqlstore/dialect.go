package sqlstore

import (
	"fmt"
	"strconv"
	"strings"
)

// A Dialect is the SQL that a database speaks.
type Dialect int

const (
	PostgreSQL Dialect = iota + 1
	MySQL              // MariaDB too
	SQLite
)

// String is the name of the database.
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

// maxName is how long a name may be, in bytes: PostgreSQL cuts longer ones off
// without a word.
const maxName = 63

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
			return "", fmt.Errorf("sqlstore: Options.Table %q: a name is 1 to %d bytes, none of them NUL", name, maxName)
		}
		parts[i] = mark + strings.ReplaceAll(part, mark, mark+mark) + mark
	}
	return strings.Join(parts, "."), nil
}

// bind numbers the question marks of a statement where the database wants that.
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

// find looks for a user's row, and gives back the user ID that it was given.
//
// In PostgreSQL no row at all is no answer. A pooler between lib/pq and the
// server can run a statement's parameters with another client's statement
// (lib/pq sends the two apart, unless binary_parameters is set), and "no MFA"
// must not come of that. So too each statement has a number of parameters of its
// own: those of a SELECT never fit the DELETE.
func (d Dialect) find() string {
	if d == PostgreSQL {
		return "SELECT asked.user_id, version, methods, data FROM (SELECT CAST(? AS text) AS user_id) AS asked LEFT JOIN TABLE AS stored ON stored.user_id = ?"
	}
	return "SELECT ?, version, methods, data FROM TABLE WHERE user_id = ?"
}

// now is the database's clock, in UTC. It is for people who look at the table:
// the engine has a clock of its own.
func (d Dialect) now() string {
	switch d {
	case MySQL:
		return "UTC_TIMESTAMP(6)"
	case SQLite:
		return "strftime('%Y-%m-%d %H:%M:%f', 'now')"
	}
	return "now()"
}

// unlessTaken makes an INSERT change nothing where the user has a row. MySQL
// has nothing like it that counts the same with CLIENT_FOUND_ROWS, or that
// hides no other error: there the unique violation tells.
func (d Dialect) unlessTaken() string {
	if d == MySQL {
		return ""
	}
	return " ON CONFLICT (user_id) DO NOTHING"
}

// prepares tells whether statements are kept prepared: the drivers of MySQL and
// SQLite would prepare them anew each time. PostgreSQL's do better by
// themselves, as a pooler that stands between may need.
func (d Dialect) prepares() bool { return d != PostgreSQL }
