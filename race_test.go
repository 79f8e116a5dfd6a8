package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// A barrierStore makes a race certain: its first n Loads return together, so
// that all of them have read the same version.
type barrierStore struct {
	mfa.Store
	all sync.WaitGroup

	mu   sync.Mutex
	left int
}

func newBarrier(store mfa.Store, n int) *barrierStore {
	s := &barrierStore{Store: store, left: n}
	s.all.Add(n)
	return s
}

func (s *barrierStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	record, err := s.Store.Load(ctx, userID)
	s.mu.Lock()
	waits := s.left > 0
	if waits {
		s.left--
	}
	s.mu.Unlock()
	if waits {
		s.all.Done()
		s.all.Wait()
	}
	return record, err
}

// race runs attempt n times at once, over three engines on one store whose
// first Loads all return the same, and gives the errors.
func (w *world) race(n int, attempt func(engine *mfa.Engine, i int) error) []error {
	w.t.Helper()
	barrier := newBarrier(w.store, n)
	var engines []*mfa.Engine
	for range 3 {
		engines = append(engines, w.another(func(c *mfa.Config) { c.Store = barrier }))
	}
	errs := make([]error, n)
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() { errs[i] = attempt(engines[i%3], i) })
	}
	done.Wait()
	return errs
}

// wantOne checks that one attempt succeeded and the others were refused.
func wantOne(t *testing.T, errs []error, refusals ...error) {
	t.Helper()
	successes := 0
	for _, err := range errs {
		if err == nil {
			successes++
		} else if !slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) }) {
			t.Errorf("refused with %v", err)
		}
	}
	if successes != 1 {
		t.Errorf("%d of %d succeeded, want one", successes, len(errs))
	}
}

const racers = 64

