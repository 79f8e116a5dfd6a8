package pgxstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/mfatest"
	"github.com/protekt/mfa/stores/pgxstore"
)

func TestMain(m *testing.M) { store.Main(m, open) }

// server returns the URL of the server.
func server() string {
	return store.Address("MFA_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
}

// with returns the URL of the server with a setting added.
func with(t testing.TB, key, value string) string {
	t.Helper()
	u, err := url.Parse(server())
	if err != nil {
		t.Fatal(err)
	}
	settings := u.Query()
	settings.Set(key, value)
	u.RawQuery = settings.Encode()
	return u.String()
}

// connect returns a pool. Four processes with one each stay below PostgreSQL's
// usual limit of 100 connections.
func connect(url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 16
	return pgxpool.NewWithConfig(context.Background(), config)
}

// open is a store.Opener. An address is a table and a server.
func open(address string) (mfa.Store, func(), error) {
	table, url, _ := strings.Cut(address, " ")
	pool, err := connect(url)
	if err != nil {
		return nil, nil, err
	}
	store, err := pgxstore.New(context.Background(), pool, pgxstore.Options{Table: table})
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return store, pool.Close, nil
}

// place returns a pool of connections to the server at that URL and the name of a
// schema for the test alone, or skips the test if there is no server.
func place(t testing.TB, url string) (pool *pgxpool.Pool, schema string) {
	t.Helper()
	pool, err := connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	store.Require(t, "PostgreSQL", pool.Ping(ctx))
	schema = "mfa_test_" + strings.ToLower(rand.Text()[:12])
	execute(t, pool, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { execute(t, pool, "DROP SCHEMA "+schema+" CASCADE") })
	return pool, schema
}

func execute(t testing.TB, pool *pgxpool.Pool, statement string) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// create creates a store in a table and opens it.
func create(t testing.TB, pool *pgxpool.Pool, table string) *pgxstore.Store {
	t.Helper()
	options := pgxstore.Options{Table: table}
	if err := pgxstore.Migrate(context.Background(), pool, options); err != nil {
		t.Fatal(err)
	}
	store, err := pgxstore.New(context.Background(), pool, options)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// settings change what pgx sends.
var settings = []struct{ name, key, value string }{
	{"as they are", "application_name", "mfa"},
	{"as for a pooler", "default_query_exec_mode", "exec"},
	{"simple protocol", "default_query_exec_mode", "simple_protocol"},
	{"serializable", "default_transaction_isolation", "serializable"},
}

func TestStore(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			pool, schema := place(t, with(t, s.key, s.value))
			stores := 0
			mfatest.TestStore(t, func(t *testing.T) mfa.Store {
				stores++
				return create(t, pool, fmt.Sprintf("%s.users_%d", schema, stores))
			})
		})
	}
}

func TestLostStore(t *testing.T) {
	pool, schema := place(t, server())
	options := pgxstore.Options{Table: schema + ".users"}
	mfatest.TestLostStore(t, mfatest.Place{
		Create: func(ctx context.Context) error { return pgxstore.Migrate(ctx, pool, options) },
		Open:   func(ctx context.Context) (mfa.Store, error) { return pgxstore.New(ctx, pool, options) },
		Wipe: func(ctx context.Context) error {
			_, err := pool.Exec(ctx, "DROP TABLE IF EXISTS "+options.Table)
			return err
		},
	})
}

func TestLimits(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			pool, schema := place(t, with(t, s.key, s.value))
			store.TestLimits(t, create(t, pool, schema+".users"), func(userID string, version int64) {
				execute(t, pool, "UPDATE "+schema+".users SET version = "+strconv.FormatInt(version, 10)+" WHERE user_id = '"+userID+"'")
			})
		})
	}
}

func TestProcesses(t *testing.T) { atAddress(t, store.TestProcesses) }

func TestCrash(t *testing.T) {
	atAddress(t, func(t *testing.T, open store.Opener, address string) { store.TestCrash(t, open, address, 50) })
}

func atAddress(t *testing.T, test func(*testing.T, store.Opener, string)) {
	pool, schema := place(t, server())
	create(t, pool, schema+".users")
	test(t, open, schema+".users "+server())
}

func TestOutage(t *testing.T) { behindProxy(t, store.TestOutage) }
func TestHang(t *testing.T)   { behindProxy(t, store.TestHang) }

func behindProxy(t *testing.T, test func(*testing.T, *store.Proxy, func() (mfa.Store, func(), error))) {
	pool, schema := place(t, server())
	create(t, pool, schema+".users")
	proxy, url := through(t, server())
	test(t, proxy, func() (mfa.Store, func(), error) { return open(schema + ".users " + url) })
}

