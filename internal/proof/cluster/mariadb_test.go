//go:build linux

package cluster

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/stores/sqlstore"
)

// A mariadb is a primary with a replica. Clients reach the current primary through
// one address, as behind a database proxy.
type mariadb struct {
	pair
	synchronous bool // as far as semi-synchronous replication is synchronous
	ports       [2]int
	gates       [2]int // ports through which each is followed by the other
	dirs        [2]string
	blank       string // an empty data directory, to be copied
}

func TestMariaDB(t *testing.T) {
	require(t)
	t.Run("semi-synchronous", func(t *testing.T) {
		m, servers := startMariaDB(t, true)
		m.refusesReplica(t, m.ports, onceSQL("mysql", sqlstore.MySQL, "root@tcp({server})/test"))
		m.promotesAll(t, servers[0])
		l := newLoad(t, servers, "mariadb")
		findings, spans := l.suffer(m.cluster, m.fenced())
		l.table(t, findings, spans)
		findings.report(t, breaches...)
	})
	t.Run("semi-synchronous, two primaries", func(t *testing.T) {
		requireLong(t)
		m, servers := startMariaDB(t, true)
		l := newLoad(t, servers, "mariadb")
		findings, spans := l.suffer(m.cluster, m.unfenced())
		l.table(t, findings, spans)
		findings.report(t, double, lost)
	})
	t.Run("asynchronous", func(t *testing.T) {
		requireLong(t)
		m, servers := startMariaDB(t, false)
		l := newLoad(t, servers, "mariadb")
		findings, spans := l.suffer(m.cluster, m.fenced())
		l.table(t, findings, spans)
		findings.report(t)
		if len(findings.of(lost)) == 0 {
			t.Error("nothing was lost, so the semi-synchronous run proves nothing")
		}
	})
}

func startMariaDB(t *testing.T, synchronous bool) (m *mariadb, servers []string) {
	t.Helper()
	m = &mariadb{synchronous: synchronous}
	m.cluster = &cluster{t: t, network: newNetwork(t), hold: 5 * time.Second}
	m.promote, m.follow = m.promoteNode, m.followNode
	program := installed(t, "mariadbd")
	dir := t.TempDir()
	m.blank = filepath.Join(dir, "blank")
	// Each server has a tmpdir of its own: one that starts deletes the temporary tables
	// that it finds there.
	m.run(installed(t, "mariadb-install-db"), "--no-defaults", "--user=root", "--datadir="+m.blank, "--tmpdir="+t.TempDir(), "--auth-root-authentication-method=normal", "--skip-test-db")
	for i := range 2 {
		m.ports[i] = store.FreePort(t)
		m.gates[i] = m.network.gate(t, i, m.ports[i])
		name := fmt.Sprint("mariadb-", i)
		m.dirs[i] = filepath.Join(dir, name)
		m.nodes = append(m.nodes, newNode(t, name, dir, program, "--no-defaults", "--user=root", "--datadir="+m.dirs[i],
			"--bind-address=127.0.0.1", "--port="+strconv.Itoa(m.ports[i]), "--socket="+m.dirs[i]+".sock", "--pid-file="+m.dirs[i]+".pid", "--tmpdir="+t.TempDir(),
			"--server-id="+strconv.Itoa(i+1), "--log-bin=binlog", "--log-slave-updates", "--gtid-strict-mode=ON",
			"--slave-parallel-threads=8", "--slave-parallel-mode=optimistic", "--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1", "--slave-net-timeout=5",
			"--init-file="+m.dirs[i]+".init", "--rpl-semi-sync-slave-enabled=ON", "--rpl-semi-sync-master-wait-point=AFTER_SYNC", "--rpl-semi-sync-master-timeout=1000000000"))
	}
	m.network.nodes = m.nodes
	m.run("cp", "-r", m.blank, m.dirs[0])
	m.onStart(0, "")
	m.nodes[0].start(t)
	eventually(t, "creating the table", func() error {
		if err := m.tell(0, "CREATE DATABASE IF NOT EXISTS test"); err != nil {
			return err
		}
		return createMariaDB(t.Context(), local(m.ports[0]))
	})
	m.follow(1)
	address := m.network.open(t, func() (to, port int) {
		primary := int(m.primary.Load())
		return primary, m.ports[primary]
	})
	return m, []string{local(address)}
}

