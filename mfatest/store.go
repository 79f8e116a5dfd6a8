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

// TestStore checks that a store keeps the promises of mfa.Store. open returns a
// new, empty store each time it is called; it may use t.Cleanup.
//
//	func TestStore(t *testing.T) {
//		mfatest.TestStore(t, func(t *testing.T) mfa.Store { return newStore(t) })
//	}
//
// Each promise is a subtest. All user IDs are ones that mfa.CheckUserID accepts; a
// store may accept others too. Some of the subtests have concurrent callers: run
// them with go test -race.
func TestStore(t *testing.T, open func(t *testing.T) mfa.Store) {
	for _, rule := range storeRules {
		t.Run(rule.name, func(t *testing.T) {
			if err := rule.check(t.Context(), open(t)); err != nil {
				t.Errorf("%s\n\t%v", rule.text, err)
			}
		})
	}
}

// A storeRule is one promise of mfa.Store. check returns an error if a store
// breaks it.
type storeRule struct {
	name  string
	text  string
	check func(ctx context.Context, store mfa.Store) error
}

var storeRules = []storeRule{
	{"UnknownUser", "For an unknown user, Load returns ErrNoRecord and Delete returns nil.", checkUnknownUser},
	{"FirstSave", "Save with Version 0 stores the first record, as Version 1.", checkFirstSave},
	{"NextSave", "Save with the stored version stores the record as exactly the next version.", checkNextSave},
	{"Conflict", "Save with any other version returns ErrConflict and changes nothing.", checkConflict},
	{"NoRecordConflict", "Save with a version above 0 returns ErrConflict if there is no record.", checkNoRecordConflict},
	{"Delete", "Delete removes the record; the next Save has Version 0 again.", checkDelete},
	{"UserIDs", "User IDs are compared byte by byte: no two users share a record.", checkUserIDs},
	{"Data", "Load returns the Data that was saved, up to 16 KiB, whatever its bytes.", checkData},
	{"Methods", "Load returns the Methods that were saved.", checkMethods},
	{"Copies", "The store shares no memory with its callers.", checkCopies},
	{"FirstSaveRace", "Of concurrent first Saves, one succeeds and the others return ErrConflict.", checkFirstSaveRace},
	{"SaveRace", "Of concurrent Saves of one version, one succeeds, and no update is lost.", checkSaveRace},
	{"DeleteRace", "A Save concurrent with a Delete leaves its whole record or none.", checkDeleteRace},
	{"Context", "With a cancelled context, no call returns ErrNoRecord or ErrConflict.", checkContext},
}

// storeWriters is the number of goroutines in a race.
const storeWriters = 32

