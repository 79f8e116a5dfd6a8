package mfa_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

func TestMemoryStore(t *testing.T) {
	mfatest.TestStore(t, func(*testing.T) mfa.Store { return mfa.NewMemoryStore() })
}

// TestExampleStore: the example's store meets the contract.
func TestExampleStore(t *testing.T) {
	mfatest.TestStore(t, func(*testing.T) mfa.Store { return &mapStore{records: make(map[string]mfa.Record)} })
}

func TestCheckUserID(t *testing.T) {
	for id, valid := range map[string]bool{
		"a": true, "日本": true, " Ada ' % ": true, "\u200b": true, "\U0010ffff": true, strings.Repeat("a", 255): true, strings.Repeat("é", 127): true,
		"": false, strings.Repeat("a", 256): false, strings.Repeat("é", 128): false,
		"a\x00b": false, "a\n": false, "\x7f": false, "\u0085": false, "\xff": false, "\xed\xa0\x80": false,
	} {
		if err := mfa.CheckUserID(id); valid && err != nil || !valid && !errors.Is(err, mfa.ErrInvalidUser) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