func (m *mariadb) run(program string, args ...string) {
	m.t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		m.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (m *mariadb) open(i int) (*sql.DB, error) {
	return sql.Open("mysql", "root@tcp("+local(m.ports[i])+")/?timeout=2s")
}

// tell executes statements on one node.
func (m *mariadb) tell(i int, statements ...string) error {
	db, err := m.open(i)
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

// promoteNode makes the node a primary, which does not wait for a replica as long
// as none follows it.
func (m *mariadb) promoteNode(i int) {
	m.t.Helper()
	if err := m.tell(i, "STOP SLAVE IO_THREAD"); err != nil {
		m.t.Fatal(err)
	}
	// Slave_SQL_Running_State is not enough: it says that the relay log has been read
	// while changes in it wait for a lock, and RESET SLAVE drops those.
	eventually(m.t, "the replica does not apply what it has", func() error {
		state, err := m.replication(i)
		if err != nil {
			return err
		}
		applied, err := m.applied(i)
		if err == nil && applied != state["Gtid_IO_Pos"] {
			err = fmt.Errorf("it has %s and has applied %s: %s", state["Gtid_IO_Pos"], applied, state["Last_SQL_Error"])
		}
		return err
	})
	if err := m.tell(i, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF"); err != nil {
		m.t.Fatal(err)
	}
}

// promotesAll checks that a replica that is behind is promoted with all that the
// primary has acknowledged. Without that check, and without a replica that is made to
// wait, a promotion that drops changes passes almost every run.
func (m *mariadb) promotesAll(t *testing.T, server string) {
	t.Helper()
	ctx := t.Context()
	save := func(s mfa.Store, user string, version int64) {
		t.Helper()
		if err := s.Save(ctx, mfa.Record{UserID: user, Version: version, Data: []byte(user)}); err != nil {
			t.Fatal(err)
		}
	}
	before, err := openers["mariadb"](ctx, []string{server})
	if err != nil {
		t.Fatal(err)
	}
	save(before, "first", 0)
	replica, err := m.open(1 - int(m.primary.Load()))
	if err != nil {
		t.Fatal(err)
	}
	defer replica.Close()
	eventually(t, "the replica has no first user", func() error {
		var data []byte
		return replica.QueryRow("SELECT data FROM test.mfa_users WHERE user_id = 'first'").Scan(&data)
	})
	lock, err := replica.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec("SELECT * FROM test.mfa_users WHERE user_id = 'first' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	save(before, "first", 1) // what follows waits for it, since commits keep their order
	const users = 100        // more than the threads that apply changes
	for i := range users {
		save(before, fmt.Sprint("later-", i), 0)
	}
	var applied int
	if err := replica.QueryRow("SELECT COUNT(*) FROM test.mfa_users WHERE user_id LIKE 'later-%'").Scan(&applied); err != nil || applied > 0 {
		t.Fatalf("the replica is not behind: it has %d later users, %v", applied, err)
	}
	m.nodes[m.primary.Load()].kill()
	unlocked := time.AfterFunc(lag, func() { lock.Rollback() })
	defer unlocked.Stop()
	heal := m.replace(m.failOver())
	after, err := openers["mariadb"](ctx, []string{server})
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for i := range users {
		if _, err := after.Load(ctx, fmt.Sprint("later-", i)); err != nil {
			missing++
		}
	}
	if record, err := after.Load(ctx, "first"); err != nil || record.Version != 2 || missing > 0 {
		t.Errorf("after the promotion: version %d of the first user, %v, and %d of %d later users are missing", record.Version, err, missing, users)
	}
	heal()
}

// applied returns the position up to which a replica has applied what it follows.
func (m *mariadb) applied(i int) (position string, err error) {
	db, err := m.open(i)
	if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.QueryRow("SELECT @@GLOBAL.gtid_slave_pos").Scan(&position)
	return position, err
}

// replication returns the row of SHOW SLAVE STATUS.
func (m *mariadb) replication(i int) (map[string]string, error) {
	db, err := m.open(i)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query("SHOW SLAVE STATUS")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]sql.NullString, len(names))
	targets := make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	if !rows.Next() {
		return nil, errors.Join(errors.New("not a replica"), rows.Err())
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	state := make(map[string]string)
	for i, name := range names {
		state[name] = values[i].String
	}
	return state, nil
}

// followNode copies the other node's tables, and has the node follow the other's
// binary log from there on.
func (m *mariadb) followNode(i int) {
	m.t.Helper()
	other := 1 - i
	if err := os.RemoveAll(m.dirs[i]); err != nil {
		m.t.Fatal(err)
	}
	m.run("cp", "-r", m.blank, m.dirs[i])
	m.onStart(i, "")
	m.nodes[i].start(m.t)
	eventually(m.t, "the replica does not start", func() error { return m.tell(i, "SET GLOBAL read_only = ON") })
	copied := m.dirs[i] + ".sql"
	m.run(installed(m.t, "mariadb-dump"), "--no-defaults", "--host=127.0.0.1", "--user=root", "--port="+strconv.Itoa(m.ports[other]),
		"--single-transaction", "--gtid", "--master-data", "--databases", "test", "--result-file="+copied)
	m.run(installed(m.t, "mariadb"), "--no-defaults", "--host=127.0.0.1", "--user=root", "--port="+strconv.Itoa(m.ports[i]), "--init-command=SET SESSION sql_log_bin = 0", "--execute=source "+copied)
	if err := m.tell(i, fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='root', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1", m.gates[other]), "START SLAVE"); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "the replica does not follow", func() error {
		state, err := m.replication(i)
		if err == nil && (state["Slave_IO_Running"] != "Yes" || state["Seconds_Behind_Master"] != "0") {
			err = fmt.Errorf("%s, %s", state["Last_IO_Error"], state["Last_SQL_Error"])
		}
		return err
	})
	if m.synchronous {
		const wait = "SET GLOBAL rpl_semi_sync_master_enabled = ON"
		m.onStart(other, wait)
		if err := m.tell(other, wait); err != nil {
			m.t.Fatal(err)
		}
	}
}

// onStart sets the statement that a node executes whenever it starts, before it
// accepts connections.
func (m *mariadb) onStart(i int, statement string) {
	m.t.Helper()
	if err := os.WriteFile(m.dirs[i]+".init", []byte(statement+";\n"), 0o644); err != nil {
		m.t.Fatal(err)
	}
}