func checkUnknownUser(ctx context.Context, store mfa.Store) error {
	if err := wantNoRecord(ctx, store, unknownUser); err != nil {
		return err
	}
	if err := store.Delete(ctx, unknownUser); err != nil {
		return fmt.Errorf("Delete: %w, want nil", err)
	}
	return wantNoRecord(ctx, store, unknownUser)
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

// UserIDs returns the user IDs that [TestStore] passes to a store. A store in
// columns of a table of users, where every user has a row, needs those rows
// before the test.
func UserIDs() []string {
	ids := slices.Concat(userIDs, []string{"bob", "sum"})
	for round := range raceRounds {
		ids = append(ids, racer(round))
	}
	return append(ids, unknownUser)
}

// unknownUser is the user who never has a record.
const unknownUser = "nobody"

// raceRounds is the number of users for which writers race.
const raceRounds = 5

// racer returns the user for whom writers race in that round.
func racer(round int) string { return fmt.Sprint("user ", round) }

// userIDs are valid user IDs that some database would confuse: they differ in
// ways that collations ignore, have a meaning in some query language or key
// space, or lie at the limits of what is valid.
var userIDs = []string{
	"ada", "Ada", "ADA", "ada ", " ada", "ada  ", "ada.", "ada\u00a0",
	"é", "e\u0301", "E", "e", "ß", "ss", "ﬁ", "fi", "İ", "i", "ı", "I", "Å", "\u212b", "Ω", "\u2126",
	"'", "''", `"`, "`", `\`, `\\`, "%", "_", "a%", "a_", "*", "?", "[a]", "a*", ">", "a.>", ".", "..", "a.b", "a/b", "a//b", "/",
	"a:b", "{a}", "{b}a", "a=b", "a,b", "a;b", "a|b", "$a", "#a", "@a", "a@example.com", "A@example.com", "a b", "a+b", "a%20b", "a%2Fb",
	"'; DROP TABLE mfa_users; --", "0", "00", "0.0", "-0", "1", "1.0", "01", "true", "null", "NULL", "nil",
	" ", "  ", "\u200b", "\u200ba", "a\u200b", "\ufeff", "\u2028", "\ufffd", "\uffff", "😀", "😁", "\U0010ffff",
	strings.Repeat("x", 254), strings.Repeat("x", 255), strings.Repeat("x", 254) + "y", strings.Repeat("X", 255),
	strings.Repeat("😀", 63), strings.Repeat("😀", 63) + "abc", strings.Repeat("😀", 63) + "abd", strings.Repeat("é", 127) + "a",
}

func checkUserIDs(ctx context.Context, store mfa.Store) error {
	for i, id := range userIDs {
		if err := wantNoRecord(ctx, store, id); err != nil {
			return fmt.Errorf("%w; it shares the record of an earlier ID", err)
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

// maxData is the number of bytes of Data that a store must take.
const maxData = 16 << 10

func checkData(ctx context.Context, store mfa.Store) error {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for i, data := range [][]byte{{}, {0}, every, []byte("text"), []byte("\xff\xfe"), bytes.Repeat(every, maxData/len(every))} {
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
		return fmt.Errorf("after a change of what was passed to Save: %w", err)
	}
	loaded, err := store.Load(ctx, "ada")
	if err != nil {
		return fmt.Errorf("Load: %w", err)
	}
	loaded.Data[0], loaded.Methods[0] = '!', "!"
	_ = append(loaded.Data, '!')
	if err := wantRecord(ctx, store, record, 1); err != nil {
		return fmt.Errorf("after a change of what Load returned: %w", err)
	}
	return nil
}

func checkFirstSaveRace(ctx context.Context, store mfa.Store) error {
	for round := range raceRounds {
		id := racer(round)
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
	// In each round, all writers save the same version.
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
	// Each writer adds one to a number and retries until it succeeds.
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
				return fmt.Errorf("Load returned %q: %w", record.Data, err)
			}
			record.Data = fmt.Append(nil, sum+1)
			if err := store.Save(ctx, record); !errors.Is(err, mfa.ErrConflict) {
				return err
			}
		}
		return errors.New("Save never accepts the version that Load returns")
	})
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return wantRecord(ctx, store, mfa.Record{UserID: "sum", Data: fmt.Append(nil, storeWriters)}, storeWriters+1)
}

func checkDeleteRace(ctx context.Context, store mfa.Store) error {
	for round := range raceRounds {
		id := racer(round)
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
				return fmt.Errorf("left: Version %d, %q", record.Version, record.Data)
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
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := store.Load(cancelled, "ada"); errors.Is(err, mfa.ErrNoRecord) {
		return fmt.Errorf("Load: %w", err)
	}
	next := mfa.Record{UserID: "ada", Version: 1, Data: []byte("y")}
	err := store.Save(cancelled, next)
	switch {
	case errors.Is(err, mfa.ErrConflict):
		return fmt.Errorf("Save: %w", err)
	case err == nil:
		return wantRecord(ctx, store, next, 2)
	}
	return nil
}

// race runs attempt in all writers at once and returns the writer that succeeded.
// The others must have returned ErrConflict.
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

// together runs attempt in storeWriters goroutines, which all wait for the last
// one to be ready, and returns their results.
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

// wantNoRecord returns an error unless the user has no record.
func wantNoRecord(ctx context.Context, store mfa.Store, id string) error {
	if record, err := store.Load(ctx, id); !errors.Is(err, mfa.ErrNoRecord) {
		return fmt.Errorf("Load of user %q: Version %d of %q, error %v; want ErrNoRecord", id, record.Version, record.UserID, err)
	}
	return nil
}

// wantRecord returns an error unless want is stored under version.
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
