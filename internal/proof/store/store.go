// Package store holds a store, with an engine on it, to what a real
// database alone can show: several processes at once, processes that are
// killed, a server that goes away or hangs. It is for the tests of the modules
// under stores/, beside mfatest.TestStore.
//
// A test starts its own test binary again as the other processes. Main, called
// from TestMain, is where those begin:
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

// An Opener opens the store at an address, as each process does for itself. What
// an address is, is the module's own affair. close waits for nothing.
type Opener func(address string) (store mfa.Store, close func(), err error)

// Main runs the tests, or the part of a process that a test has started.
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

// Require skips a test whose server does not answer. Under MFA_TEST_REQUIRE=1
// that is a failure.
func Require(t testing.TB, server string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("MFA_TEST_REQUIRE") == "1":
		t.Fatalf("%s is required here, and does not answer: %v", server, err)
	default:
		t.Skipf("skipped: no %s answers: %v", server, err)
	}
}

// Address is where a server is: what the environment says, or else the usual
// local one.
func Address(variable, usual string) string {
	if address := os.Getenv(variable); address != "" {
		return address
	}
	return usual
}

// start is when the clocks of all processes begin.
var start = time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC)

// newEngine is the same in every process.
func newEngine(store mfa.Store, now func() time.Time) (*mfa.Engine, error) {
	return mfa.New(mfa.Config{
		Issuer:      "ACME",
		Store:       store,
		Keys:        [][]byte{world.Key(1)},
		Now:         now,
		BackupCodes: mfa.BackupCodeConfig{Count: 1},
	})
}

// together runs attempt in n goroutines at once and gives what each returned.
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
