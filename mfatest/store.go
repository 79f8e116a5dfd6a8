package mfatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protekt/mfa"
)

// TestStore checks that a store keeps the promises of mfa.Store. open returns
// an empty store, a new one each time; it may use t.Cleanup.
//
//	func TestStore(t *testing.T) {
//		mfatest.TestStore(t, func(t *testing.T) mfa.Store { return newStore(t) })
//	}
//
// Each rule is a subtest. The races among them mean most under go test -race.
func TestStore(t *testing.T, open func(t *testing.T) mfa.Store) {
	for _, rule := range storeRules {
		t.Run(rule.name, func(t *testing.T) {
			if err := rule.check(t.Context(), open(t)); err != nil {
				t.Errorf("%s\n\t%v", rule.text, err)
			}
		})
	}
}

// A storeRule is one promise of mfa.Store. check says how it is broken.
type storeRule struct {
	name  string
	text  string
	check func(ctx context.Context, store mfa.Store) error
}

var storeRules = []storeRule{
	{"UnknownUser", "Load of an unknown user is ErrNoRecord; Delete of one is nil.", checkUnknownUser},
	{"FirstSave", "Save with Version 0 stores a first record, as Version 1.", checkFirstSave},
	{"NextSave", "Save with the stored version stores the record as exactly the next version.", checkNextSave},
	{"Conflict", "Save with any other version is ErrConflict and changes nothing.", checkConflict},
	{"NoRecordConflict", "Save with a version above 0 is ErrConflict where there is no record.", checkNoRecordConflict},
	{"Delete", "Delete removes the record; the next Save starts at Version 0 again.", checkDelete},
	{"UserIDs", "User IDs are compared byte by byte: no two share a record.", checkUserIDs},
	{"Data", "Data comes back as it was, whatever its bytes.", checkData},
	{"Methods", "Methods come back as they were.", checkMethods},
	{"Copies", "The store shares no memory with its callers.", checkCopies},
	{"FirstSaveRace", "Of concurrent first Saves one succeeds; the others are ErrConflict.", checkFirstSaveRace},
	{"SaveRace", "Of concurrent Saves of one version one succeeds, and no update is lost.", checkSaveRace},
	{"DeleteRace", "A Save that runs beside a Delete leaves its whole record or none.", checkDeleteRace},
	{"Context", "A cancelled context is no answer: neither ErrNoRecord nor ErrConflict.", checkContext},
}

const storeWriters = 32

func checkUnknownUser(ctx context.Context, store mfa.Store) error {
	if err := wantNoRecord(ctx, store, "nobody"); err != nil {
		return err
	}
	if err := store.Delete(ctx, "nobody"); err != nil {
		return fmt.Errorf("Delete: %w, want nil", err)
	}
	return wantNoRecord(ctx, store, "nobody")
}

func checkFirstSave(ctx context.Context, store mfa.Store) error {
	record := mfa.Record{UserID: "ada", Methods: []mfa.Method{mfa.MethodTOTP}, Data: []byte("first")}
	if err := store.Save(ctx, record); err != nil {
		return fmt.Errorf("Save: %w", err)
	}
	if err := wantRecord(ctx, store, record, 1); err != nil {
		return err
	}
	return wantNoRecord(ctx, store, "bob")
}

func checkNextSave(ctx context.Context, store mfa.Store) error {
	for version := range int64(5) {
		record := mfa.Record{UserID: "ada", Version: version, Data: fmt.Append(nil, "data ", version)}
		if err := store.Save(ctx, record); err != nil {
			return fmt.Errorf("Save of Version %d: %w", version, err)
		}
		if err := wantRecord(ctx, store, record, version+1); err != nil {
			return err
		}
	}
	return nil
}

func checkConflict(ctx context.Context, store mfa.Store) error {
	record := mfa.Record{UserID: "ada", Methods: []mfa.Method{mfa.MethodSMS}, Data: []byte("kept")}
	for version := range int64(3) {
		record.Version = version
		if err := store.Save(ctx, record); err != nil {
			return fmt.Errorf("Save of Version %d: %w", version, err)
		}
	}
	for _, version := range []int64{0, 1, 2, 4, 1 << 40} {
		other := mfa.Record{UserID: "ada", Version: version, Methods: []mfa.Method{mfa.MethodTOTP}, Data: []byte("lost")}
		if err := store.Save(ctx, other); !errors.Is(err, mfa.ErrConflict) {
			return fmt.Errorf("Save of Version %d where 3 is stored: %v, want ErrConflict", version, err)
		}
		if err := wantRecord(ctx, store, record, 3); err != nil {
			return err
		}
	}
	return nil
}

