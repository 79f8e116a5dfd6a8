package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// mysqlNumber matches the start of the text of a server's error, as
// go-sql-driver/mysql formats it. The number is otherwise only in a field, which
// cannot be read without importing the driver.
var mysqlNumber = regexp.MustCompile(`^Error (\d+) \(`)

// code returns the SQLSTATE of an error from PostgreSQL, the number of one from
// MySQL, or "" for any other error.
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

// isConflict reports whether a statement had no effect because another
// transaction was faster.
func isConflict(err error) bool {
	switch code(err) {
	case "23505", "1062", // unique violation
		"40001", "40P01", "1213": // serialization failure, deadlock: the database aborted this statement
		return true
	}
	return false
}

// isDuplicate reports whether a table could not be created because it, its row
// type or its entry in the catalog exists.
func isDuplicate(err error) bool {
	switch code(err) {
	case "42P07", "42710", "23505", "1050":
		return true
	}
	return err != nil && strings.Contains(err.Error(), "already exists") // SQLite
}

// isMissing reports whether a table does not exist.
func isMissing(err error) bool {
	switch code(err) {
	case "42P01", "1146":
		return true
	}
	return err != nil && strings.Contains(err.Error(), "no such table")
}

// explain returns err with what was being done and, for known faults, the cure.
// It adds the error of a context that has ended, which some drivers leave out.
// It returns nil for nil.
func (s *Store) explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return fmt.Errorf("sqlstore: %s in table %s%s: %w", doing, s.table, cure(err), err)
}

const (
	missing  = ", which is missing: this store is empty or was lost (restore it from a backup or, if there has never been one, call Migrate once)"
	unmarked = " (restore it from a backup or, if there has never been a record in it, drop the table and call Migrate once)"
	replaced = " (start the process again if it was replaced on purpose)"
	readOnly = " (connect to the primary)"
	unlike   = ", which does not match Schema (compare the two, or set another Options.Table)"
	confused = ", perhaps through a pooler that mixes up statements (see What must hold in the README)"
)

// cure returns what is wrong and what to do about it, or "" for an unknown
// error.
func cure(err error) string {
	text := err.Error()
	if isMissing(err) {
		return missing
	}
	switch code(err) {
	case "42703", "42804", "42P10", "1054", "1364":
		return unlike
	case "42501", "1142", "1143":
		return ", where a permission is missing (grant SELECT, INSERT, UPDATE and DELETE on it, and CREATE for Migrate)"
	case "26000", "42P05", "08P01":
		return confused
	}
	switch {
	case strings.Contains(text, "no such column"), strings.Contains(text, "has no column"):
		return unlike
	case errors.Is(err, errLost):
		return unmarked
	case errors.Is(err, errReplaced):
		return replaced
	case errors.Is(err, errReadOnly):
		return readOnly
	case errors.Is(err, errOthers):
		return confused
	case text == "sql: database is closed":
		return " of a DB that is closed (keep it open as long as the engine)"
	}
	return ""
}
