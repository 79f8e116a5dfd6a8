package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// check returns an error if the client may read old records or the servers may
// lose them.
func check(ctx context.Context, client redis.UniversalClient, options Options) error {
	if err := checkClient(client); err != nil {
		return err
	}
	_, err := within(ctx, false, func() (any, error) {
		if cluster, ok := client.(*redis.ClusterClient); ok {
			return nil, cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
				return checkServer(ctx, master, options)
			})
		}
		return nil, checkServer(ctx, client, options)
	})
	return explain(ctx, "checking the server", err)
}

func checkClient(client redis.UniversalClient) error {
	switch c := client.(type) {
	case nil:
		return errors.New("redisstore: client is nil")
	case *redis.Ring:
		return errors.New("redisstore: when a server fails, a Ring moves its users to one that has no record of them: use a Client or a ClusterClient")
	case *redis.ClusterClient:
		o := c.Options()
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return errors.New("redisstore: the client reads from replicas, which lag behind: unset ReadOnly, RouteByLatency and RouteRandomly")
		}
	case *redis.Client:
		if o := c.Options(); o.ClientSideCacheConfig != nil || o.ClientSideCache != nil {
			return errors.New("redisstore: the client has a cache of its own, which lags behind: unset ClientSideCache and ClientSideCacheConfig")
		}
	}
	return nil
}

// checkServer returns an error if a server's own account of itself says that it
// may lose records.
func checkServer(ctx context.Context, client redis.Cmdable, options Options) error {
	text, err := client.Info(ctx).Result()
	if err != nil {
		return err
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	policy := info["maxmemory_policy"]
	switch {
	case info["role"] != "master":
		return fmt.Errorf("its role is %q: connect to the primary", info["role"])
	case policy != "noeviction" && !strings.HasPrefix(policy, "volatile-"):
		return fmt.Errorf("it evicts users (maxmemory-policy is %q): set noeviction", policy)
	case info["aof_enabled"] != "1" && !options.InsecureNoAOF:
		return errors.New("it keeps no append-only file and loses users when it stops: set appendonly yes, or Options.InsecureNoAOF")
	case info["connected_slaves"] != "0" && !options.InsecureFailover:
		return errors.New("it has replicas, and a failover loses acknowledged changes: read about failovers in the README before you set Options.InsecureFailover")
	}
	return nil
}
