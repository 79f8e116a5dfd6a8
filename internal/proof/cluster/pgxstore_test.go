//go:build linux

package cluster

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/pgxstore"
	"github.com/protekt/mfa/stores/sqlstore"
)

func init() {
	openers["postgres"] = func(ctx context.Context, servers []string) (mfa.Store, error) {
		pool, err := connectPostgres(ctx, servers)
		if err != nil {
			return nil, err
		}
		return pgxstore.New(ctx, pool, pgxstore.Options{})
	}
	openers["postgres by database/sql"] = func(ctx context.Context, servers []string) (mfa.Store, error) {
		pool, err := connectPostgres(ctx, servers)
		if err != nil {
			return nil, err
		}
		return sqlstore.New(ctx, stdlib.OpenDBFromPool(pool), sqlstore.PostgreSQL, sqlstore.Options{})
	}
}

func createPostgres(ctx context.Context, servers []string) error {
	pool, err := connectPostgres(ctx, servers)
	if err != nil {
		return err
	}
	defer pool.Close()
	return pgxstore.Migrate(ctx, pool, pgxstore.Options{})
}

// connectPostgres connects to the server that accepts writes.
func connectPostgres(ctx context.Context, servers []string) (*pgxpool.Pool, error) {
	return pgxpool.New(ctx, "postgres://postgres@"+strings.Join(servers, ",")+
		"/postgres?target_session_attrs=read-write&connect_timeout=2&pool_max_conns=16")
}
