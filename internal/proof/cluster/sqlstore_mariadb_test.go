//go:build linux

package cluster

import (
	"context"
	"database/sql"
	"io"
	"log"

	"github.com/go-sql-driver/mysql"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/sqlstore"
)

func init() {
	mysql.SetLogger(log.New(io.Discard, "", 0)) // it logs each connection that a fault ends
	openers["mariadb"] = func(ctx context.Context, servers []string) (mfa.Store, error) {
		db, err := connectMariaDB(servers[0])
		if err != nil {
			return nil, err
		}
		return sqlstore.New(ctx, db, sqlstore.MySQL, sqlstore.Options{})
	}
}

func createMariaDB(ctx context.Context, server string) error {
	db, err := connectMariaDB(server)
	if err != nil {
		return err
	}
	defer db.Close()
	return sqlstore.Migrate(ctx, db, sqlstore.MySQL, sqlstore.Options{})
}

func connectMariaDB(server string) (*sql.DB, error) {
	db, err := sql.Open("mysql", "root@tcp("+server+")/test?timeout=2s")
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(16)
	return db, nil
}
