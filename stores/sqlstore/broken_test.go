package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/protekt/mfa"
)

// brokenVariable is the environment variable that names the fault of the stores
// in this process.
const brokenVariable = "MFA_TEST_BROKEN"

// broken wraps a store with the fault that the environment names, if any.
func broken(store mfa.Store) mfa.Store {
	switch os.Getenv(brokenVariable) {
	case "the last writer wins":
		return lastWriterWins{store}
	case "some saves are acknowledged but not done":
		return &forgetful{Store: store}
	case "a fault becomes no record":
		return optimist{store}
	case "calls outlive their contexts":
		return outliver{store}
	}
	return store
}

// lastWriterWins overwrites whatever is stored.
type lastWriterWins struct{ mfa.Store }

func (s lastWriterWins) Save(ctx context.Context, record mfa.Record) error {
	for {
		err := s.Store.Save(ctx, record)
		if !errors.Is(err, mfa.ErrConflict) {
			return err
		}
		stored, err := s.Load(ctx, record.UserID)
		if err != nil {
			return err
		}
		record.Version = stored.Version
	}
}

// forgetful drops every eleventh Save of a process.
type forgetful struct {
	mfa.Store
	saves atomic.Int64
}

func (s *forgetful) Save(ctx context.Context, record mfa.Record) error {
	if s.saves.Add(1)%11 == 0 {
		return nil
	}
	return s.Store.Save(ctx, record)
}

// optimist reports every fault as a user without MFA.
type optimist struct{ mfa.Store }

func (s optimist) Load(ctx context.Context, userID string) (mfa.Record, error) {
	record, err := s.Store.Load(ctx, userID)
	if err != nil {
		err = mfa.ErrNoRecord
	}
	return record, err
}

// outliver ignores the ends of contexts.
type outliver struct{ mfa.Store }

func (s outliver) Load(ctx context.Context, userID string) (mfa.Record, error) {
	return s.Store.Load(context.WithoutCancel(ctx), userID)
}

// TestBrokenStoresAreFound: the tests of this package find stores that are broken
// on purpose.
func TestBrokenStoresAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: runs other tests on broken stores")
	}
	for _, test := range []struct{ fault, proof, says string }{
		{"the last writer wins", "^TestProcesses$/^SQLite$", "TestProcesses/SQLite/one_TOTP_code"},
		{"some saves are acknowledged but not done", "^TestCrash$/^SQLite$", "was acknowledged|cannot log in|no pending enrollment|is accepted"},
		{"a fault becomes no record", "^TestOutage$/^MariaDB$", "an outage became"},
		{"calls outlive their contexts", "^TestHang$/^MariaDB$", "Load does not end with its context"},
	} {
		t.Run(test.fault, func(t *testing.T) {
			if strings.Contains(test.proof, "MariaDB") {
				mariaDB.place(t) // which skips the test if there is no server
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), self, "-test.run="+test.proof, "-test.timeout=2m")
			command.Env = append(os.Environ(), brokenVariable+"="+test.fault)
			out, err := command.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("--- FAIL: ")) || !regexp.MustCompile(test.says).Match(out) {
				t.Errorf("not found: %v\n%s", err, out)
			}
		})
	}
}
