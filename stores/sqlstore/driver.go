package sqlstore

import (
	"database/sql"
	"reflect"
	"slices"
)

// punctual lists the packages of the drivers that end a call with its context
// even while the server hangs. lib/pq does not: it waits for the server to answer
// its request to cancel. A driver that wraps another is not known to do so.
var punctual = []string{
	"github.com/go-sql-driver/mysql",
	"github.com/jackc/pgx/v5/stdlib",
	"modernc.org/sqlite",
}

// isPunctual reports whether db's driver is one of punctual.
func isPunctual(db *sql.DB) bool {
	driver := reflect.TypeOf(db.Driver())
	if driver != nil && driver.Kind() == reflect.Pointer {
		driver = driver.Elem()
	}
	return driver != nil && slices.Contains(punctual, driver.PkgPath())
}
