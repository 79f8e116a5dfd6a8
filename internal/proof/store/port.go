package store

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports are below those that Linux gives to connections and to listeners that ask
// for any: a server that a test starts or restarts would sometimes find such a port
// taken.
const (
	firstPort = 10000
	lastPort  = 32767
)

// takenPorts holds the ports that this process has returned.
var takenPorts sync.Map

// FreePort returns a port for a server on 127.0.0.1, which nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	var err error
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if _, taken := takenPorts.LoadOrStore(port, true); taken {
			continue
		}
		var listener net.Listener
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatalf("no port is free: %v", err)
	return 0
}
