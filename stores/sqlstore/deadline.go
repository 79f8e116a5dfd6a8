package sqlstore

import (
	"context"
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
	if driver.Kind() == reflect.Pointer {
		driver = driver.Elem()
	}
	return slices.Contains(punctual, driver.PkgPath())
}

// within ends with ctx, though call may go on and get something done: what
// call was given must stay as it is, and what it gives then is lost. It is how
// the calls of any other driver end in time.
func within[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type outcome struct {
		value    T
		err      error
		panicked any
	}
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panicked = recover() // it is the caller's, who may be ready for it
			ended <- o
		}()
		o.value, o.err = call()
	}()
	select {
	case o := <-ended:
		if o.panicked != nil {
			panic(o.panicked)
		}
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
