package load

import (
	"context"
	"crypto/rand"
	"database/sql"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/stores/sqlstore"
)

// connections is the maximum number of connections in the pool.
const connections = 16

// postgres returns an empty store in a schema of its own, or skips the test.
func postgres(t *testing.T) (*sqlstore.Store, *sql.DB) {
	t.Helper()
	db := connect(t)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	store.Require(t, "PostgreSQL", db.PingContext(ctx))
	schema := "mfa_test_" + strings.ToLower(rand.Text()[:12])
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // runs after the test has closed the pool
		if _, err := connect(t).Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	options := sqlstore.Options{Table: schema + ".mfa_users"}
	if err := sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL, options); err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.New(ctx, db, sqlstore.PostgreSQL, options)
	if err != nil {
		t.Fatal(err)
	}
	return store, db
}

func connect(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", store.Address("MFA_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
