package cluster

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/redisstore"
)

// redisPrefix keeps all users in one slot, so that a fault of its master is one of
// every user's.
const redisPrefix = "{mfa}:"

func init() {
	openers["redis"] = func(_ context.Context, servers []string) (mfa.Store, error) {
		// go-redis looks for new masters once a minute by itself.
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: servers, ClusterStateReloadInterval: time.Second})
		return redisstore.New(client, redisstore.Options{Prefix: redisPrefix})
	}
}
