package cluster

import (
	"context"
	"database/sql"

	_ "github.com/go-sql-driver/mysql"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/sqlstore"
)

func init() {
	openers["mariadb"] = func(_ context.Context, servers []string) (mfa.Store, error) { return openMariaDB(servers[0]) }
}

func openMariaDB(server string) (*sqlstore.Store, error) {
	db, err := sql.Open("mysql", "root@tcp("+server+")/test?timeout=2s")
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(16)
	return sqlstore.New(db, sqlstore.MySQL, sqlstore.Options{})
}
