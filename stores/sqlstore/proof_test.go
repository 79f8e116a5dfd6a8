package sqlstore_test

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/mfatest"
	"github.com/protekt/mfa/stores/sqlstore"
)

func TestMain(m *testing.M) {
	if os.Getenv(brokenVariable) != "" {
		store.Patience = 3 * time.Second
	}
	store.Main(m, open)
}

// TestStore runs with every driver, and with the settings that change what a
// driver sends.
func TestStore(t *testing.T) {
	each(t, append(all, settings...), func(t *testing.T, d database) {
		p := d.place(t)
		mfatest.TestStore(t, func(t *testing.T) mfa.Store { return p.store(t, p.options()) })
	})
}

func TestLostStore(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		mfatest.TestLostStore(t, mfatest.Place{
			Create: func(ctx context.Context) error { return sqlstore.Migrate(ctx, p.db, p.dialect, options) },
			Open:   func(ctx context.Context) (mfa.Store, error) { return sqlstore.New(ctx, p.db, p.dialect, options) },
			Wipe: func(ctx context.Context) error {
				_, err := p.db.ExecContext(ctx, "DROP TABLE IF EXISTS "+options.Table)
				return err
			},
		})
	})
}

// TestEmptiedTableIsALoss: a table without its marker is no new store, neither to
// processes nor to Migrate.
func TestEmptiedTableIsALoss(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		running := p.store(t, options)
		if err := running.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.exec(t, "DELETE FROM "+options.Table)
		_, loaded := running.Load(t.Context(), "ada")
		_, opened := sqlstore.New(t.Context(), p.db, p.dialect, options)
		for doing, err := range map[string]error{
			"Load":    loaded,
			"New":     opened,
			"Migrate": sqlstore.Migrate(t.Context(), p.db, p.dialect, options),
		} {
			if err == nil || errors.Is(err, mfa.ErrNoRecord) || !strings.Contains(err.Error(), "is empty or was lost") {
				t.Errorf("%s: %v", doing, err)
			}
		}
		if err := running.Save(t.Context(), mfa.Record{UserID: "ada"}); err == nil {
			t.Error("a first Save succeeds")
		}
	})
}

// TestSeveralHosts: where the data source name has several servers, the store uses
// the one that takes writes.
func TestSeveralHosts(t *testing.T) {
	each(t, []database{pgx, libpq}, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		p.store(t, options)
		u, err := url.Parse(p.dsn)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set("host", "127.0.0.1,"+u.Hostname())
		query.Set("port", "1,"+cmp.Or(u.Port(), "5432")) // nobody listens on the first
		query.Set("target_session_attrs", "read-write")
		u.Host, u.RawQuery = "", query.Encode()
		p.dsn = u.String()
		several, closeStore, err := open(p.address(options))
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore()
		if err := several.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
			t.Error(err)
		}
		if _, err := several.Load(t.Context(), "ada"); err != nil {
			t.Error(err)
		}
	})
}

// TestReadOnlyServerIsRefused: a server that takes no Save may not have seen the
// last one.
func TestReadOnlyServerIsRefused(t *testing.T) {
	each(t, []database{pgx, libpq}, func(t *testing.T, d database) {
		p := d.place(t)
		p.db.SetMaxOpenConns(1) // for which the test sets what a server's configuration would
		options := p.options()
		store := p.store(t, options)
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.exec(t, "SET default_transaction_read_only = on")
		for _, id := range []string{"ada", "nobody"} {
			if record, err := store.Load(t.Context(), id); err == nil || !strings.Contains(err.Error(), "connect to the primary") {
				t.Errorf("Load of %s: %+v, %v", id, record, err)
			}
		}
		if _, err := sqlstore.New(t.Context(), p.db, p.dialect, options); err == nil || !strings.Contains(err.Error(), "connect to the primary") {
			t.Errorf("New: %v", err)
		}
		p.exec(t, "SET default_transaction_read_only = off")
		if _, err := store.Load(t.Context(), "ada"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestProcesses(t *testing.T) {
	each(t, []database{pgx, mariaDB, sqlite}, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		p.store(t, options)
		store.TestProcesses(t, open, p.address(options))
	})
}

func TestCrash(t *testing.T) {
	each(t, []database{pgx, mariaDB, sqlite}, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		p.store(t, options)
		if p.dialect == sqlstore.SQLite {
			p.db.Close() // SQLite recovers when the first connection opens the file
		}
		store.TestCrash(t, open, p.address(options), 50)
	})
}

func TestOutage(t *testing.T) {
	each(t, servers, func(t *testing.T, d database) { d.behindProxy(t, store.TestOutage) })
}

func TestHang(t *testing.T) {
	each(t, servers, func(t *testing.T, d database) { d.behindProxy(t, store.TestHang) })
}

// TestLostAnswers runs with every setting that changes what a driver sends, and
// when.
func TestLostAnswers(t *testing.T) {
	each(t, append(servers, settings...), func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		p.store(t, options)
		proxy, dsn := p.through(t, p.dsn)
		p.dsn = dsn
		behind, closeStore, err := open(p.address(options))
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore()
		store.TestLostAnswers(t, proxy, behind)
	})
}

// TestCallsEndWhileSQLiteIsLocked: SQLite has no server that hangs, but another
// process may hold the lock of the file.
func TestCallsEndWhileSQLiteIsLocked(t *testing.T) {
	p := sqlite.place(t)
	options := p.options()
	locked := p.store(t, options)
	other, err := sqlite.connect(t, p.dsn).Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec("DELETE FROM " + options.Table); err != nil { // takes the lock
		t.Fatal(err)
	}
	record := mfa.Record{UserID: "ada", Data: []byte("x")}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- locked.Save(ctx, record) }()
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mfa.ErrConflict) {
			t.Errorf("%v, want DeadlineExceeded", err)
		}
	case <-time.After(store.Patience): // busy_timeout is longer
		t.Error("Save does not end with its context")
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := locked.Save(t.Context(), record); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

type outage func(t *testing.T, proxy *store.Proxy, open func() (mfa.Store, func(), error))

func (d database) behindProxy(t *testing.T, test outage) {
	p := d.place(t)
	options := p.options()
	p.store(t, options)
	proxy, dsn := p.through(t, p.dsn)
	p.dsn = dsn
	test(t, proxy, func() (mfa.Store, func(), error) { return open(p.address(options)) })
}

var _ mfa.Store = (*sqlstore.Store)(nil)