func checkNoRecordConflict(ctx context.Context, store mfa.Store) error {
	for _, version := range []int64{1, 2, 1 << 40} {
		err := store.Save(ctx, mfa.Record{UserID: "ada", Version: version, Data: []byte("x")})
		if !errors.Is(err, mfa.ErrConflict) {
			return fmt.Errorf("Save of Version %d: %v, want ErrConflict", version, err)
		}
		if err := wantNoRecord(ctx, store, "ada"); err != nil {
			return err
		}
	}
	return nil
}

func checkDelete(ctx context.Context, store mfa.Store) error {
	ada := mfa.Record{UserID: "ada", Data: []byte("a")}
	bob := mfa.Record{UserID: "bob", Data: []byte("b")}
	for _, record := range []mfa.Record{ada, bob} {
		if err := store.Save(ctx, record); err != nil {
			return fmt.Errorf("Save: %w", err)
		}
	}
	if err := store.Delete(ctx, "ada"); err != nil {
		return fmt.Errorf("Delete: %w", err)
	}
	if err := wantNoRecord(ctx, store, "ada"); err != nil {
		return err
	}
	if err := wantRecord(ctx, store, bob, 1); err != nil {
		return err
	}
	stale := ada
	stale.Version = 1
	if err := store.Save(ctx, stale); !errors.Is(err, mfa.ErrConflict) {
		return fmt.Errorf("Save of the deleted Version 1: %v, want ErrConflict", err)
	}
	if err := store.Save(ctx, ada); err != nil {
		return fmt.Errorf("Save of Version 0 after Delete: %w", err)
	}
	return wantRecord(ctx, store, ada, 1)
}

