package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"testing"
)

// hooks opens connections to a database on which a test acts at the worst moment.
type hooks struct {
	driver driver.Driver
	source string
	before func(statement string)       // called before each Exec, unless nil
	lose   func(statement string) error // the error that replaces an Exec's answer, unless nil
}

// hooked returns hooks without any, and the setting of a site that uses them.
func hooked(t *testing.T) (*hooks, func(*config)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hooked.db")
	plain, err := openDatabase(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	h := &hooks{driver: plain.Driver(), source: dataSource(path)}
	db := sql.OpenDB(h)
	t.Cleanup(func() { db.Close() })
	return h, func(c *config) { c.DB = db }
}

// Connect implements driver.Connector.
func (h *hooks) Connect(context.Context) (driver.Conn, error) {
	conn, err := h.driver.Open(h.source)
	if err != nil {
		return nil, err
	}
	return hookedConn{conn, h}, nil
}

// Driver implements driver.Connector. It hides the driver: on one that it knows,
// sqlstore prepares its statements, which bypasses ExecContext.
func (h *hooks) Driver() driver.Driver { return nil }

type hookedConn struct {
	driver.Conn
	hooks *hooks
}

// ExecContext implements driver.ExecerContext.
func (c hookedConn) ExecContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Result, error) {
	if c.hooks.before != nil {
		c.hooks.before(statement)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	result, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, statement, args)
	if c.hooks.lose != nil && err == nil {
		err = c.hooks.lose(statement)
	}
	return result, err
}
