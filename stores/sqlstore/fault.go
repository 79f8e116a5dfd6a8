package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// mysqlNumber is how go-sql-driver/mysql begins the text of a server's error,
// whose number is in a field alone, out of reach without the driver.
var mysqlNumber = regexp.MustCompile(`^Error (\d+) \(`)

// code is the SQLSTATE of an error of PostgreSQL's, or the number of one of
// MySQL's; "" for any other.
func code(err error) string {
	var state interface{ SQLState() string } // pgx and lib/pq
	if errors.As(err, &state) {
		return state.SQLState()
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if match := mysqlNumber.FindStringSubmatch(err.Error()); match != nil {
			return match[1]
		}
	}
	return ""
}

// lost tells whether a statement did nothing since somebody else was faster.
func lost(err error) bool {
	switch code(err) {
	case "23505", "1062", // unique violation
		"40001", "40P01", "1213": // serialization failure, deadlock: the database gave this one up
		return true
	}
	return false
}

// exists tells whether a table could not be created since it, its row type or
// the catalogue's entry for it is there.
func exists(err error) bool {
	switch code(err) {
	case "42P07", "42710", "23505":
		return true
	}
	return false
}

// explain says what to do about an error, as far as that can be told.
func (s *Store) explain(ctx context.Context, doing string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err) // some drivers give the server's words alone
	}
	return fmt.Errorf("sqlstore: %s in table %s%s: %w", doing, s.table, s.cure(err), err)
}

const (
	missing  = ", which is missing (call Migrate, or run the statement of Schema)"
	unlike   = ", which is not as Schema says (compare it, or give another Options.Table)"
	confused = " through what seems to be a pooler that confuses statements (see Poolers in the README)"
)

func (s *Store) cure(err error) string {
	text := err.Error()
	switch code(err) {
	case "42P01", "1146":
		return missing
	case "42703", "42804", "42P10", "1054", "1364":
		return unlike
	case "42501", "1142", "1143":
		return ", where something is not allowed (grant SELECT, INSERT, UPDATE and DELETE on it, and CREATE for Migrate)"
	case "26000", "42P05", "08P01":
		return confused
	}
	switch {
	case strings.Contains(text, "no such table"):
		return missing
	case strings.Contains(text, "no such column"), strings.Contains(text, "has no column"):
		return unlike
	case errors.Is(err, errOthers):
		return confused
	case text == "sql: database is closed":
		return " of a DB that is closed (keep it open as long as the engine)"
	}
	return ""
}
