package mfa_test

import (
	"testing"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

func TestMemoryStore(t *testing.T) {
	mfatest.TestStore(t, func(*testing.T) mfa.Store { return mfa.NewMemoryStore() })
}

// TestExampleStore: what the example tells people to write is right.
func TestExampleStore(t *testing.T) {
	mfatest.TestStore(t, func(*testing.T) mfa.Store { return &mapStore{records: make(map[string]mfa.Record)} })
}