func TestRaces(t *testing.T) {
	setUp := func(t *testing.T) (*world, app, []string) {
		w := newWorld(t)
		a, login := w.enrollTOTP("ada")
		w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
		return w, a, w.backupCodes("ada", login.Proof)
	}
	begin := func(w *world, n int) (tokens []string) {
		for range n {
			tokens = append(tokens, w.begin("ada").Token)
		}
		return tokens
	}

	t.Run("one TOTP code, many challenges", func(t *testing.T) {
		w, a, _ := setUp(t)
		tokens, code := begin(w, racers), a.code()
		wantOne(t, w.race(racers, func(e *mfa.Engine, i int) error {
			_, err := e.VerifyLogin(w.ctx, tokens[i], code)
			return err
		}), mfa.ErrInvalidCode)
	})
	t.Run("one TOTP code, one challenge", func(t *testing.T) {
		w, a, _ := setUp(t)
		token, code := w.begin("ada").Token, a.code()
		wantOne(t, w.race(racers, func(e *mfa.Engine, _ int) error {
			_, err := e.VerifyLogin(w.ctx, token, code)
			return err
		}), mfa.ErrInvalidToken)
	})
	t.Run("one SMS code", func(t *testing.T) {
		w, _, _ := setUp(t)
		token := w.begin("ada").Token
		code := w.sendCode(token)
		wantOne(t, w.race(racers, func(e *mfa.Engine, _ int) error {
			_, err := e.VerifyLogin(w.ctx, token, code)
			return err
		}), mfa.ErrInvalidToken)
	})
	t.Run("one backup code, many challenges", func(t *testing.T) {
		w, _, codes := setUp(t)
		tokens := begin(w, racers)
		errs := w.race(racers, func(e *mfa.Engine, i int) error {
			_, err := e.VerifyLogin(w.ctx, tokens[i], codes[0])
			return err
		})
		successes := 0
		for _, err := range errs {
			var throttled *mfa.ThrottledError
			if err == nil {
				successes++
			} else if !errors.Is(err, mfa.ErrInvalidCode) && !errors.As(err, &throttled) {
				t.Errorf("refused with %v", err)
			}
		}
		if successes != 1 || w.status("ada").BackupCodesLeft != 1 {
			t.Errorf("%d succeeded, %d codes left", successes, w.status("ada").BackupCodesLeft)
		}
	})
	t.Run("one challenge, all kinds of codes", func(t *testing.T) {
		w, a, codes := setUp(t)
		token := w.begin("ada").Token
		answers := []string{a.code(), w.sendCode(token), codes[0], codes[1]}
		errs := w.race(racers, func(e *mfa.Engine, i int) error {
			_, err := e.VerifyLogin(w.ctx, token, answers[i%len(answers)])
			return err
		})
		wantOne(t, errs, mfa.ErrInvalidToken, mfa.ErrInvalidCode)
		spent := 2 - w.status("ada").BackupCodesLeft
		for i, err := range errs {
			if err == nil && spent != i%len(answers)/2 {
				t.Errorf("answer %d won, and %d backup codes are spent", i%len(answers), spent)
			}
		}
	})
	t.Run("one enrollment", func(t *testing.T) {
		w := newWorld(t)
		enrollment, err := w.EnrollTOTP(w.ctx, "ada", "a")
		ok(t, err)
		code := w.scan(enrollment.URI).code()
		wantOne(t, w.race(racers, func(e *mfa.Engine, _ int) error {
			_, err := e.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, code)
			return err
		}), mfa.ErrNoPendingEnrollment)
	})
	t.Run("backup codes are generated", func(t *testing.T) {
		w, _, _ := setUp(t)
		proof := manage(w, "ada")
		var mu sync.Mutex
		var sets [][]string
		for _, err := range w.race(8, func(e *mfa.Engine, _ int) error {
			codes, err := e.GenerateBackupCodes(w.ctx, "ada", mfa.WithProof(proof))
			mu.Lock()
			defer mu.Unlock()
			sets = append(sets, codes)
			return err
		}) {
			ok(t, err)
		}
		works := 0
		for _, codes := range sets {
			ok(t, w.Unlock(w.ctx, "ada"))
			if _, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, codes[0]); err == nil {
				works++
			}
		}
		if works != 1 {
			t.Errorf("%d sets work, want one", works)
		}
	})
	t.Run("different backup codes", func(t *testing.T) {
		w := newWorld(t, func(c *mfa.Config) { c.BackupCodes.Count = 6 })
		_, login := w.enrollTOTP("ada")
		codes := w.backupCodes("ada", login.Proof)
		tokens := begin(w, len(codes))
		for i, err := range w.race(len(codes), func(e *mfa.Engine, i int) error {
			_, err := e.VerifyLogin(w.ctx, tokens[i], codes[i])
			return err
		}) {
			if err != nil {
				t.Errorf("code %d: %v", i, err)
			}
		}
		if left := w.status("ada").BackupCodesLeft; left != 0 {
			t.Errorf("%d came back", left)
		}
	})
	t.Run("messages", func(t *testing.T) {
		w, _, _ := setUp(t)
		tokens := begin(w, racers)
		before := len(w.outbox.Messages())
		w.race(racers, func(e *mfa.Engine, i int) error {
			_, err := e.SendCode(w.ctx, tokens[i])
			return err
		})
		if sent := len(w.outbox.Messages()) - before; sent != 1 {
			t.Errorf("%d messages were sent, want one", sent)
		}
	})
}

