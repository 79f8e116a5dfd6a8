//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/mfatest"
	"github.com/protekt/mfa/stores/redisstore"
)

// TestRedis: a promise that Redis cannot keep is counted, but does not fail the
// test. Redis replicates after it has acknowledged, unless each Save waits for the
// replica, and a master that was cut off does not know that there is another one.
func TestRedis(t *testing.T) {
	require(t)
	t.Run("waiting", func(t *testing.T) {
		c, servers := startRedis(t)
		l := newLoad(t, servers, "redis, waiting")
		findings, spans := l.suffer(c, faults)
		l.table(t, findings, spans)
		findings.report(t, double, lost)
		sharded(t, servers)
	})
	t.Run("not waiting", func(t *testing.T) {
		requireLong(t)
		c, servers := startRedis(t)
		l := newLoad(t, servers, "redis")
		findings, spans := l.suffer(c, faults)
		l.table(t, findings, spans)
		findings.report(t)
	})
}

// sharded checks a store whose users are on all masters, as they are by default. Then
// one master loses what it has.
func sharded(t *testing.T, servers []string) {
	t.Helper()
	ctx := t.Context()
	client := connectRedisCluster(servers)
	defer client.Close()
	if err := redisstore.Init(ctx, client, redisstore.Options{}); err == nil || !strings.Contains(err.Error(), "InsecureFailover") {
		t.Errorf("Init on masters with replicas: %v", err)
	}
	open := func(t *testing.T, prefix string) *redisstore.Store {
		t.Helper()
		options := redisstore.Options{Prefix: prefix, InsecureFailover: true, Replicas: 1}
		if err := redisstore.Init(ctx, client, options); err != nil {
			t.Fatal(err)
		}
		store, err := redisstore.New(ctx, client, options)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	prefix := "sharded"
	mfatest.TestStore(t, func(t *testing.T) mfa.Store {
		prefix += "x" // with the colon, no prefix is the start of another
		return open(t, prefix+":")
	})

	running := open(t, "mfa_users:")
	node := connectRedis(masterOfKey(t, client, "mfa_users:{0}"))
	defer node.Close()
	if err := node.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	var unknown, refused int
	for i := range 60 {
		_, err := running.Load(ctx, fmt.Sprint("user ", i))
		switch {
		case errors.Is(err, mfa.ErrNoRecord):
			unknown++
		case err != nil && strings.Contains(err.Error(), "is empty or was lost"):
			refused++
		default:
			t.Errorf("Load: %v", err)
		}
	}
	if unknown == 0 || refused == 0 {
		t.Errorf("one master of three is empty: of 60 users %d have no MFA, and %d are refused", unknown, refused)
	}
}

func masterOfKey(t *testing.T, client *redis.ClusterClient, key string) (server string) {
	t.Helper()
	master, err := client.MasterForKey(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return master.Options().Addr
}

// startRedis starts three masters and a replica of each.
func startRedis(t *testing.T) (c *cluster, servers []string) {
	t.Helper()
	c = &cluster{t: t, network: newNetwork(t), hold: 6 * time.Second}
	program := installed(t, "redis-server")
	dir := t.TempDir()
	var gates []int
	var buses []int
	for i := range 6 {
		name := fmt.Sprint("redis-", i)
		port, bus := store.FreePort(t), store.FreePort(t)
		gates = append(gates, c.network.gate(t, i, port))
		buses = append(buses, c.network.gate(t, i, bus))
		servers = append(servers, local(gates[i]))
		c.nodes = append(c.nodes, newNode(t, name, dir, program,
			"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir, "--dbfilename", name+".rdb",
			"--appendonly", "yes", "--appendfsync", "always", "--appenddirname", name, "--save", "",
			"--cluster-enabled", "yes", "--cluster-config-file", name+".conf", "--cluster-node-timeout", "2000",
			"--cluster-port", strconv.Itoa(bus), "--cluster-announce-ip", "127.0.0.1",
			"--cluster-announce-port", strconv.Itoa(gates[i]), "--cluster-announce-bus-port", strconv.Itoa(buses[i])))
	}
	c.network.nodes = c.nodes
	for _, n := range c.nodes {
		n.start(t)
	}
	joinRedis(t, servers, gates, buses)
	c.leader = func() (int, error) { return leaderOfRedis(servers) }
	c.led()
	eventually(t, "creating the store", func() error { return createRedis(t.Context(), servers) })
	return c, servers
}

func connectRedis(server string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: server, MaxRetries: -1, ReadTimeout: time.Second})
}

// joinRedis joins the nodes to one cluster: the first three share the slots, and
// each of the others follows one of them.
func joinRedis(t *testing.T, servers []string, gates, buses []int) {
	t.Helper()
	ctx := t.Context()
	ids := make([]string, len(servers))
	for i, server := range servers {
		node := connectRedis(server)
		defer node.Close()
		eventually(t, "joining the cluster", func() (err error) {
			if ids[i], err = node.Do(ctx, "cluster", "myid").Text(); err != nil {
				return err
			}
			return node.Do(ctx, "cluster", "meet", "127.0.0.1", gates[0], buses[0]).Err()
		})
		if i < 3 {
			if err := node.ClusterAddSlotsRange(ctx, i*16384/3, (i+1)*16384/3-1).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, server := range servers {
		node := connectRedis(server)
		defer node.Close()
		if i >= 3 {
			eventually(t, "a replica does not know its master", func() error { return node.ClusterReplicate(ctx, ids[i-3]).Err() })
		}
		eventually(t, "the cluster does not form", func() error {
			replication, err := node.Info(ctx, "replication").Result()
			if err == nil && i >= 3 && !strings.Contains(replication, "master_link_status:up") {
				err = errors.New("a replica does not follow")
			}
			state, stateErr := node.ClusterInfo(ctx).Result()
			if stateErr == nil && !strings.Contains(state, "cluster_state:ok") {
				stateErr = errors.New("not all slots are served")
			}
			return errors.Join(err, stateErr)
		})
	}
}

// leaderOfRedis returns the master of the users' slot. It fails unless all nodes
// agree on it and a replica follows it.
func leaderOfRedis(servers []string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var leader int
	for i, server := range servers {
		node := connectRedis(server)
		defer node.Close()
		slot, err := node.ClusterKeySlot(ctx, redisPrefix).Result()
		if err != nil {
			return 0, err
		}
		shards, err := node.ClusterShards(ctx).Result()
		if err != nil {
			return 0, err
		}
		master := slices.Index(servers, masterOf(shards, slot))
		if master < 0 || i > 0 && master != leader {
			return 0, errors.New("the nodes do not agree on a master")
		}
		leader = master
	}
	node := connectRedis(servers[leader])
	defer node.Close()
	replication, err := node.Info(ctx, "replication").Result()
	if err == nil && !strings.Contains(replication, "state=online") {
		err = errors.New("the master has no replica")
	}
	return leader, err
}

// masterOf returns the address of the master that has the slot.
func masterOf(shards []redis.ClusterShard, slot int64) string {
	for _, shard := range shards {
		for _, r := range shard.Slots {
			if r.Start > slot || slot > r.End {
				continue
			}
			for _, node := range shard.Nodes {
				if node.Role == "master" && node.Health == "online" {
					return local(int(node.Port))
				}
			}
		}
	}
	return ""
}
