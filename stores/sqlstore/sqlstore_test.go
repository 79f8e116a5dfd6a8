package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"io/fs"
	"slices"
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
	check := func(db *sql.DB, dialect sqlstore.Dialect, options sqlstore.Options) error {
		_, opened := sqlstore.New(t.Context(), db, dialect, options)
		migrated := sqlstore.Migrate(t.Context(), db, dialect, options)
		if opened == nil || migrated == nil {
			return nil
		}
		return opened
	}
	for _, bad := range []string{".", "a.", ".a", "a.b.c", "a\x00b", strings.Repeat("x", 64)} {
		if err := check(db, sqlstore.SQLite, sqlstore.Options{Table: bad}); err == nil || !strings.Contains(err.Error(), "Options.Table") {
			t.Errorf("table %q: %v", bad, err)
		}
		if _, err := sqlstore.Schema(sqlstore.SQLite, sqlstore.Options{Table: bad}); err == nil {
			t.Errorf("table %q: has a Schema", bad)
		}
	}
	for _, dialect := range []sqlstore.Dialect{0, -1, 4} {
		if err := check(db, dialect, sqlstore.Options{}); err == nil || !strings.Contains(err.Error(), "unknown dialect") {
			t.Errorf("%v: %v", dialect, err)
		}
		if _, err := sqlstore.Schema(dialect, sqlstore.Options{}); err == nil {
			t.Errorf("%v has a Schema", dialect)
		}
	}
	if err := check(nil, sqlstore.SQLite, sqlstore.Options{}); err == nil {
		t.Error("a nil DB is accepted")
	}
}

// TestTableNames: every name is quoted and never becomes SQL.
func TestTableNames(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		for _, name := range []string{"mfa_users", "we?ird %s table", `quo"te`, "back`tick", "semi; DROP TABLE x; --", "semi;\nline", "SELECT", "Ünïcode", strings.Repeat("x", 63)} {
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
		errs := make([]error, 16)
		var done sync.WaitGroup
		for i := range errs {
			done.Go(func() { errs[i] = sqlstore.Migrate(t.Context(), p.db, p.dialect, options) })
		}
		done.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		store := p.store(t, options)
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
			t.Error(err)
		}
		if err := sqlstore.Migrate(t.Context(), p.db, p.dialect, options); err != nil {
			t.Error(err)
		}
		if _, err := store.Load(t.Context(), "ada"); err != nil {
			t.Errorf("after the second Migrate: %v", err)
		}
	})
}

// TestSchema: the statements of Schema create what Migrate creates.
func TestSchema(t *testing.T) {
	each(t, []database{pgx, mariaDB, sqlite}, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		schema, err := sqlstore.Schema(p.dialect, options)
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(strings.TrimSpace(schema), ";\n") {
			p.exec(t, statement)
		}
		if err := sqlstore.Migrate(t.Context(), p.db, p.dialect, options); err != nil {
			t.Error(err)
		}
		if _, err := p.store(t, options).Load(t.Context(), "ada"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%v, want ErrNoRecord", err)
		}
	})
}

// TestMigrations: each dialect has the one file that migration tools look for.
func TestMigrations(t *testing.T) {
	for _, dialect := range []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite} {
		files, err := sqlstore.Migrations(dialect)
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(files, "*")
		if err != nil || !slices.Equal(names, []string{"0001_mfa_users.up.sql"}) {
			t.Errorf("%v: %q, %v", dialect, names, err)
		}
		text, err := fs.ReadFile(files, "0001_mfa_users.up.sql")
		if err != nil || !strings.HasPrefix(string(text), "-- +goose Up\n") || strings.Count(string(text), "CREATE TABLE mfa_users ") != 1 {
			t.Errorf("%v: %s, %v", dialect, text, err)
		}
	}
	if _, err := sqlstore.Migrations(0); err == nil {
		t.Error("no dialect has migrations")
	}
}

