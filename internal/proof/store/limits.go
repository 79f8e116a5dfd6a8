package store

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/protekt/mfa"
)

// TestLimits tests a store at the limits of a record: Data of 16 KiB and a
// Version of 2^62 are stored. A Version and Methods that cannot be stored are
// refused, and so are user IDs that mfa.CheckUserID refuses. setVersion changes
// the version of a user's record behind the store's back; it is nil if the
// database counts the versions itself. The store must be empty.
func TestLimits(t *testing.T, store mfa.Store, setVersion func(userID string, version int64)) {
	ctx := t.Context()
	data := bytes.Repeat([]byte{0, '\'', '\\', '\r', '\n', '%', 0x7f, 0xff}, 2048)
	if err := store.Save(ctx, mfa.Record{UserID: "ada", Data: data}); err != nil {
		t.Fatal(err)
	}
	versions := []int64{1}
	if setVersion != nil {
		versions = []int64{1<<31 - 1, 1 << 31, 1<<53 + 1, 1 << 62}
	}
	for _, version := range versions {
		if setVersion != nil {
			setVersion("ada", version)
		}
		for _, other := range []int64{version - 1, version + 1} { // equal to version in floating point
			if err := store.Save(ctx, mfa.Record{UserID: "ada", Version: other, Data: data}); !errors.Is(err, mfa.ErrConflict) {
				t.Errorf("version %d passes for %d: %v", other, version, err)
			}
		}
		if err := store.Save(ctx, mfa.Record{UserID: "ada", Version: version, Data: data}); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
		if got, err := store.Load(ctx, "ada"); err != nil || got.Version != version+1 || !bytes.Equal(got.Data, data) {
			t.Errorf("version %d: got %d, %d bytes, %v", version, got.Version, len(got.Data), err)
		}
	}
	for _, bad := range []mfa.Record{
		{Version: -1}, {Version: math.MaxInt64},
		{Methods: []mfa.Method{""}}, {Methods: []mfa.Method{"a,b"}},
	} {
		bad.UserID = "bob"
		if err := store.Save(ctx, bad); err == nil || errors.Is(err, mfa.ErrConflict) != (bad.Version != 0) {
			t.Errorf("version %d with %q: %v", bad.Version, bad.Methods, err)
		}
		if _, err := store.Load(ctx, "bob"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("version %d with %q is stored: %v", bad.Version, bad.Methods, err)
		}
	}
	for _, id := range []string{"", "a\x00b", "a\n", "\u0085", "\xff", strings.Repeat("a", 256)} {
		_, err := store.Load(ctx, id)
		for _, err := range []error{err, store.Save(ctx, mfa.Record{UserID: id}), store.Delete(ctx, id)} {
			if !errors.Is(err, mfa.ErrInvalidUser) {
				t.Errorf("user %q: %v, want ErrInvalidUser", id, err)
			}
		}
	}
}
