package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/sqlstore"
)

// A deaf driver ignores contexts: a call ends when the test sends an answer.
type deaf struct {
	driver.Conn
	opened bool // the store has found its marker
	called chan struct{}
	answer chan error
	data   chan []byte // receives the call's data after the answer
	panics bool
}

func (d *deaf) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *deaf) Driver() driver.Driver                        { return deafDriver{} }
func (d *deaf) Close() error                                 { return nil }

// A deafDriver is a driver that sqlstore does not know.
type deafDriver struct{ driver.Driver }

func (d *deaf) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	if !d.opened {
		d.opened = true
		return &rows{[][]driver.Value{{"", []byte("identity"), false, int64(0), "", []byte{}}}}, nil
	}
	return nil, d.call(nil)
}

func (d *deaf) ExecContext(_ context.Context, _ string, args []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), d.call(args)
}

func (d *deaf) call(args []driver.NamedValue) error {
	if d.panics {
		panic("a driver's")
	}
	close(d.called)
	err := <-d.answer
	for _, arg := range args {
		if data, ok := arg.Value.([]byte); ok {
			d.data <- data
		}
	}
	return err
}

func deafStore(t *testing.T, d *deaf) *sqlstore.Store {
	db := sql.OpenDB(d)
	t.Cleanup(func() { db.Close() })
	store, err := sqlstore.New(t.Context(), db, sqlstore.PostgreSQL, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestCallsEndWithTheirContexts: whatever the driver does, a call ends with its
// context.
func TestCallsEndWithTheirContexts(t *testing.T) {
	record := mfa.Record{UserID: "ada", Version: 1, Data: []byte("as it was")}
	for name, call := range map[string]func(ctx context.Context, store *sqlstore.Store) error{
		"Load":   func(ctx context.Context, store *sqlstore.Store) error { _, err := store.Load(ctx, "ada"); return err },
		"Save":   func(ctx context.Context, store *sqlstore.Store) error { return store.Save(ctx, record) },
		"Delete": func(ctx context.Context, store *sqlstore.Store) error { return store.Delete(ctx, "ada") },
	} {
		t.Run(name, func(t *testing.T) {
			d := &deaf{called: make(chan struct{}), answer: make(chan error), data: make(chan []byte, 1)}
			store := deafStore(t, d)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-d.called; cancel() }()
			err := call(ctx, store)
			if !errors.Is(err, context.Canceled) || errors.Is(err, mfa.ErrConflict) || errors.Is(err, mfa.ErrNoRecord) {
				t.Errorf("%v, want Canceled", err)
			}
			// The caller may change its bytes now, and the abandoned call must not see
			// the change.
			copy(record.Data, "changed..")
			defer copy(record.Data, "as it was")
			d.answer <- nil
			if name == "Save" {
				if data := string(<-d.data); data != "as it was" {
					t.Errorf("%q is saved", data)
				}
			}
		})
		t.Run(name+" in time", func(t *testing.T) {
			d := &deaf{called: make(chan struct{}), answer: make(chan error), data: make(chan []byte, 1)}
			go func() { d.answer <- io.ErrUnexpectedEOF }()
			if err := call(t.Context(), deafStore(t, d)); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v, want the driver's error", err)
			}
		})
		t.Run(name+" panics", func(t *testing.T) {
			defer func() {
				if p := recover(); p != "a driver's" {
					t.Errorf("panic %v, want the driver's, where the caller can recover it", p)
				}
			}()
			call(t.Context(), deafStore(t, &deaf{panics: true}))
		})
	}
}

func TestNewAndMigrateEndWithTheirContexts(t *testing.T) {
	for name, call := range map[string]func(context.Context, *sql.DB, sqlstore.Dialect, sqlstore.Options) error{
		"Migrate": sqlstore.Migrate,
		"New": func(ctx context.Context, db *sql.DB, dialect sqlstore.Dialect, options sqlstore.Options) error {
			_, err := sqlstore.New(ctx, db, dialect, options)
			return err
		},
	} {
		d := &deaf{opened: true, called: make(chan struct{}), answer: make(chan error), data: make(chan []byte, 1)}
		db := sql.OpenDB(d)
		defer db.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-d.called; cancel() }()
		if err := call(ctx, db, sqlstore.PostgreSQL, sqlstore.Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want Canceled", name, err)
		}
		d.answer <- io.ErrUnexpectedEOF
	}
}

// A mixed driver answers as a pooler does that has mixed up statements.
type mixed struct {
	driver.Conn
	rows [][]driver.Value
}

func (m *mixed) Connect(context.Context) (driver.Conn, error) { return m, nil }
func (m *mixed) Driver() driver.Driver                        { return nil }
func (m *mixed) Close() error                                 { return nil }

