//go:build linux

package cluster

import (
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/pgxstore"
	"github.com/protekt/mfa/stores/sqlstore"
)

// A onceOpener opens a store that makes a new connection for each call.
type onceOpener func(t *testing.T, server string) (mfa.Store, error)

func oncePGX(t *testing.T, server string) (mfa.Store, error) {
	config, err := pgxpool.ParseConfig("postgres://postgres@" + server + "/postgres")
	if err != nil {
		t.Fatal(err)
	}
	config.AfterRelease = func(*pgx.Conn) bool { return false } // close it
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pgxstore.New(t.Context(), pool, pgxstore.Options{})
}

// onceSQL returns the opener of a sqlstore. {server} in dsn stands for the server.
func onceSQL(driver string, dialect sqlstore.Dialect, dsn string) onceOpener {
	return func(t *testing.T, server string) (mfa.Store, error) {
		db, err := sql.Open(driver, strings.ReplaceAll(dsn, "{server}", server))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		db.SetMaxIdleConns(0)
		return sqlstore.New(t.Context(), db, dialect, sqlstore.Options{})
	}
}

// refusesReplica checks that a store does not open on the pair's replica, and does
// not load from it where an address leads from the primary to the replica while
// the store is open.
func (p *pair) refusesReplica(t *testing.T, ports [2]int, open onceOpener) {
	t.Helper()
	var leadsTo atomic.Int64
	leadsTo.Store(p.primary.Load())
	server := local(p.network.open(t, func() (to, port int) {
		to = int(leadsTo.Load())
		return to, ports[to]
	}))
	store, err := open(t, server)
	if err != nil {
		t.Fatal(err)
	}
	load := func(user string) error {
		_, err := store.Load(t.Context(), user)
		return err
	}
	if err := load("nobody"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Fatalf("Load from the primary: %v", err)
	}
	leadsTo.Store(1 - p.primary.Load())
	_, opened := open(t, server)
	for doing, err := range map[string]error{"New": opened, "Load": load("nobody")} {
		if err == nil || errors.Is(err, mfa.ErrNoRecord) || !strings.Contains(err.Error(), "connect to the primary") {
			t.Errorf("%s on a replica: %v", doing, err)
		}
	}
}
