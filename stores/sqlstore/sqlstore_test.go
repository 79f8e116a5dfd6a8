package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/stores/sqlstore"
)

func TestNewRefusesInvalidArguments(t *testing.T) {
	db := sqlite.connect(t, sqlite.dsn(t))
	for _, good := range []string{"", "mfa_users", "app.mfa_users", "we?ird %s table", `a"b`, "a`b", "'; DROP TABLE users; --", strings.Repeat("x", 63)} {
		for _, dialect := range []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite} {
			if _, err := sqlstore.New(db, dialect, sqlstore.Options{Table: good}); err != nil {
				t.Errorf("%v, table %q: %v", dialect, good, err)
			}
		}
	}
	for _, bad := range []string{".", "a.", ".a", "a.b.c", "a\x00b", strings.Repeat("x", 64)} {
		if _, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Options{Table: bad}); err == nil || !strings.Contains(err.Error(), "Options.Table") {
			t.Errorf("table %q: %v", bad, err)
		}
	}
	for _, dialect := range []sqlstore.Dialect{0, -1, 4} {
		if _, err := sqlstore.New(db, dialect, sqlstore.Options{}); err == nil {
			t.Errorf("%v is accepted", dialect)
		}
	}
	if _, err := sqlstore.New(nil, sqlstore.SQLite, sqlstore.Options{}); err == nil {
		t.Error("a nil DB is accepted")
	}
}

// TestTableNames: every name is quoted and never becomes SQL.
func TestTableNames(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		for _, name := range []string{"mfa_users", "we?ird %s table", `quo"te`, "back`tick", "semi; DROP TABLE x; --", "SELECT", "Ünïcode", strings.Repeat("x", 63)} {
			options := sqlstore.Options{Table: name}
			if p.schema != "" {
				options.Table = p.schema + "." + name
			}
			store := p.store(t, options)
			record := mfa.Record{UserID: "ada", Methods: []mfa.Method{mfa.MethodTOTP}, Data: []byte(name)}
			if err := store.Save(t.Context(), record); err != nil {
				t.Errorf("%q: %v", name, err)
			}
			if got, err := store.Load(t.Context(), "ada"); err != nil || string(got.Data) != name {
				t.Errorf("%q: %q, %v", name, got.Data, err)
			}
		}
	})
}

func TestLimits(t *testing.T) {
	each(t, append(all, settings...), func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		store.TestLimits(t, p.store(t, options), func(userID string, version int64) {
			p.exec(t, "UPDATE "+options.Table+" SET version = "+strconv.FormatInt(version, 10)+" WHERE user_id = '"+userID+"'")
		})
	})
}

// TestDeleteTx: a user is deleted with the rest of the host's transaction or not
// at all.
func TestDeleteTx(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		store := p.store(t, p.options())
		ctx := t.Context()
		for _, id := range []string{"ada", "bob"} {
			if err := store.Save(ctx, mfa.Record{UserID: id}); err != nil {
				t.Fatal(err)
			}
		}
		in := func(end func(*sql.Tx) error) {
			t.Helper()
			tx, err := p.db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"ada", "nobody"} {
				if err := store.DeleteTx(ctx, tx, id); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
			if err := end(tx); err != nil {
				t.Fatal(err)
			}
		}
		in((*sql.Tx).Rollback)
		if _, err := store.Load(ctx, "ada"); err != nil {
			t.Errorf("rolled back: %v", err)
		}
		in((*sql.Tx).Commit)
		if _, err := store.Load(ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("committed: %v", err)
		}
		if _, err := store.Load(ctx, "bob"); err != nil {
			t.Errorf("another user: %v", err)
		}
	})
}

// TestMigrate: many may call it at once, and again on a table with records.
func TestMigrate(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		store, err := sqlstore.New(p.db, p.dialect, options)
		if err != nil {
			t.Fatal(err)
		}
		errs := make([]error, 16)
		var done sync.WaitGroup
		for i := range errs {
			done.Go(func() { errs[i] = store.Migrate(t.Context()) })
		}
		done.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
			t.Error(err)
		}
		if err := store.Migrate(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := store.Load(t.Context(), "ada"); err != nil {
			t.Errorf("after the second Migrate: %v", err)
		}
	})
}

