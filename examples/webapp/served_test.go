package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

var serveApp = flag.String("serve", "", "serve the application, and the React one in this folder, to the tests of examples/react")

// TestServe serves the application to the tests of examples/react until they end
// the process. They move its clock, at the second of the addresses that it prints.
func TestServe(t *testing.T) {
	if *serveApp == "" {
		t.Skip("the tests of examples/react run it, with -serve")
	}
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := newSite(t, withPasskeys, tenCodes, func(c *config) {
		c.App, c.Now, c.ProjectKey = *serveApp, now, os.Getenv("MFA_API_KEY")
	})
	clock := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, err := time.ParseDuration(r.FormValue("by"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ahead.Add(int64(by))
		fmt.Fprint(w, now().Unix())
	}))
	fmt.Println("serving", s.url, clock.URL)
	select {}
}
