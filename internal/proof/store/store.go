// Package store tests a store, with an engine on top of it, against what only a
// real database shows: several processes at once, processes that are killed, a
// server that is cut off or hangs. The tests of the modules under stores/ use it
// beside mfatest.TestStore, which sees one client only: without this package, a
// store could lose what it has acknowledged, or take an outage for an answer.
//
// A test starts its own test binary again to create other processes. They begin in
// Main, which TestMain calls:
//
//	func TestMain(m *testing.M) { store.Main(m, open) }
package store

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// An Opener opens the store at an address; each process opens its own. Each
// module has its own form of address. close does not wait for calls under way.
type Opener func(address string) (store mfa.Store, close func(), err error)

// Main runs the tests or, in a process that a test has started, its job. It does
// not return.
func Main(m *testing.M, open Opener) {
	text, started := os.LookupEnv(jobVariable)
	if !started {
		os.Exit(m.Run())
	}
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = j.run(open)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Require skips the test if err, the error of reaching the server, is not nil.
// With MFA_TEST_REQUIRE=1 the test fails instead.
func Require(t testing.TB, server string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("MFA_TEST_REQUIRE") == "1":
		t.Fatalf("%s is required but does not answer: %v", server, err)
	default:
		t.Skipf("skipped: no %s answers: %v", server, err)
	}
}

// Address returns the address of a server: the value of the environment
// variable, or else the usual local address.
func Address(variable, usual string) string {
	if address := os.Getenv(variable); address != "" {
		return address
	}
	return usual
}

// start is the time at which the clocks of all processes start.
var start = time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC)

// newEngine returns an engine with the same settings in every process.
func newEngine(store mfa.Store, now func() time.Time) (*mfa.Engine, error) {
	return mfa.New(mfa.Config{
		Issuer:      "ACME",
		Store:       store,
		Keys:        [][]byte{world.Key(1)},
		Now:         now,
		BackupCodes: mfa.BackupCodeConfig{Count: 1},
	})
}

// together runs attempt in n goroutines at once and returns their results.
func together[T any](n int, attempt func(i int) T) []T {
	results := make([]T, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			results[i] = attempt(i)
		})
	}
	done.Wait()
	return results
}
