package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
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

// startServer starts a Redis server for the test alone, with these settings, and
// returns its address.
func startServer(t *testing.T, settings ...string) (addr string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	store.Require(t, "program redis-server", err)
	port := strconv.Itoa(store.FreePort(t))
	addr = "127.0.0.1:" + port
	server := exec.Command(path, append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", ""}, settings...)...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	defer client.Close()
	for over := time.Now().Add(30 * time.Second); client.Ping(t.Context()).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(over) {
			t.Fatal("the server does not start")
		}
	}
	return addr
}

// startClient starts a server and returns a client of it.
func startClient(t *testing.T, settings ...string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: startServer(t, settings...)})
	t.Cleanup(func() { client.Close() })
	return client
}

// startPair starts a primary with a replica.
func startPair(t *testing.T) (primary, replica *redis.Client) {
	t.Helper()
	primary = startClient(t, "--appendonly", "yes", "--repl-diskless-sync-delay", "0")
	host, port, _ := strings.Cut(primary.Options().Addr, ":")
	replica = startClient(t, "--appendonly", "yes", "--replicaof", host+" "+port)
	for over := time.Now().Add(store.Patience); ; time.Sleep(10 * time.Millisecond) {
		info, err := primary.Info(t.Context(), "replication").Result()
		if err == nil && strings.Contains(info, "state=online") {
			return primary, replica
		}
		if time.Now().After(over) {
			t.Fatal("the replica does not start")
		}
	}
}

// TestCluster: the store works on a cluster, which refuses commands and scripts
// that use more than one key, and whose client sends no Save twice.
func TestCluster(t *testing.T) {
	addr := startServer(t, "--cluster-enabled", "yes")
	ctx := t.Context()
	node := redis.NewClient(&redis.Options{Addr: addr})
	defer node.Close()
	if err := node.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for over := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if info, err := node.ClusterInfo(ctx).Result(); err == nil && strings.Contains(info, "cluster_state:ok") {
			break
		}
		if time.Now().After(over) {
			t.Fatal("the cluster does not start")
		}
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}})
	defer client.Close()
	stores := 0
	mfatest.TestStore(t, func(t *testing.T) mfa.Store {
		stores++
		return newStore(t, client, options(fmt.Sprint(stores, ":")))
	})

	proxy := store.NewProxy(t, addr)
	through := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{proxy.Addr},
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, proxy.Addr)
		},
	})
	defer through.Close()
	store.TestLostAnswers(t, proxy, newStore(t, through, options("lost:")))
}

// TestSavedRecordsSurviveAKill: with appendonly and appendfsync always, a killed
// server comes back with everything that it has acknowledged.
func TestSavedRecordsSurviveAKill(t *testing.T) {
	path, err := exec.LookPath("redis-server")
	store.Require(t, "program redis-server", err)
	directory := t.TempDir()
	var client *redis.Client
	start := func() *exec.Cmd {
		server := exec.Command(path, "--port", "0", "--unixsocket", "redis.sock", "--dir", directory, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
		server.Dir = directory
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		client = redis.NewClient(&redis.Options{Network: "unix", Addr: directory + "/redis.sock"})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for client.Ping(ctx).Err() != nil {
			if ctx.Err() != nil {
				t.Fatal("the server does not start")
			}
			time.Sleep(10 * time.Millisecond)
		}
		return server
	}
	acknowledged := int64(0)
	for range 3 {
		server := start()
		store := newStore(t, client, redisstore.Options{})
		if acknowledged > 0 {
			if record, err := store.Load(t.Context(), "ada"); err != nil || record.Version < acknowledged || record.Version > acknowledged+1 {
				t.Fatalf("version %d was acknowledged; after the kill there is %d, %v", acknowledged, record.Version, err)
			} else {
				acknowledged = record.Version
			}
		}
		save := func() error {
			err := store.Save(t.Context(), mfa.Record{UserID: "ada", Version: acknowledged, Data: []byte("x")})
			if err == nil {
				acknowledged++
			}
			return err
		}
		if err := save(); err != nil {
			t.Fatal(err)
		}
		killed := make(chan error)
		go func() {
			time.Sleep(50 * time.Millisecond) // so that the kill comes in the middle of a Save
			killed <- server.Process.Kill()
		}()
		for save() == nil {
		}
		if err := <-killed; err != nil {
			t.Error(err)
		}
		server.Wait()
		client.Close()
	}
}
