package sqlstore

import (
	"database/sql"
	"reflect"
	"slices"
)

// punctual are the drivers that end a call with its context, also while the
// server hangs. lib/pq is none: it waits for the server's answer to its request
// to cancel. What wraps a driver is not known to be one.
var punctual = []string{
	"github.com/go-sql-driver/mysql",
	"github.com/jackc/pgx/v5/stdlib",
	"modernc.org/sqlite",
}

// endsCalls tells whether db's driver is one of those.
func endsCalls(db *sql.DB) bool {
	driver := reflect.TypeOf(db.Driver())
	if driver != nil && driver.Kind() == reflect.Pointer {
		driver = driver.Elem()
	}
	return driver != nil && slices.Contains(punctual, driver.PkgPath())
}
