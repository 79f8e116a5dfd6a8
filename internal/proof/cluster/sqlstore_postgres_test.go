package cluster

import (
	"context"
	"database/sql"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/sqlstore"
)

func init() {
	openers["postgres"] = func(_ context.Context, servers []string) (mfa.Store, error) { return openPostgres(servers) }
}

// openPostgres opens the one of the servers that takes writes.
func openPostgres(servers []string) (*sqlstore.Store, error) {
	db, err := sql.Open("pgx", "postgres://postgres@"+strings.Join(servers, ",")+"/postgres?target_session_attrs=read-write&connect_timeout=2")
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(16)
	return sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Options{})
}