// TestErrorsNameTheCure: a mistake of the host's is an error that says what to do
// about it, and never "no record" or a conflict.
func TestErrorsNameTheCure(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		say := func(name string, store *sqlstore.Store, want string) {
			t.Helper()
			_, err := store.Load(t.Context(), "ada")
			errs := map[string]error{
				"Load":            err,
				"the first Save":  store.Save(t.Context(), mfa.Record{UserID: "ada"}),
				"the second Save": store.Save(t.Context(), mfa.Record{UserID: "ada", Version: 1}),
			}
			for call, err := range errs {
				if err == nil || errors.Is(err, mfa.ErrNoRecord) || errors.Is(err, mfa.ErrConflict) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %s: %v; want it to say %q", name, call, err, want)
				}
			}
		}
		at := func(options sqlstore.Options) *sqlstore.Store {
			store, err := sqlstore.New(p.db, p.dialect, options)
			if err != nil {
				t.Fatal(err)
			}
			return store
		}
		say("no table", at(p.options()), "call Migrate")

		another := p.options()
		p.exec(t, "CREATE TABLE "+another.Table+" (user_id VARCHAR(100) PRIMARY KEY, version INT, other INT NOT NULL)")
		say("another table", at(another), "does not match Schema")
		if err := at(another).Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "does not match Schema") {
			t.Errorf("Migrate onto another table: %v", err)
		}

		db := p.connect(t, p.dsn)
		closed, err := sqlstore.New(db, p.dialect, p.options())
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		say("a closed DB", closed, "keep it open")
	})
}

// TestMissingPermissionNamesTheGrant: the error for a role without permissions
// says what to grant.
func TestMissingPermissionNamesTheGrant(t *testing.T) {
	d := pgx
	p := d.place(t)
	options := p.options()
	p.store(t, options)
	role := "mfa_test_" + strings.ToLower(rand.Text()[:12])
	_, err := p.db.Exec("CREATE ROLE " + role + " LOGIN")
	store.Require(t, "PostgreSQL where a role may be created", err)
	t.Cleanup(func() { p.exec(t, "DROP OWNED BY "+role); p.exec(t, "DROP ROLE "+role) })
	p.exec(t, "GRANT USAGE ON SCHEMA "+p.schema+" TO "+role)
	p.db.SetMaxOpenConns(1)
	p.exec(t, "SET ROLE "+role)
	defer p.exec(t, "RESET ROLE")
	store, err := sqlstore.New(p.db, p.dialect, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(t.Context(), "ada"); err == nil || !strings.Contains(err.Error(), "grant SELECT") {
		t.Errorf("Load: %v; want it to say what to grant", err)
	}
}

// TestMigrateRefusesAutocommitOff: without autocommit, nothing that is saved would
// be kept.
func TestMigrateRefusesAutocommitOff(t *testing.T) {
	p := mariaDB.place(t)
	separator := "?"
	if strings.Contains(p.dsn, "?") {
		separator = "&"
	}
	store, err := sqlstore.New(p.connect(t, p.dsn+separator+"autocommit=0"), p.dialect, p.options())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "autocommit=0") {
		t.Errorf("%v; want it to name autocommit=0", err)
	}
}

// TestCancelledContextIsTheError: whatever the driver returns, the error of a
// cancelled context is found in it.
func TestCancelledContextIsTheError(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		store := p.store(t, p.options())
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := store.Load(ctx, "ada")
		for _, err := range []error{err, store.Save(ctx, mfa.Record{UserID: "ada", Version: 1}), store.Delete(ctx, "ada")} {
			if !errors.Is(err, context.Canceled) || errors.Is(err, mfa.ErrConflict) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// TestHostsQueries: the host can query the table for users without MFA and for
// those with a method.
func TestHostsQueries(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		store := p.store(t, options)
		for id, methods := range map[string][]mfa.Method{"none": nil, "app": {mfa.MethodTOTP}, "both": {mfa.MethodTOTP, mfa.MethodSMS}} {
			if err := store.Save(t.Context(), mfa.Record{UserID: id, Methods: methods}); err != nil {
				t.Fatal(err)
			}
		}
		for where, want := range map[string]string{"methods = ''": "none", "methods = 'totp,sms'": "both", "methods LIKE 'totp%' AND updated_at IS NOT NULL AND version = 1": "app both"} {
			var got []string
			rows, err := p.db.Query("SELECT user_id FROM " + options.Table + " WHERE " + where + " ORDER BY user_id")
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var id string
				if err := rows.Scan(&id); err != nil {
					t.Fatal(err)
				}
				got = append(got, id)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %v, want %s", where, got, want)
			}
		}
	})
}
