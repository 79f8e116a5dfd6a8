package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/stores/sqlstore"
)

// A database is a server, or SQLite, used through one driver.
type database struct {
	name    string
	driver  string
	dialect sqlstore.Dialect
	dsn     func(t testing.TB) string
}

var (
	pgx      = database{"PostgreSQL by pgx", "pgx", sqlstore.PostgreSQL, postgresDSN}
	libpq    = database{"PostgreSQL by lib-pq", "postgres", sqlstore.PostgreSQL, postgresDSN}
	mariaDB  = database{"MariaDB", "mysql", sqlstore.MySQL, mysqlDSN}
	sqlite   = database{"SQLite", "sqlite", sqlstore.SQLite, sqliteDSN}
	all      = []database{pgx, libpq, mariaDB, sqlite}
	servers  = []database{pgx, libpq, mariaDB}
	settings = []database{ // with settings that change what a driver sends
		{"PostgreSQL by pgx, simple protocol", "pgx", sqlstore.PostgreSQL, also(postgresDSN, "default_query_exec_mode", "simple_protocol")},
		{"PostgreSQL by pgx, as for a pooler", "pgx", sqlstore.PostgreSQL, also(postgresDSN, "default_query_exec_mode", "exec")},
		{"PostgreSQL by lib-pq, as for a pooler", "postgres", sqlstore.PostgreSQL, also(postgresDSN, "binary_parameters", "yes")},
		{"PostgreSQL by pgx, serializable", "pgx", sqlstore.PostgreSQL, also(postgresDSN, "default_transaction_isolation", "serializable")},
		{"MariaDB with CLIENT_FOUND_ROWS", "mysql", sqlstore.MySQL, also(mysqlDSN, "clientFoundRows", "true")},
		{"MariaDB with interpolateParams", "mysql", sqlstore.MySQL, also(mysqlDSN, "interpolateParams", "true")},
		{"MariaDB in latin1", "mysql", sqlstore.MySQL, also(mysqlDSN, "charset", "latin1")},
	}
)

// each runs a test on each of the databases. The test skips those without a
// server.
func each(t *testing.T, databases []database, test func(t *testing.T, d database)) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			if testing.Short() && slices.ContainsFunc(settings, func(s database) bool { return s.name == d.name }) {
				t.Skip("left out by -short: settings of drivers")
			}
			test(t, d)
		})
	}
}

func postgresDSN(testing.TB) string {
	return store.Address("MFA_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
}

func mysqlDSN(testing.TB) string {
	return store.Address("MFA_TEST_MYSQL", "root@tcp(127.0.0.1:3306)/test")
}

// sqliteDSN returns a data source name for a new file, with the README's settings.
func sqliteDSN(t testing.TB) string {
	path := filepath.Join(t.TempDir(), "mfa.db")
	return "file:" + path + "?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
}

// also returns dsn with a parameter added.
func also(dsn func(testing.TB) string, key, value string) func(testing.TB) string {
	return func(t testing.TB) string {
		mark := "?"
		if name := dsn(t); strings.Contains(name, "?") {
			mark = "&"
		}
		return dsn(t) + mark + key + "=" + url.QueryEscape(value)
	}
}

// through starts a proxy in front of the server of dsn, and returns it with the
// data source name that goes through it.
func (d database) through(t testing.TB, dsn string) (*store.Proxy, string) {
	if d.dialect == sqlstore.MySQL {
		config, err := mysql.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		proxy := store.NewProxy(t, config.Addr)
		config.Addr = proxy.Addr
		return proxy, config.FormatDSN()
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	proxy := store.NewProxy(t, u.Host)
	u.Host = proxy.Addr
	return proxy, u.String()
}

// A place is a schema, or a file of SQLite, for one test alone.
type place struct {
	database
	dsn    string
	schema string // "" in SQLite
	db     *sql.DB
}

// connections is the size of a pool: four processes stay below PostgreSQL's usual
// limit of 100.
const connections = 16

// place connects to the database, or skips the test if there is no server. It
// removes everything after the test.
func (d database) place(t testing.TB) *place {
	t.Helper()
	p := &place{database: d, dsn: d.dsn(t)}
	p.db = p.connect(t, p.dsn)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	store.Require(t, d.name, p.db.PingContext(ctx))
	if d.dialect == sqlstore.SQLite {
		return p
	}
	p.schema = "mfa_test_" + strings.ToLower(rand.Text()[:12])
	p.exec(t, "CREATE SCHEMA "+p.schema)
	t.Cleanup(func() {
		drop := "DROP SCHEMA " + p.schema
		if d.dialect == sqlstore.PostgreSQL {
			drop += " CASCADE"
		}
		p.exec(t, drop)
	})
	return p
}

func (d database) connect(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	t.Cleanup(func() { db.Close() })
	return db
}

func (p *place) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := p.db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

var tables atomic.Int64

// options returns options with a table for one store alone.
func (p *place) options() sqlstore.Options {
	table := fmt.Sprintf("users_%d", tables.Add(1))
	if p.schema != "" {
		table = p.schema + "." + table
	}
	return sqlstore.Options{Table: table}
}

// store creates and opens a store.
func (p *place) store(t testing.TB, options sqlstore.Options) *sqlstore.Store {
	t.Helper()
	ctx := context.Background()
	if err := sqlstore.Migrate(ctx, p.db, p.dialect, options); err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.New(ctx, p.db, p.dialect, options)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// address returns the address at which open opens the same table.
func (p *place) address(options sqlstore.Options) string {
	return strings.Join([]string{p.driver, fmt.Sprint(int(p.dialect)), options.Table, p.dsn}, " ")
}

// open is a store.Opener. Each store has a pool of its own.
func open(address string) (mfa.Store, func(), error) {
	parts := strings.SplitN(address, " ", 4)
	if len(parts) != 4 {
		return nil, nil, errors.New("not an address: " + address)
	}
	var dialect sqlstore.Dialect
	if _, err := fmt.Sscan(parts[1], (*int)(&dialect)); err != nil {
		return nil, nil, err
	}
	db, err := sql.Open(parts[0], parts[3])
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	store, err := sqlstore.New(context.Background(), db, dialect, sqlstore.Options{Table: parts[2]})
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return broken(store), func() { db.Close() }, nil
}
