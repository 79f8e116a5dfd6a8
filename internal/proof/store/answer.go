package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// answers is the maximum number of answers by which a server answers one Save, to
// any client.
const answers = 4

// TestLostAnswers loses each answer of the server to a Save in turn. Whatever was
// carried out, the Save must not be sent a second time: the second would conflict
// with the first, and a right code would count as a replay. store is behind the
// proxy and empty. Some clients wait for the lost answer until a context ends.
func TestLostAnswers(t *testing.T, proxy *Proxy, store mfa.Store) {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	for version := range int64(2) {
		carriedOut := 0
		for n := 1; n <= answers; n++ {
			// The client now has a connection, and statements that are prepared.
			saveVersions(ctx, t, store, fmt.Sprint("before ", version, n), 2)
			id := fmt.Sprint("user ", version, n)
			saveVersions(ctx, t, store, id, version)
			proxy.LoseAnswer(n)
			one, cancel := context.WithTimeout(ctx, Patience/60)
			err := store.Save(one, mfa.Record{UserID: id, Version: version, Data: []byte("x")})
			cancel()
			proxy.Restore()
			stored := storedVersion(ctx, t, store, id)
			switch {
			case errors.Is(err, mfa.ErrConflict),
				err == nil && stored != version+1,
				stored != version && stored != version+1:
				t.Errorf("Save of version %d whose answer %d was lost: %v, and version %d is stored", version, n, err, stored)
			case err != nil && stored == version+1:
				carriedOut++
			}
		}
		if carriedOut == 0 {
			t.Errorf("no answer was lost to a Save of version %d that was carried out", version)
		}
	}
}

// saveVersions saves a record so many times.
func saveVersions(ctx context.Context, t *testing.T, store mfa.Store, userID string, times int64) {
	t.Helper()
	for version := range times {
		if err := store.Save(ctx, mfa.Record{UserID: userID, Version: version, Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
}

// storedVersion returns the version that is stored, or 0, as soon as the client
// has a connection again.
func storedVersion(ctx context.Context, t *testing.T, store mfa.Store, userID string) int64 {
	t.Helper()
	for {
		one, cancel := context.WithTimeout(ctx, Patience/60)
		record, err := store.Load(one, userID)
		cancel()
		if err == nil || errors.Is(err, mfa.ErrNoRecord) {
			return record.Version
		}
		if ctx.Err() != nil {
			t.Fatalf("Load after a lost answer: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}
