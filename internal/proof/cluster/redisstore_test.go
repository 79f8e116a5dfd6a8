//go:build linux

package cluster

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/redisstore"
)

// redisOptions do not wait for replicas, as is usual with Redis clusters.
var (
	redisOptions        = redisstore.Options{Prefix: redisPrefix, InsecureFailover: true}
	redisWaitingOptions = redisstore.Options{Prefix: redisPrefix, InsecureFailover: true, Replicas: 1}
)

// redisPrefix keeps all users in one slot, so that a fault of its master affects
// every user.
const redisPrefix = "{mfa}:"

func init() {
	openers["redis"] = openRedis(redisOptions)
	openers["redis, waiting"] = openRedis(redisWaitingOptions)
}

func openRedis(options redisstore.Options) opener {
	return func(ctx context.Context, servers []string) (mfa.Store, error) {
		return redisstore.New(ctx, connectRedisCluster(servers), options)
	}
}

func createRedis(ctx context.Context, servers []string) error {
	client := connectRedisCluster(servers)
	defer client.Close()
	return redisstore.Init(ctx, client, redisOptions)
}

func connectRedisCluster(servers []string) *redis.ClusterClient {
	return redis.NewClusterClient(&redis.ClusterOptions{Addrs: servers})
}