// userIDs are alike in ways that databases take for equal, or hold what has a
// meaning in some query language or key space.
var userIDs = []string{
	"ada", "Ada", "ADA", "ada ", " ada", "ada  ", "ada.", "ada\u00a0",
	"é", "e\u0301", "E", "e", "ß", "ss", "ﬁ", "fi", "İ", "i", "ı", "I", "Å", "\u212b", "Ω", "\u2126",
	"'", "''", `"`, "`", `\`, `\\`, "%", "_", "a%", "a_", "*", "?", "[a]", "a*", ">", "a.>", ".", "..", "a.b", "a/b", "a//b", "/",
	"a:b", "{a}", "{b}a", "a=b", "a,b", "a;b", "a|b", "$a", "#a", "@a", "a@example.com", "A@example.com", "a b", "a+b", "a%20b", "a%2Fb",
	"'; DROP TABLE mfa_users; --", "0", "00", "0.0", "-0", "1", "1.0", "01", "true", "null", "NULL", "nil",
	"\u200b", "\u200ba", "a\u200b", "😀", "😁", "\U0010ffff",
	strings.Repeat("x", 254), strings.Repeat("x", 255), strings.Repeat("x", 254) + "y", strings.Repeat("X", 255),
	strings.Repeat("😀", 63), strings.Repeat("😀", 63) + "abc", strings.Repeat("😀", 63) + "abd", strings.Repeat("é", 127) + "a",
}

func checkUserIDs(ctx context.Context, store mfa.Store) error {
	for i, id := range userIDs {
		if err := wantNoRecord(ctx, store, id); err != nil {
			return fmt.Errorf("%w; it shares one with an earlier ID", err)
		}
		if err := store.Save(ctx, mfa.Record{UserID: id, Data: fmt.Append(nil, i)}); err != nil {
			return fmt.Errorf("Save of user %q: %w", id, err)
		}
	}
	for i, id := range userIDs {
		if err := wantRecord(ctx, store, mfa.Record{UserID: id, Data: fmt.Append(nil, i)}, 1); err != nil {
			return err
		}
	}
	for i, id := range userIDs {
		if err := store.Delete(ctx, id); err != nil {
			return fmt.Errorf("Delete of user %q: %w", id, err)
		}
		if err := wantNoRecord(ctx, store, id); err != nil {
			return err
		}
		if i+1 < len(userIDs) {
			if err := wantRecord(ctx, store, mfa.Record{UserID: userIDs[i+1], Data: fmt.Append(nil, i+1)}, 1); err != nil {
				return fmt.Errorf("after Delete of user %q: %w", id, err)
			}
		}
	}
	return nil
}

func checkData(ctx context.Context, store mfa.Store) error {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for i, data := range [][]byte{{}, {0}, every, []byte("text"), []byte("\xff\xfe"), bytes.Repeat(every, 32)} {
		record := mfa.Record{UserID: "ada", Version: int64(i), Data: data}
		if err := store.Save(ctx, record); err != nil {
			return fmt.Errorf("Save of %d bytes: %w", len(data), err)
		}
		if err := wantRecord(ctx, store, record, int64(i)+1); err != nil {
			return err
		}
	}
	return nil
}

func checkMethods(ctx context.Context, store mfa.Store) error {
	for i, methods := range [][]mfa.Method{
		{mfa.MethodTOTP, mfa.MethodSMS}, {mfa.MethodTOTP}, {}, {mfa.MethodSMS}, nil,
	} {
		record := mfa.Record{UserID: "ada", Version: int64(i), Methods: methods, Data: []byte("x")}
		if err := store.Save(ctx, record); err != nil {
			return fmt.Errorf("Save with %v: %w", methods, err)
		}
		if err := wantRecord(ctx, store, record, int64(i)+1); err != nil {
			return err
		}
	}
	return nil
}

func checkCopies(ctx context.Context, store mfa.Store) error {
	record := mfa.Record{UserID: "ada", Methods: []mfa.Method{mfa.MethodTOTP}, Data: []byte("data")}
	given := mfa.Record{UserID: "ada", Methods: slices.Clone(record.Methods), Data: bytes.Clone(record.Data)}
	if err := store.Save(ctx, given); err != nil {
		return fmt.Errorf("Save: %w", err)
	}
	given.Data[0], given.Methods[0] = '!', "!"
	if err := wantRecord(ctx, store, record, 1); err != nil {
		return fmt.Errorf("what Save was given has changed since: %w", err)
	}
	loaded, err := store.Load(ctx, "ada")
	if err != nil {
		return fmt.Errorf("Load: %w", err)
	}
	loaded.Data[0], loaded.Methods[0] = '!', "!"
	_ = append(loaded.Data, '!')
	if err := wantRecord(ctx, store, record, 1); err != nil {
		return fmt.Errorf("what Load returned has changed since: %w", err)
	}
	return nil
}

func checkFirstSaveRace(ctx context.Context, store mfa.Store) error {
	for round := range 5 {
		id := fmt.Sprint("user ", round)
		winner, err := race(func(i int) error {
			return store.Save(ctx, mfa.Record{UserID: id, Data: fmt.Append(nil, i)})
		})
		if err != nil {
			return err
		}
		if err := wantRecord(ctx, store, mfa.Record{UserID: id, Data: fmt.Append(nil, winner)}, 1); err != nil {
			return fmt.Errorf("writer %d won: %w", winner, err)
		}
	}
	return nil
}

func checkSaveRace(ctx context.Context, store mfa.Store) error {
	// Each round all write what they have read.
	if err := store.Save(ctx, mfa.Record{UserID: "ada", Data: []byte("-1")}); err != nil {
		return fmt.Errorf("Save: %w", err)
	}
	for version := int64(1); version <= 10; version++ {
		winner, err := race(func(i int) error {
			return store.Save(ctx, mfa.Record{UserID: "ada", Version: version, Data: fmt.Append(nil, i)})
		})
		if err != nil {
			return fmt.Errorf("Version %d: %w", version, err)
		}
		if err := wantRecord(ctx, store, mfa.Record{UserID: "ada", Data: fmt.Append(nil, winner)}, version+1); err != nil {
			return fmt.Errorf("writer %d won: %w", winner, err)
		}
	}
	// Each adds one to a number, until it has done so.
	if err := store.Save(ctx, mfa.Record{UserID: "sum", Data: []byte("0")}); err != nil {
		return fmt.Errorf("Save: %w", err)
	}
	failures := together(func(int) error {
		for range 10_000 {
			record, err := store.Load(ctx, "sum")
			if err != nil {
				return fmt.Errorf("Load: %w", err)
			}
			var sum int
			if _, err := fmt.Sscan(string(record.Data), &sum); err != nil {
				return fmt.Errorf("Load gave %q: %w", record.Data, err)
			}
			record.Data = fmt.Append(nil, sum+1)
			if err := store.Save(ctx, record); !errors.Is(err, mfa.ErrConflict) {
				return err
			}
		}
		return errors.New("what Load gives is never the version that Save wants")
	})
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return wantRecord(ctx, store, mfa.Record{UserID: "sum", Data: fmt.Append(nil, storeWriters)}, storeWriters+1)
}

func checkDeleteRace(ctx context.Context, store mfa.Store) error {
	for round := range 5 {
		id := fmt.Sprint("user ", round)
		if err := store.Save(ctx, mfa.Record{UserID: id, Data: []byte("old")}); err != nil {
			return fmt.Errorf("Save: %w", err)
		}
		failures := together(func(i int) error {
			if i%2 == 0 {
				return store.Delete(ctx, id)
			}
			err := store.Save(ctx, mfa.Record{UserID: id, Version: 1, Data: []byte("new")})
			if errors.Is(err, mfa.ErrConflict) {
				return nil
			}
			return err
		})
		if err := errors.Join(failures...); err != nil {
			return err
		}
		if err := wantNoRecord(ctx, store, id); err != nil {
			record, _ := store.Load(ctx, id)
			if record.Version != 2 || string(record.Data) != "new" {
				return fmt.Errorf("left behind: Version %d, %q", record.Version, record.Data)
			}
		}
	}
	return nil
}

func checkContext(ctx context.Context, store mfa.Store) error {
	record := mfa.Record{UserID: "ada", Data: []byte("x")}
	if err := store.Save(ctx, record); err != nil {
		return fmt.Errorf("Save: %w", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := store.Load(over, "ada"); errors.Is(err, mfa.ErrNoRecord) {
		return fmt.Errorf("Load: %w", err)
	}
	next := mfa.Record{UserID: "ada", Version: 1, Data: []byte("y")}
	err := store.Save(over, next)
	switch {
	case errors.Is(err, mfa.ErrConflict):
		return fmt.Errorf("Save: %w", err)
	case err == nil:
		return wantRecord(ctx, store, next, 2)
	}
	return nil
}

// race runs attempt in all writers at one time and returns the one that
// succeeded; the others must have met ErrConflict.
func race(attempt func(i int) error) (winner int, err error) {
	winner = -1
	for i, err := range together(attempt) {
		switch {
		case err == nil && winner >= 0:
			return 0, fmt.Errorf("writers %d and %d both succeeded", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, mfa.ErrConflict):
			return 0, fmt.Errorf("writer %d: %w, want ErrConflict", i, err)
		}
	}
	if winner < 0 {
		return 0, errors.New("no writer succeeded")
	}
	return winner, nil
}

// together runs attempt once in each of storeWriters goroutines, all of which
// wait for the last to be ready.
func together(attempt func(i int) error) []error {
	failures := make([]error, storeWriters)
	var ready, done sync.WaitGroup
	ready.Add(storeWriters)
	for i := range storeWriters {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			failures[i] = attempt(i)
		})
	}
	done.Wait()
	return failures
}

func wantNoRecord(ctx context.Context, store mfa.Store, id string) error {
	if record, err := store.Load(ctx, id); !errors.Is(err, mfa.ErrNoRecord) {
		return fmt.Errorf("Load of user %q: Version %d of %q, error %v; want ErrNoRecord", id, record.Version, record.UserID, err)
	}
	return nil
}

func wantRecord(ctx context.Context, store mfa.Store, want mfa.Record, version int64) error {
	got, err := store.Load(ctx, want.UserID)
	if err != nil {
		return fmt.Errorf("Load of user %q: %w", want.UserID, err)
	}
	if got.UserID != want.UserID || got.Version != version || !bytes.Equal(got.Data, want.Data) || !slices.Equal(got.Methods, want.Methods) {
		return fmt.Errorf("Load of user %q: got user %q, Version %d, %v, %d bytes %.40q; want Version %d, %v, %d bytes %.40q",
			want.UserID, got.UserID, got.Version, got.Methods, len(got.Data), got.Data, version, want.Methods, len(want.Data), want.Data)
	}
	return nil
}
