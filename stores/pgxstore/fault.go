package pgxstore

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// undefinedTable is the SQLSTATE of a statement on a table that does not exist.
const undefinedTable = "42P01"

// code returns the SQLSTATE of an error of the server's, or "" for any other
// error.
func code(err error) string {
	var fault *pgconn.PgError
	if errors.As(err, &fault) {
		return fault.Code
	}
	return ""
}

// isConflict reports whether the server aborted a statement in favor of another
// transaction: by a serialization failure or a deadlock.
func isConflict(err error) bool {
	switch code(err) {
	case "40001", "40P01":
		return true
	}
	return false
}

// isDuplicate reports whether a table could not be created because it, its row
// type or its entry in the catalog exists.
func isDuplicate(err error) bool {
	switch code(err) {
	case "42P07", "42710", "23505":
		return true
	}
	return false
}

// explain returns err with what was being done and, for known faults, the cure.
// It returns nil for nil.
func explain(doing, table string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pgxstore: %s in table %s%s: %w", doing, table, cure(err), err)
}

// cure returns what is wrong and what to do about it, or "" for an unknown
// error.
func cure(err error) string {
	switch code(err) {
	case undefinedTable:
		return ", which is missing: this store is empty or was lost (restore it from a backup or, if there has never been one, call Migrate once)"
	case "42703", "42804", "42P10":
		return ", which does not match Schema (compare the two, or set another Options.Table)"
	case "42501":
		return ", where a permission is missing (grant SELECT, INSERT, UPDATE and DELETE on it, and CREATE for Migrate)"
	case "26000", "42P05", "08P01":
		return ", perhaps through a pooler that mixes up statements (see Poolers in the README)"
	}
	switch {
	case errors.Is(err, errLost):
		return " (restore it from a backup or, if there has never been a record in it, drop the table and call Migrate once)"
	case errors.Is(err, errReplaced):
		return " (start the process again if it was replaced on purpose)"
	case errors.Is(err, errReadOnly):
		return " (connect to the primary)"
	}
	return ""
}