// through starts a proxy in front of the server at that URL, and returns it with
// the URL that goes through it.
func through(t *testing.T, server string) (*store.Proxy, string) {
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := store.NewProxy(t, u.Host)
	u.Host = proxy.Addr
	return proxy, u.String()
}

// TestLostAnswers: pgx sends no Save again.
func TestLostAnswers(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			pool, schema := place(t, with(t, s.key, s.value))
			create(t, pool, schema+".users")
			proxy, url := through(t, with(t, s.key, s.value))
			behind, closeStore, err := open(schema + ".users " + url)
			if err != nil {
				t.Fatal(err)
			}
			defer closeStore()
			store.TestLostAnswers(t, proxy, behind)
		})
	}
}

// TestDeleteTx: a user is deleted with the rest of the host's transaction or not
// at all.
func TestDeleteTx(t *testing.T) {
	pool, schema := place(t, server())
	store := create(t, pool, schema+".users")
	ctx := t.Context()
	for _, id := range []string{"ada", "bob"} {
		if err := store.Save(ctx, mfa.Record{UserID: id}); err != nil {
			t.Fatal(err)
		}
	}
	in := func(end func(pgx.Tx, context.Context) error) {
		t.Helper()
		tx, err := pool.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"ada", "nobody"} {
			if err := store.DeleteTx(ctx, tx, id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
		if err := store.DeleteTx(ctx, tx, ""); !errors.Is(err, mfa.ErrInvalidUser) {
			t.Errorf("the marker's user ID: %v, want ErrInvalidUser", err)
		}
		if err := end(tx, ctx); err != nil {
			t.Fatal(err)
		}
	}
	in(pgx.Tx.Rollback)
	if _, err := store.Load(ctx, "ada"); err != nil {
		t.Errorf("rolled back: %v", err)
	}
	in(pgx.Tx.Commit)
	if _, err := store.Load(ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("committed: %v", err)
	}
	if _, err := store.Load(ctx, "bob"); err != nil {
		t.Errorf("another user: %v", err)
	}
}

// TestMigrate: many may call it at once, and again on a table with records.
func TestMigrate(t *testing.T) {
	pool, schema := place(t, server())
	ctx := t.Context()
	options := pgxstore.Options{Table: schema + ".users"}
	errs := make([]error, 16)
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() { errs[i] = pgxstore.Migrate(ctx, pool, options) })
	}
	done.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	var settings []string
	var partial bool
	if err := pool.QueryRow(ctx, `SELECT reloptions, EXISTS (SELECT 1 FROM pg_index WHERE indrelid = pg_class.oid AND indpred IS NOT NULL)
		FROM pg_class WHERE oid = $1::regclass`, options.Table).Scan(&settings, &partial); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(settings, "fillfactor=85") || !partial {
		t.Errorf("the table has %v, and a partial index: %v", settings, partial)
	}
	store, err := pgxstore.New(ctx, pool, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Save(ctx, mfa.Record{UserID: "ada"}); err != nil {
		t.Error(err)
	}
	if err := pgxstore.Migrate(ctx, pool, options); err != nil {
		t.Error(err)
	}
	if _, err := store.Load(ctx, "ada"); err != nil {
		t.Errorf("after the second Migrate: %v", err)
	}
	if _, err := store.Load(ctx, "bob"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("after the second Migrate, the store has another identity: %v", err)
	}
}

// TestSchema: its statements create the store, in a migration of the host's.
func TestSchema(t *testing.T) {
	pool, schema := place(t, server())
	options := pgxstore.Options{Table: schema + ".users"}
	statements, err := pgxstore.Schema(options)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, pool, statements)
	store, err := pgxstore.New(t.Context(), pool, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(t.Context(), "ada"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Error(err)
	}
}

// TestTableIsThatOfSQLStore: sqlstore and pgxstore create the same table with the
// same marker, so that both may serve it.
func TestTableIsThatOfSQLStore(t *testing.T) {
	theirs, err := os.ReadFile("../sqlstore/schema/postgresql/0001_mfa_users.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := pgxstore.Schema(pgxstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if ours = "-- +goose Up\n" + strings.ReplaceAll(ours, `"mfa_users"`, "mfa_users"); ours != string(theirs) {
		t.Errorf("got\n%s\nwant\n%s", ours, theirs)
	}
}