// TestParallelGuessesCountOneByOne: of 300 at one moment five are judged. One
// of them is right: it may win only as one of those five.
func TestParallelGuessesCountOneByOne(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	var tokens []string
	for range 300 {
		tokens = append(tokens, w.begin("ada").Token)
	}
	w.told()
	judged := 0
	for _, err := range w.race(300, func(e *mfa.Engine, i int) error {
		_, err := e.VerifyLogin(w.ctx, tokens[i], a.wrong())
		return err
	}) {
		var throttled *mfa.ThrottledError
		switch {
		case errors.Is(err, mfa.ErrInvalidCode):
			judged++
		case !errors.As(err, &throttled):
			t.Errorf("got %v", err)
		}
	}
	if judged != 5 {
		t.Errorf("%d were judged, want 5", judged)
	}
	refused := 0
	for _, event := range w.told() {
		if event == mfa.EventRefused {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("%d were told, want 5", refused)
	}
}

// TestParallelBackupCodesCountOneByOne: of 200 wrong ones ten are hashed.
func TestParallelBackupCodesCountOneByOne(t *testing.T) {
	w := newWorld(t)
	_, login := w.enrollTOTP("ada")
	w.backupCodes("ada", login.Proof)
	var tokens []string
	for range 200 {
		tokens = append(tokens, w.begin("ada").Token)
	}
	judged := 0
	for _, err := range w.race(200, func(e *mfa.Engine, i int) error {
		_, err := e.VerifyLogin(w.ctx, tokens[i], "aaaa-aaaa")
		return err
	}) {
		if errors.Is(err, mfa.ErrInvalidCode) {
			judged++
		}
	}
	if judged != 10 {
		t.Errorf("%d were hashed, want 10", judged)
	}
}

// TestAFloodOfBackupCodesKeepsMemoryFlat: each hash takes 19 MiB, and no more
// are computed at once than there are processors.
func TestAFloodOfBackupCodesKeepsMemoryFlat(t *testing.T) {
	const users, processors, perHash = 12, 2, 19 << 20
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	w := newWorld(t, func(c *mfa.Config) { c.BackupCodes.Count = 1 })
	tokens := make([]string, users)
	for i := range tokens {
		user := fmt.Sprint("user", i)
		_, login := w.enrollTOTP(user)
		w.backupCodes(user, login.Proof)
	}
	for i := range tokens {
		tokens[i] = w.begin(fmt.Sprint("user", i)).Token
	}
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before := stats.HeapAlloc

	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	var done sync.WaitGroup
	for _, token := range tokens {
		done.Go(func() {
			_, err := w.VerifyLogin(w.ctx, token, "aaaa-aaaa")
			wantErr(t, err, mfa.ErrInvalidCode)
		})
	}
	done.Wait()
	close(stop)
	// As much again may wait for the collector.
	if growth := <-peak - before; growth > 3*processors*perHash {
		t.Errorf("the heap grew by %d MiB", growth>>20)
	}
}

// TestManyDifferentChanges: nobody's is lost, and nobody fails for being late.
func TestManyDifferentChanges(t *testing.T) {
	w := newWorld(t)
	w.enrollTOTP("ada")
	record, err := w.store.Load(w.ctx, "ada")
	ok(t, err)
	for _, err := range w.race(racers, func(e *mfa.Engine, i int) error {
		if i%2 == 0 {
			return e.ForgetDevices(w.ctx, "ada")
		}
		return e.PasswordChanged(w.ctx, "ada")
	}) {
		ok(t, err)
	}
	after, err := w.store.Load(w.ctx, "ada")
	ok(t, err)
	if after.Version != record.Version+racers {
		t.Errorf("%d changes became %d versions", racers, after.Version-record.Version)
	}
}

// TestEverythingAtOnce: all operations on a few users from many goroutines, for
// the race detector, and nobody panics.
func TestEverythingAtOnce(t *testing.T) {
	w := newWorld(t)
	apps := make([]app, 3)
	proofs := make([]string, 3)
	for i := range apps {
		var login *mfa.Login
		apps[i], login = w.enrollTOTP(fmt.Sprint("user", i))
		proofs[i] = login.Proof
	}
	var done sync.WaitGroup
	for g := range 16 {
		done.Go(func() {
			for round := range 10 {
				i := (g + round) % 3
				user, proof := fmt.Sprint("user", i), mfa.WithProof(proofs[i])
				var challenge *mfa.ChallengeError
				if errors.As(w.BeginLogin(w.ctx, user), &challenge) {
					w.SendCode(w.ctx, challenge.Token)
					w.VerifyLogin(w.ctx, challenge.Token, apps[i].code())
					w.VerifyLogin(w.ctx, challenge.Token, "000000")
				}
				w.Status(w.ctx, user)
				w.BeginStepUp(w.ctx, user, "x")
				w.TrustDevice(w.ctx, user, proofs[i])
				w.EnrollSMS(w.ctx, user, phone, proof)
				w.VerifyEnrollment(w.ctx, user, mfa.MethodSMS, w.outbox.Code(phone))
				switch g {
				case 0:
					w.ForgetDevices(w.ctx, user)
				case 1:
					w.Unlock(w.ctx, user)
				case 2:
					w.EnrollTOTP(w.ctx, user, "a", proof)
				case 3:
					w.Unenroll(w.ctx, user, mfa.MethodSMS, proof)
				}
				w.clock.Advance(time.Second)
			}
		})
	}
	done.Wait()
	for i := range apps {
		if err := w.BeginLogin(w.ctx, fmt.Sprint("user", i)); err == nil {
			t.Errorf("user%d passes without a factor", i)
		}
	}
}
