//go:build linux

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa/internal/proof/store"
)

const natsServer = "github.com/nats-io/nats-server/v2"

// natsVersions are the oldest and the newest server that natsstore supports.
var natsVersions = []string{"v2.12.15", "v2.15.3"}

func TestNATS(t *testing.T) {
	require(t)
	for _, version := range natsVersions {
		t.Run(version, func(t *testing.T) {
			c, servers := startNATS(t, built(t, natsServer, version))
			l := newLoad(t, servers, "nats")
			findings, spans := l.suffer(c, faults)
			l.table(t, findings, spans)
			findings.report(t, breaches...)
		})
	}
}

// TestDebianNATSIsRefused: Debian 12 has 2.9.10, which accepts both of two
// simultaneous changes.
func TestDebianNATSIsRefused(t *testing.T) {
	require(t)
	_, servers := startNATSServers(t, installed(t, "nats-server"))
	eventually(t, "the server does not answer", func() error {
		js, err := connectNATS(servers)
		if err == nil {
			js.Conn().Close()
		}
		return err
	})
	_, opened := openNATS(t.Context(), servers)
	for doing, err := range map[string]error{"New": opened, "Create": createNATS(t.Context(), servers)} {
		if err == nil || !strings.Contains(err.Error(), "upgrade every server") {
			t.Errorf("%s: %v", doing, err)
		}
	}
}

// startNATS starts three servers, and creates the bucket on all of them.
func startNATS(t *testing.T, program string) (c *cluster, servers []string) {
	t.Helper()
	c, servers = startNATSServers(t, program)
	eventually(t, "creating the bucket", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return createNATS(ctx, servers)
	})
	c.leader = func() (int, error) { return leaderOfNATS(servers) }
	return c, servers
}

func startNATSServers(t *testing.T, program string) (c *cluster, servers []string) {
	t.Helper()
	c = &cluster{t: t, network: newNetwork(t), hold: 11 * time.Second}
	var ports, routes, gates []int
	for i := range 3 {
		ports, routes = append(ports, store.FreePort(t)), append(routes, store.FreePort(t))
		gates = append(gates, c.network.gate(t, i, routes[i]))
		servers = append(servers, fmt.Sprint("nats://", local(ports[i])))
	}
	dir := t.TempDir()
	for i := range 3 {
		name := fmt.Sprint("nats-", i)
		var others []string
		for j, gate := range gates {
			if j != i {
				others = append(others, fmt.Sprint("nats://", local(gate)))
			}
		}
		settings := filepath.Join(dir, name+".conf")
		text := fmt.Sprintf(`
server_name: %s
listen: "%s"
jetstream { store_dir: %q }
cluster { name: mfa, listen: "%s", advertise: "%s", no_advertise: true, routes: [%s] }
`, name, local(ports[i]), filepath.Join(dir, name), local(routes[i]), local(gates[i]), strings.Join(others, ", "))
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.nodes = append(c.nodes, newNode(t, name, dir, program, "-c", settings))
	}
	c.network.nodes = c.nodes
	for _, n := range c.nodes {
		n.start(t)
	}
	return c, servers
}

// leaderOfNATS returns the leader of the bucket's stream.
func leaderOfNATS(servers []string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	js, err := connectNATS(servers)
	if err != nil {
		return 0, err
	}
	defer js.Conn().Close()
	stream, err := js.Stream(ctx, "KV_"+natsBucket)
	if err != nil {
		return 0, err
	}
	var leader int
	_, err = fmt.Sscanf(stream.CachedInfo().Cluster.Leader, "nats-%d", &leader)
	return leader, err
}
