package natsstore_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/stores/natsstore"
)

// serverVersion is the oldest version that New accepts.
const serverVersion = "v2.12.15"

// startServer starts a server for the test alone, unless MFA_TEST_NATS is the URL
// of one, and returns its URL.
func startServer(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("MFA_TEST_NATS"); url != "" {
		return url
	}
	return startServers(t, 1)[0]
}

// startServers starts a cluster, or a server on its own, and returns their URLs. The
// first server has more settings.
func startServers(t testing.TB, n int, more ...string) (urls []string) {
	t.Helper()
	var routes []string
	for range n {
		routes = append(routes, freeAddress(t))
	}
	for i := range n {
		settings := fmt.Sprintf("server_name: s%d\njetstream { store_dir: %q, domain: hub }\n", i, t.TempDir())
		if n > 1 {
			settings += fmt.Sprintf("cluster { name: test, listen: %q, routes: [nats://%s] }\n", routes[i], strings.Join(routes, ", nats://"))
		}
		if i == 0 {
			settings += strings.Join(more, "")
		}
		urls = append(urls, startProgram(t, settings))
	}
	return urls
}

// startProgram starts one server with these settings and returns its URL.
func startProgram(t testing.TB, settings string) (url string) {
	t.Helper()
	program, err := store.Build(t, "github.com/nats-io/nats-server/v2", serverVersion)
	store.Require(t, "module proxy", err)
	address := freeAddress(t)
	file := filepath.Join(t.TempDir(), "server.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "listen: %q\n%s", address, settings), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(program, "-c", file)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	return "nats://" + address
}

func freeAddress(t testing.TB) string { return fmt.Sprintf("127.0.0.1:%d", store.FreePort(t)) }

// connect returns a connection that reconnects forever, as a host's does.
func connect(url string) (*nats.Conn, jetstream.JetStream, error) {
	connection, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(connection, jetstream.WithDefaultTimeout(time.Hour))
	return connection, js, err
}

// connected returns a connection to a server that is ready.
func connected(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	for over := time.Now().Add(store.Patience); ; time.Sleep(10 * time.Millisecond) {
		connection, js, err := connect(url)
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err = js.AccountInfo(ctx)
			cancel()
			if err == nil {
				t.Cleanup(connection.Close)
				return js
			}
			connection.Close()
		}
		if time.Now().After(over) {
			t.Fatalf("the server does not start: %v", err)
		}
	}
}

// connectedToThree starts a cluster of three servers, of which the first has more
// settings, and returns a connection to it.
func connectedToThree(t testing.TB, more ...string) jetstream.JetStream {
	t.Helper()
	js := connected(t, startServers(t, 3, more...)[0])
	// Two of the servers answer before the third is there.
	for over := time.Now().Add(store.Patience); ; time.Sleep(10 * time.Millisecond) {
		err := natsstore.Create(context.Background(), js, jetstream.KeyValueConfig{Bucket: onThree, Replicas: 3})
		if err == nil {
			return js
		}
		if time.Now().After(over) {
			t.Fatalf("the cluster does not become complete: %v", err)
		}
	}
}

// onThree is the name of a bucket that connectedToThree creates.
const onThree = "on_three"