// TestErrorsNameTheCure: a mistake of the host's is an error that says what to do
// about it, and never "no record" or a conflict.
func TestErrorsNameTheCure(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		say := func(name, want string, errs ...error) {
			t.Helper()
			for _, err := range errs {
				if err == nil || errors.Is(err, mfa.ErrNoRecord) || errors.Is(err, mfa.ErrConflict) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v; want it to say %q", name, err, want)
				}
			}
		}
		calls := func(store *sqlstore.Store) []error {
			_, err := store.Load(t.Context(), "ada")
			return []error{err, store.Save(t.Context(), mfa.Record{UserID: "ada"}), store.Save(t.Context(), mfa.Record{UserID: "ada", Version: 1})}
		}
		_, err := sqlstore.New(t.Context(), p.db, p.dialect, p.options())
		say("New without a table", "call Migrate", err)

		options := p.options()
		store := p.store(t, options)
		p.exec(t, "DROP TABLE "+options.Table)
		say("a table that was dropped", "restore it from a backup", calls(store)...)

		p.exec(t, "CREATE TABLE "+options.Table+" (user_id VARCHAR(100) PRIMARY KEY, version INT, other INT NOT NULL)")
		say("another table", "does not match Schema", calls(store)...)
		_, err = sqlstore.New(t.Context(), p.db, p.dialect, options)
		say("New on another table", "does not match Schema", err, sqlstore.Migrate(t.Context(), p.db, p.dialect, options))

		options = p.options()
		p.store(t, options)
		closed, closeStore, err := open(p.address(options))
		if err != nil {
			t.Fatal(err)
		}
		closeStore()
		say("a closed DB", "keep it open", calls(closed.(*sqlstore.Store))...)
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
	if _, err := sqlstore.New(t.Context(), p.db, p.dialect, options); err == nil || !strings.Contains(err.Error(), "grant SELECT") {
		t.Errorf("New: %v; want it to say what to grant", err)
	}
	p.exec(t, "RESET ROLE")
	p.exec(t, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+options.Table+" TO "+role)
	p.exec(t, "SET ROLE "+role)
	if err := sqlstore.Migrate(t.Context(), p.db, p.dialect, options); err != nil {
		t.Errorf("Migrate of an existing store, without CREATE: %v", err)
	}
	if err := p.store(t, options).Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
		t.Errorf("Save: %v", err)
	}
}

// TestNewRefusesAutocommitOff: without autocommit, nothing that is saved would
// be kept.
func TestNewRefusesAutocommitOff(t *testing.T) {
	p := mariaDB.place(t)
	separator := "?"
	if strings.Contains(p.dsn, "?") {
		separator = "&"
	}
	options := p.options()
	p.store(t, options)
	_, err := sqlstore.New(t.Context(), p.connect(t, p.dsn+separator+"autocommit=0"), p.dialect, options)
	if err == nil || !strings.Contains(err.Error(), "autocommit=0") {
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

// TestHostsQueries: the host can ask for users without MFA, most of whom have no
// row, and for those with a method.
func TestHostsQueries(t *testing.T) {
	each(t, all, func(t *testing.T, d database) {
		p := d.place(t)
		options := p.options()
		store := p.store(t, options)
		users := p.options().Table
		p.exec(t, "CREATE TABLE "+users+" (id VARCHAR(255) PRIMARY KEY)")
		for id, methods := range map[string][]mfa.Method{"none": nil, "app": {mfa.MethodTOTP}, "both": {mfa.MethodTOTP, mfa.MethodSMS}} {
			p.exec(t, "INSERT INTO "+users+" VALUES ('"+id+"')")
			if err := store.Save(t.Context(), mfa.Record{UserID: id, Methods: methods}); err != nil {
				t.Fatal(err)
			}
		}
		p.exec(t, "INSERT INTO "+users+" VALUES ('never asked')")
		for query, want := range map[string]string{
			"SELECT id FROM users WHERE NOT EXISTS (SELECT 1 FROM mfa_users WHERE user_id = id AND methods <> '') ORDER BY id": "never asked none",
			"SELECT user_id FROM mfa_users WHERE methods = 'totp,sms' AND updated_at IS NOT NULL AND version = 1":              "both",
			"SELECT user_id FROM mfa_users WHERE methods LIKE 'totp%' ORDER BY user_id":                                        "app both",
		} {
			var got []string
			rows, err := p.db.Query(strings.NewReplacer("mfa_users", options.Table, "FROM users", "FROM "+users).Replace(query))
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
				t.Errorf("%s: %v, want %s", query, got, want)
			}
		}
	})
}
