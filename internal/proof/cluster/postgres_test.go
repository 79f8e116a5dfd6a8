//go:build linux

package cluster

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/stores/sqlstore"
)

// A postgres is a primary with a streaming replica.
type postgres struct {
	pair
	synchronous bool
	ports       [2]int
	gates       [2]int // ports through which each is followed by the other
	dirs        [2]string
	owner       *syscall.Credential // PostgreSQL refuses to run as root
}

func TestPostgres(t *testing.T) {
	require(t)
	t.Run("synchronous", func(t *testing.T) {
		p, servers := startPostgres(t, true)
		p.refusesReplica(t, p.ports, oncePGX)
		p.refusesReplica(t, p.ports, onceSQL("pgx", sqlstore.PostgreSQL, "postgres://postgres@{server}/postgres"))
		l := newLoad(t, servers, "postgres", "postgres by database/sql")
		findings, spans := l.suffer(p.cluster, p.fenced())
		l.table(t, findings, spans)
		findings.report(t, breaches...)
	})
	t.Run("synchronous, two primaries", func(t *testing.T) {
		requireLong(t)
		p, servers := startPostgres(t, true)
		l := newLoad(t, servers, "postgres", "postgres by database/sql")
		findings, spans := l.suffer(p.cluster, p.unfenced())
		l.table(t, findings, spans)
		findings.report(t, double, lost)
	})
	t.Run("asynchronous", func(t *testing.T) {
		requireLong(t)
		p, servers := startPostgres(t, false)
		l := newLoad(t, servers, "postgres", "postgres by database/sql")
		findings, spans := l.suffer(p.cluster, p.fenced())
		l.table(t, findings, spans)
		findings.report(t)
		if len(findings.of(lost)) == 0 {
			t.Error("nothing was lost, so the synchronous run proves nothing")
		}
	})
	t.Run("asynchronous, two primaries", func(t *testing.T) {
		requireLong(t)
		p, servers := startPostgres(t, false)
		l := newLoad(t, servers, "postgres", "postgres by database/sql")
		findings, spans := l.suffer(p.cluster, p.unfenced())
		l.table(t, findings, spans)
		findings.report(t)
	})
}

func startPostgres(t *testing.T, synchronous bool) (p *postgres, servers []string) {
	t.Helper()
	p = &postgres{synchronous: synchronous, owner: ownerOf(t, "postgres")}
	p.cluster = &cluster{t: t, network: newNetwork(t), hold: 5 * time.Second}
	p.promote, p.follow = p.promoteNode, p.followNode
	dir := t.TempDir()
	p.allow(dir)
	p.allow(filepath.Dir(dir))
	program := installed(t, "postgres")
	for i := range 2 {
		p.ports[i] = store.FreePort(t)
		p.gates[i] = p.network.gate(t, i, p.ports[i])
		name := fmt.Sprint("postgres-", i)
		p.dirs[i] = filepath.Join(dir, name)
		n := newNode(t, name, dir, program, "-D", p.dirs[i], "-p", strconv.Itoa(p.ports[i]),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "wal_sender_timeout=5s")
		n.owner = p.owner
		p.nodes = append(p.nodes, n)
		servers = append(servers, local(p.ports[i]))
	}
	p.network.nodes = p.nodes
	p.run("initdb", "-D", p.dirs[0], "-U", "postgres", "--auth=trust")
	p.nodes[0].start(t)
	eventually(t, "creating the table", func() error { return createPostgres(t.Context(), servers) })
	p.follow(1)
	return p, servers
}

// ownerOf returns the user as whom a server runs if the test runs as root.
func ownerOf(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// allow grants the server access to one of the test's directories.
func (p *postgres) allow(dir string) {
	p.t.Helper()
	if err := os.Chmod(dir, 0o777); err != nil {
		p.t.Fatal(err)
	}
}

func (p *postgres) run(program string, args ...string) {
	p.t.Helper()
	command := exec.Command(installed(p.t, program), args...)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner}
	command.Dir = "/"
	if out, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// tell executes statements on one node.
func (p *postgres) tell(i int, statements ...string) error {
	db, err := sql.Open("pgx", "postgres://postgres@"+local(p.ports[i])+"/postgres")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// waitFor sets the replicas for which a primary waits.
func (p *postgres) waitFor(i int, replicas string) {
	p.t.Helper()
	if err := p.tell(i, "ALTER SYSTEM SET synchronous_standby_names = '"+replicas+"'", "SELECT pg_reload_conf()"); err != nil {
		p.t.Fatal(err)
	}
}

// promoteNode makes the node a primary, which does not wait for a replica as long
// as none follows it.
func (p *postgres) promoteNode(i int) {
	p.t.Helper()
	if err := p.tell(i, "SELECT pg_promote()"); err != nil {
		p.t.Fatal(err)
	}
	p.waitFor(i, "")
}

func (p *postgres) followNode(i int) {
	p.t.Helper()
	other := 1 - i
	if err := os.RemoveAll(p.dirs[i]); err != nil {
		p.t.Fatal(err)
	}
	p.run("pg_basebackup", "-D", p.dirs[i], "-h", "127.0.0.1", "-p", strconv.Itoa(p.gates[other]), "-U", "postgres", "-R", "--checkpoint=fast")
	p.nodes[i].start(p.t)
	eventually(p.t, "the replica does not follow", func() error {
		return p.tell(other, `DO $$ BEGIN
			IF NOT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming') THEN RAISE 'nobody follows'; END IF;
		END $$`)
	})
	if p.synchronous {
		p.waitFor(other, "*")
	}
}