func (m *mixed) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &rows{m.rows}, nil
}

type rows struct{ left [][]driver.Value }

func (r *rows) Columns() []string {
	return []string{"asked", "identity", "read_only", "version", "methods", "data"}
}
func (r *rows) Close() error { return nil }

func (r *rows) Next(into []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	copy(into, r.left[0])
	r.left = r.left[1:]
	return nil
}

// TestOnlyTheAnswerThatWasAskedForCounts: anything else is an error and never "no
// MFA".
func TestOnlyTheAnswerThatWasAskedForCounts(t *testing.T) {
	marker := []byte("identity")
	load := func(rows ...[]driver.Value) (mfa.Record, error) {
		m := &mixed{rows: [][]driver.Value{{"", marker, false, int64(0), "", []byte{}}}}
		db := sql.OpenDB(m)
		defer db.Close()
		store, err := sqlstore.New(t.Context(), db, sqlstore.PostgreSQL, sqlstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m.rows = rows
		return store.Load(t.Context(), "ada")
	}
	for _, writable := range []driver.Value{false, int64(0), []byte("0"), "OFF"} { // as databases write it
		if record, err := load([]driver.Value{"ada", marker, writable, int64(3), "totp", []byte("x")}); err != nil || record.Version != 3 {
			t.Errorf("the user's row: %+v, %v", record, err)
		}
		if _, err := load([]driver.Value{"ada", marker, writable, nil, nil, nil}); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("the user without a record: %v", err)
		}
	}
	for name, rows := range map[string][][]driver.Value{
		"no row":                        nil,
		"another user's row":            {{"bob", marker, false, int64(3), "totp", []byte("x")}},
		"another user without a record": {{"bob", marker, false, nil, nil, nil}},
		"a row without a user ID":       {{nil, marker, false, nil, nil, nil}},
		"a row of another table":        {{"ada", marker, false, "now", "totp", []byte("x")}},
		"another store":                 {{"ada", []byte("another"), false, nil, nil, nil}},
		"no marker":                     {{"ada", nil, false, nil, nil, nil}},
		"a server in recovery":          {{"ada", marker, true, nil, nil, nil}},
		"a record from a replica":       {{"ada", marker, int64(1), int64(3), "totp", []byte("x")}},
		"a read-only MariaDB 12":        {{"ada", marker, "ON", nil, nil, nil}},
		"nothing about the server":      {{"ada", marker, nil, nil, nil, nil}},
	} {
		if _, err := load(rows...); err == nil || errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A wrapped connection says that it belongs to any driver.
type wrapped struct {
	driver.Conn
	wrapper driver.Driver
	stack   string // of the last query
}

func (w *wrapped) Connect(context.Context) (driver.Conn, error) { return w, nil }
func (w *wrapped) Driver() driver.Driver                        { return w.wrapper }
func (w *wrapped) Close() error                                 { return nil }

func (w *wrapped) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	w.stack = string(debug.Stack())
	return &rows{[][]driver.Value{{"", []byte("identity"), false, int64(0), "", []byte{}}}}, nil
}

// A tracer wraps a driver as otelsql does.
type tracer struct{ driver driver.Driver }

func (*tracer) Open(string) (driver.Conn, error) { return nil, errors.ErrUnsupported }

// TestWrappedDriversKeepTheirCallers: where a driver that is wrapped ends calls
// with their contexts itself, they need no goroutine of their own.
func TestWrappedDriversKeepTheirCallers(t *testing.T) {
	for name, test := range map[string]struct {
		wrapper  driver.Driver
		punctual bool
	}{
		"pgx":                 {stdlib.GetDefaultDriver(), true},
		"a tracer of pgx":     {&tracer{stdlib.GetDefaultDriver()}, true},
		"a tracer of that":    {&tracer{&tracer{stdlib.GetDefaultDriver()}}, true},
		"lib/pq":              {&pq.Driver{}, false},
		"a tracer of lib/pq":  {&tracer{&pq.Driver{}}, false},
		"a tracer of nothing": {&tracer{}, false},
	} {
		w := &wrapped{wrapper: test.wrapper}
		db := sql.OpenDB(w)
		defer db.Close()
		if _, err := sqlstore.New(t.Context(), db, sqlstore.PostgreSQL, sqlstore.Options{}); err != nil {
			t.Fatal(err)
		}
		if punctual := strings.Contains(w.stack, t.Name()+"("); punctual != test.punctual {
			t.Errorf("%s: called by its caller: %v, want %v", name, punctual, test.punctual)
		}
	}
}
