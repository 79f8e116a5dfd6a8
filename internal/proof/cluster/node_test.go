//go:build linux

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A node is one server process of a cluster.
type node struct {
	name    string
	command []string
	owner   *syscall.Credential // nil: the user who runs the test
	log     string

	running *exec.Cmd    // nil while it is killed
	pid     atomic.Int64 // of the running process, or 0; read by the network
}

// newNode returns a node that has not been started. It is killed when the test ends.
func newNode(t *testing.T, name, dir string, command ...string) *node {
	n := &node{name: name, command: command, log: filepath.Join(dir, name+".log")}
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("the log of %s ends with\n%s", name, n.tail())
		}
	})
	return n
}

func (n *node) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command := exec.Command(n.command[0], n.command[1:]...)
	command.Stdout, command.Stderr = log, log
	// The kernel kills a server whose test ends without running its cleanups.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: n.owner}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	n.running = command
	n.pid.Store(int64(command.Process.Pid))
}

// kill ends the process as abruptly as a power failure, even while it is paused.
func (n *node) kill() {
	if n.running != nil {
		n.running.Process.Kill()
		n.running.Wait()
		n.running = nil
		n.pid.Store(0)
	}
}

func (n *node) pause() { n.running.Process.Signal(syscall.SIGSTOP) }

func (n *node) resume() {
	if n.running != nil {
		n.running.Process.Signal(syscall.SIGCONT)
	}
}

// tail returns the last lines of the log.
func (n *node) tail() string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// patience bounds the wait for something that a healthy cluster does soon, so that a
// test fails instead of hanging. No time is measured with it.
const patience = 2 * time.Minute

// eventually calls try until it returns nil.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for over := time.Now().Add(patience); time.Now().Before(over); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}
