package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "the address to listen on")
	path := flag.String("db", "./mfa-demo.db", "the SQLite database; :memory: keeps nothing after the end")
	origin := flag.String("origin", "", "where browsers reach the application, for passkeys, like https://www.example.com; by default localhost at the port")
	app := flag.String("app", "examples/react/app/dist", "the folder of the built React application, which is served under /app/")
	secure := flag.Bool("secure", false, "mark cookies as Secure; for use behind a proxy that terminates TLS")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "webapp: unexpected argument %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := config{Origin: *origin, Secure: *secure, Log: slog.Default(), ProjectKey: os.Getenv("MFA_API_KEY"), App: *app}
	if err := run(ctx, *addr, *path, c); err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}

// run serves the application on the database at path until ctx is done.
func run(ctx context.Context, addr, path string, c config) error {
	var from string
	var err error
	if c.Key, from, err = loadKey(path); err != nil {
		return err
	}
	if c.DB, err = openDatabase(ctx, path); err != nil {
		return err
	}
	defer c.DB.Close()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if c.Origin == "" {
		c.Origin = fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	}
	app, err := newServer(ctx, c)
	if err != nil {
		return err
	}
	fmt.Print(directions(c.Origin, path, from))
	return serve(ctx, listener, app)
}

// serve answers requests until ctx is done, then lets those under way finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// directions returns what to print at the start.
func directions(origin, path, key string) string {
	return fmt.Sprintf(`A web application with multi-factor authentication.

  %[1]s/signup    create an account; the first one administers the project
  %[1]s/security  add a passkey, an authenticator app, a phone, backup codes
  %[1]s/project   require MFA of everyone, reset and unlock users
  %[1]s/phone     messages and mail arrive here (for the demonstration only)
  %[1]s/docs      the JSON API
  %[1]s/app/      the same in React, once it is built

Database: %[2]s   Key: %[3]s
Press Ctrl+C to stop.
`, origin, path, key)
}
