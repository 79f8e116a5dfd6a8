package sqlstore

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"slices"
)

// punctual lists the packages of the drivers that end a call with its context
// even while the server hangs. lib/pq does not: it waits for the server to answer
// its request to cancel.
var punctual = []string{
	"github.com/go-sql-driver/mysql",
	"github.com/jackc/pgx/v5/stdlib",
	"modernc.org/sqlite",
}

// isPunctual reports whether db's driver is one of punctual, or one that wraps
// it, as otelsql does to trace calls.
func isPunctual(db *sql.DB) bool { return holdsPunctual(reflect.ValueOf(db.Driver())) }

func holdsPunctual(value reflect.Value) bool {
	for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	if !value.IsValid() {
		return false
	}
	if slices.Contains(punctual, value.Type().PkgPath()) {
		return true
	}
	if value.Kind() != reflect.Struct {
		return false
	}
	for _, field := range value.Fields() {
		if field.Type() == reflect.TypeFor[driver.Driver]() && holdsPunctual(field) {
			return true
		}
	}
	return false
}
