//go:build linux

package cluster

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A network carries the traffic between nodes. Each node is reached through a gate,
// a port of its own on which the network listens. All nodes use the same addresses:
// the network identifies the dialing node by the kernel's table of sockets, so that
// it can cut the link between two nodes only. Clients are not nodes, and are never
// cut off.
type network struct {
	nodes []*node

	running     sync.WaitGroup
	mu          sync.Mutex
	changed     *sync.Cond
	cuts        map[link]cut
	connections map[*connection]bool
	closed      bool
}

// A link is a pair of nodes, the smaller number first.
type link struct{ a, b int }

func linkOf(i, j int) link { return link{min(i, j), max(i, j)} }

// A cut is the way in which a link is cut.
type cut int

const (
	whole   cut = iota
	dropped     // nothing arrives and there is no error, as behind a switch that is off
	reset       // connections are closed and no new ones can be made, as behind a firewall
)

// A connection is a connection through a gate.
type connection struct {
	link         link
	dialer, gate net.Conn
}

func newNetwork(t *testing.T) *network {
	n := &network{cuts: make(map[link]cut), connections: make(map[*connection]bool)}
	n.changed = sync.NewCond(&n.mu)
	t.Cleanup(func() {
		n.mu.Lock()
		n.closed = true
		for c := range n.connections {
			c.close()
		}
		n.changed.Broadcast()
		n.mu.Unlock()
		n.running.Wait()
	})
	return n
}

func (c *connection) close() {
	c.dialer.Close()
	c.gate.Close()
}

// gate returns the port through which the others reach the given port of the node
// with number to.
func (n *network) gate(t *testing.T, to, port int) int {
	t.Helper()
	return n.open(t, func() (int, int) { return to, port })
}

// open returns a port that leads to the node and port that target returns when a
// connection is made.
func (n *network) open(t *testing.T, target func() (to, port int)) int {
	t.Helper()
	listener, err := net.Listen("tcp", local(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	n.running.Go(func() {
		for {
			dialer, err := listener.Accept()
			if err != nil {
				return
			}
			to, port := target()
			n.running.Go(func() { n.carry(dialer, to, port) })
		}
	})
	return listener.Addr().(*net.TCPAddr).Port
}

// carry makes one connection through a gate, and copies both ways until it ends.
func (n *network) carry(dialer net.Conn, to, port int) {
	defer dialer.Close()
	from, err := n.whose(dialer.RemoteAddr().(*net.TCPAddr).Port)
	if err != nil {
		return
	}
	if from == client {
		from = to // this link is never cut
	}
	l := linkOf(from, to)
	if !n.passes(l) {
		return
	}
	gate, err := net.Dial("tcp", local(port))
	if err != nil {
		return
	}
	c := &connection{l, dialer, gate}
	n.mu.Lock()
	n.connections[c] = true
	if n.closed {
		c.close()
	}
	n.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { n.copy(c, dialer, gate) })
	both.Go(func() { n.copy(c, gate, dialer) })
	both.Wait()
	n.mu.Lock()
	delete(n.connections, c)
	n.mu.Unlock()
}

func (n *network) copy(c *connection, from, to net.Conn) {
	defer c.close()
	buffer := make([]byte, 32<<10)
	for {
		count, err := from.Read(buffer)
		if count > 0 {
			if !n.passes(c.link) {
				return
			}
			if _, err := to.Write(buffer[:count]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passes waits while the link is dropped, and reports whether it is whole.
func (n *network) passes(l link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.cuts[l] == dropped && !n.closed {
		n.changed.Wait()
	}
	return n.cuts[l] == whole && !n.closed
}

// isolate cuts a node off from all others.
func (n *network) isolate(i int, how cut) {
	for j := range n.nodes {
		if j != i {
			n.cut(i, j, how)
		}
	}
}

func (n *network) cut(i, j int, how cut) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := linkOf(i, j)
	n.cuts[l] = how
	if how == reset {
		for c := range n.connections {
			if c.link == l {
				c.close()
			}
		}
	}
}

// heal ends all cuts.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
	n.changed.Broadcast()
}

// client is the number returned by whose for a client.
const client = -1

// whose returns the number of the node that has a connection from that local port,
// or client if none has.
func (n *network) whose(port int) (number int, err error) {
	var socket string
	for range 5 { // the table may change while it is read
		if socket, err = socketAt(port); err == nil {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	for i, node := range n.nodes {
		pid := int(node.pid.Load())
		if pid == 0 {
			continue
		}
		for _, pid := range withChildren(pid) {
			if holds(pid, socket) {
				return i, nil
			}
		}
	}
	return client, nil
}

// socketAt returns the name in /proc of the socket with that local port.
func socketAt(port int) (string, error) {
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		return "", err
	}
	defer table.Close()
	want := fmt.Sprintf("0100007F:%04X", port)
	for lines := bufio.NewScanner(table); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 9 && fields[1] == want && fields[9] != "0" {
			return "socket:[" + fields[9] + "]", nil
		}
	}
	return "", fmt.Errorf("no socket has port %d", port)
}

func withChildren(pid int) []int {
	pids := []int{pid}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, field := range strings.Fields(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

func holds(pid int, socket string) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil && to == socket {
			return true
		}
	}
	return false
}
