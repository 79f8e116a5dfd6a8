//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa/internal/proof/store"
)

const (
	etcdServer  = "go.etcd.io/etcd/server/v3"
	etcdVersion = "v3.7.3"
)

func TestEtcd(t *testing.T) {
	require(t)
	c, servers := startEtcd(t, built(t, etcdServer, etcdVersion))
	l := newLoad(t, servers, "etcd")
	findings, spans := l.suffer(c, faults)
	l.table(t, findings, spans)
	findings.report(t, breaches...)
}

// startEtcd starts three servers.
func startEtcd(t *testing.T, program string) (c *cluster, servers []string) {
	t.Helper()
	c = &cluster{t: t, network: newNetwork(t), hold: 5 * time.Second}
	dir := t.TempDir()
	var peers, gates, all []string
	for i := range 3 {
		peer := store.FreePort(t)
		servers = append(servers, "http://"+local(store.FreePort(t)))
		peers = append(peers, "http://"+local(peer))
		gates = append(gates, "http://"+local(c.network.gate(t, i, peer)))
		all = append(all, fmt.Sprintf("etcd-%d=%s", i, gates[i]))
	}
	for i := range 3 {
		name := fmt.Sprint("etcd-", i)
		c.nodes = append(c.nodes, newNode(t, name, dir, program, "--name", name, "--data-dir", filepath.Join(dir, name), "--log-level", "warn",
			"--listen-client-urls", servers[i], "--advertise-client-urls", servers[i],
			"--listen-peer-urls", peers[i], "--initial-advertise-peer-urls", gates[i],
			"--initial-cluster", strings.Join(all, ","), "--initial-cluster-state", "new"))
	}
	c.network.nodes = c.nodes
	for _, n := range c.nodes {
		n.start(t)
	}
	c.leader = func() (int, error) { return leaderOfEtcd(servers) }
	c.led()
	eventually(t, "creating the store", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return createEtcd(ctx, servers)
	})
	return c, servers
}

func leaderOfEtcd(servers []string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	client, err := connectEtcd(servers)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	for i, server := range servers {
		status, err := client.Status(ctx, server)
		if err != nil {
			return 0, err
		}
		if status.Leader == status.Header.MemberId {
			return i, nil
		}
	}
	return 0, errors.New("no leader")
}