// TestReadOnlyServerIsRefused: a server that takes no Save may not have seen the
// last one.
func TestReadOnlyServerIsRefused(t *testing.T) {
	pool, schema := place(t, server())
	table := schema + ".users"
	if err := create(t, pool, table).Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
		t.Fatal(err)
	}
	var readOnly atomic.Bool
	config := pool.Config()
	config.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		_, err := conn.Exec(ctx, fmt.Sprintf("SET default_transaction_read_only = %v", readOnly.Load()))
		return true, err
	}
	switched, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer switched.Close()
	store := create(t, switched, table)
	if _, err := store.Load(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	readOnly.Store(true)
	for _, id := range []string{"ada", "nobody"} {
		if record, err := store.Load(t.Context(), id); err == nil || !strings.Contains(err.Error(), "primary") {
			t.Errorf("Load of %s: %+v, %v; want it to ask for the primary", id, record, err)
		}
	}
	options := pgxstore.Options{Table: table}
	if _, err := pgxstore.New(t.Context(), switched, options); err == nil || !strings.Contains(err.Error(), "primary") {
		t.Errorf("New: %v; want it to ask for the primary", err)
	}
}

// TestErrorsNameTheCure: a mistake of the host's is an error that says what to do
// about it.
func TestErrorsNameTheCure(t *testing.T) {
	pool, schema := place(t, server())
	ctx := t.Context()
	says := func(what string, err error, want string) {
		t.Helper()
		if err == nil || errors.Is(err, mfa.ErrNoRecord) || errors.Is(err, mfa.ErrConflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want it to say %q", what, err, want)
		}
	}
	_, err := pgxstore.New(ctx, nil, pgxstore.Options{})
	says("no pool", err, "pgxpool.New")
	says("no pool for Migrate", pgxstore.Migrate(ctx, nil, pgxstore.Options{}), "pgxpool.New")
	_, err = pgxstore.New(ctx, pool, pgxstore.Options{Table: schema + ".users"})
	says("no table", err, "call Migrate")
	store := create(t, pool, schema+".emptied")
	execute(t, pool, "TRUNCATE "+schema+".emptied")
	_, err = store.Load(ctx, "ada")
	says("an emptied table", err, "restore it")

	other := pgxstore.Options{Table: schema + ".other"}
	execute(t, pool, "CREATE TABLE "+other.Table+" (user_id text PRIMARY KEY, version int, other int NOT NULL)")
	_, err = pgxstore.New(ctx, pool, other)
	says("another table", err, "does not match Schema")
	says("Migrate onto another table", pgxstore.Migrate(ctx, pool, other), "does not match Schema")

	for _, bad := range []string{".", "a.", ".a", "a.b.c", "a\x00b", strings.Repeat("x", 64)} {
		_, err := pgxstore.New(ctx, pool, pgxstore.Options{Table: bad})
		says("New in table "+bad, err, "Options.Table")
		_, err = pgxstore.Schema(pgxstore.Options{Table: bad})
		says("Schema of table "+bad, err, "Options.Table")
	}
}

// TestTableNames: every name is quoted and never becomes SQL.
func TestTableNames(t *testing.T) {
	pool, schema := place(t, server())
	for _, name := range []string{"mfa_users", "{table}", `quo"te`, "semi; DROP TABLE x; --", "SELECT", "Ünïcode", strings.Repeat("x", 63)} {
		store := create(t, pool, schema+"."+name)
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Data: []byte(name)}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if got, err := store.Load(t.Context(), "ada"); err != nil || string(got.Data) != name {
			t.Errorf("%q: %q, %v", name, got.Data, err)
		}
	}
}

// TestRoles: a role that may not create anything can start, and one without
// permissions on the table is told what to grant.
func TestRoles(t *testing.T) {
	pool, schema := place(t, server())
	options := pgxstore.Options{Table: schema + ".users"}
	create(t, pool, options.Table)
	role := "mfa_test_" + strings.ToLower(rand.Text()[:12])
	_, err := pool.Exec(t.Context(), "CREATE ROLE "+role)
	store.Require(t, "PostgreSQL where a role may be created", err)
	t.Cleanup(func() { execute(t, pool, "DROP OWNED BY "+role); execute(t, pool, "DROP ROLE "+role) })
	execute(t, pool, "GRANT USAGE ON SCHEMA "+schema+" TO "+role)

	config := pool.Config()
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET ROLE "+role)
		return err
	}
	theirs, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if _, err := pgxstore.New(t.Context(), theirs, options); err == nil || !strings.Contains(err.Error(), "grant SELECT") {
		t.Errorf("without permissions: %v; want it to say what to grant", err)
	}
	execute(t, pool, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+options.Table+" TO "+role)
	if err := pgxstore.Migrate(t.Context(), theirs, options); err != nil {
		t.Errorf("Migrate where nothing needs to be created: %v", err)
	}
	if _, err := pgxstore.New(t.Context(), theirs, options); err != nil {
		t.Error(err)
	}
}

var _ mfa.Store = (*pgxstore.Store)(nil)
