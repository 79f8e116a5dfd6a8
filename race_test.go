package mfa_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

const racers = 64

func TestRaces(t *testing.T) {
	setUp := func(t *testing.T) (*world.World, world.App, []string) {
		w := world.New(t)
		a, login := w.GiveTOTP("ada")
		w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
		return w, a, w.GiveBackupCodes("ada", login.Proof)
	}
	begin := func(w *world.World, n int) (tokens []string) {
		for range n {
			tokens = append(tokens, w.Begin("ada").Token)
		}
		return tokens
	}

	t.Run("one TOTP code, many challenges", func(t *testing.T) {
		w, a, _ := setUp(t)
		tokens, code := begin(w, racers), a.Shows()
		world.WantOne(t, w.Race(racers, func(e *mfa.Engine, i int) error {
			_, err := e.VerifyLogin(w.Ctx, tokens[i], code)
			return err
		}), mfa.ErrInvalidCode)
	})
	t.Run("one TOTP code, one challenge", func(t *testing.T) {
		w, a, _ := setUp(t)
		token, code := w.Begin("ada").Token, a.Shows()
		world.WantOne(t, w.Race(racers, func(e *mfa.Engine, _ int) error {
			_, err := e.VerifyLogin(w.Ctx, token, code)
			return err
		}), mfa.ErrInvalidToken)
	})
	t.Run("one SMS code", func(t *testing.T) {
		w, _, _ := setUp(t)
		token := w.Begin("ada").Token
		code := w.SentCode(token)
		world.WantOne(t, w.Race(racers, func(e *mfa.Engine, _ int) error {
			_, err := e.VerifyLogin(w.Ctx, token, code)
			return err
		}), mfa.ErrInvalidToken)
	})
	t.Run("one backup code, many challenges", func(t *testing.T) {
		w, _, codes := setUp(t)
		tokens := begin(w, racers)
		errs := w.Race(racers, func(e *mfa.Engine, i int) error {
			_, err := e.VerifyLogin(w.Ctx, tokens[i], codes[0])
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
		if successes != 1 || w.StatusOf("ada").BackupCodesLeft != 1 {
			t.Errorf("%d succeeded, %d codes left", successes, w.StatusOf("ada").BackupCodesLeft)
		}
	})
	t.Run("one challenge, all kinds of codes", func(t *testing.T) {
		w, a, codes := setUp(t)
		token := w.Begin("ada").Token
		answers := []string{a.Shows(), w.SentCode(token), codes[0], codes[1]}
		errs := w.Race(racers, func(e *mfa.Engine, i int) error {
			_, err := e.VerifyLogin(w.Ctx, token, answers[i%len(answers)])
			return err
		})
		world.WantOne(t, errs, mfa.ErrInvalidToken, mfa.ErrInvalidCode)
		spent := 2 - w.StatusOf("ada").BackupCodesLeft
		for i, err := range errs {
			if err == nil && spent != i%len(answers)/2 {
				t.Errorf("answer %d won, and %d backup codes are spent", i%len(answers), spent)
			}
		}
	})
	t.Run("one enrollment", func(t *testing.T) {
		w := world.New(t)
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
		world.OK(t, err)
		code := w.Scan(enrollment.URI).Shows()
		world.WantOne(t, w.Race(racers, func(e *mfa.Engine, _ int) error {
			_, err := e.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, code)
			return err
		}), mfa.ErrNoPendingEnrollment)
	})
	t.Run("backup codes are generated", func(t *testing.T) {
		w, _, _ := setUp(t)
		proof := manage(w, "ada")
		var mu sync.Mutex
		var sets [][]string
		for _, err := range w.Race(8, func(e *mfa.Engine, _ int) error {
			codes, err := e.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(proof))
			mu.Lock()
			defer mu.Unlock()
			sets = append(sets, codes)
			return err
		}) {
			world.OK(t, err)
		}
		works := 0
		for _, codes := range sets {
			world.OK(t, w.Unlock(w.Ctx, "ada"))
			if _, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, codes[0]); err == nil {
				works++
			}
		}
		if works != 1 {
			t.Errorf("%d sets work, want one", works)
		}
	})
	t.Run("different backup codes", func(t *testing.T) {
		w := world.New(t, func(c *mfa.Config) { c.BackupCodes.Count = 6 })
		_, login := w.GiveTOTP("ada")
		codes := w.GiveBackupCodes("ada", login.Proof)
		tokens := begin(w, len(codes))
		for i, err := range w.Race(len(codes), func(e *mfa.Engine, i int) error {
			_, err := e.VerifyLogin(w.Ctx, tokens[i], codes[i])
			return err
		}) {
			if err != nil {
				t.Errorf("code %d: %v", i, err)
			}
		}
		if left := w.StatusOf("ada").BackupCodesLeft; left != 0 {
			t.Errorf("%d came back", left)
		}
	})
	t.Run("messages", func(t *testing.T) {
		w, _, _ := setUp(t)
		tokens := begin(w, racers)
		before := len(w.Outbox.Messages())
		w.Race(racers, func(e *mfa.Engine, i int) error {
			_, err := e.SendCode(w.Ctx, tokens[i])
			return err
		})
		if sent := len(w.Outbox.Messages()) - before; sent != 1 {
			t.Errorf("%d messages were sent, want one", sent)
		}
	})
}

// TestParallelGuessesCountOneByOne: of 300 at one moment five are judged. One
// of them is right: it may win only as one of those five.
func TestParallelGuessesCountOneByOne(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	var tokens []string
	for range 300 {
		tokens = append(tokens, w.Begin("ada").Token)
	}
	w.Told()
	judged := 0
	for _, err := range w.Race(300, func(e *mfa.Engine, i int) error {
		_, err := e.VerifyLogin(w.Ctx, tokens[i], a.Wrong())
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
	for _, event := range w.Told() {
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
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	w.GiveBackupCodes("ada", login.Proof)
	var tokens []string
	for range 200 {
		tokens = append(tokens, w.Begin("ada").Token)
	}
	judged := 0
	for _, err := range w.Race(200, func(e *mfa.Engine, i int) error {
		_, err := e.VerifyLogin(w.Ctx, tokens[i], "aaaa-aaaa")
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

// TestAFloodOfBackupCodesKeepsMemoryFlat: each hash takes 19 MiB, and one is
// computed at a time, however many processors there are.
func TestAFloodOfBackupCodesKeepsMemoryFlat(t *testing.T) {
	const users, processors, perHash = 16, 16, 19 << 20
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	w := world.New(t, func(c *mfa.Config) { c.BackupCodes.Count = 1 })
	tokens := make([]string, users)
	for i := range tokens {
		user := fmt.Sprint("user", i)
		_, login := w.GiveTOTP(user)
		w.GiveBackupCodes(user, login.Proof)
	}
	for i := range tokens {
		tokens[i] = w.Begin(fmt.Sprint("user", i)).Token
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
			_, err := w.VerifyLogin(w.Ctx, token, "aaaa-aaaa")
			world.WantErr(t, err, mfa.ErrInvalidCode)
		})
	}
	done.Wait()
	close(stop)
	// As much again, and more, may wait for the collector.
	if growth := <-peak - before; growth > 4*perHash {
		t.Errorf("the heap grew by %d MiB", growth>>20)
	}
}

// TestManyDifferentChanges: nobody's is lost, and nobody fails for being late.
func TestManyDifferentChanges(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	record, err := w.Store.Load(w.Ctx, "ada")
	world.OK(t, err)
	for _, err := range w.Race(racers, func(e *mfa.Engine, i int) error {
		if i%2 == 0 {
			return e.ForgetDevices(w.Ctx, "ada")
		}
		return e.PasswordChanged(w.Ctx, "ada")
	}) {
		world.OK(t, err)
	}
	after, err := w.Store.Load(w.Ctx, "ada")
	world.OK(t, err)
	if after.Version != record.Version+racers {
		t.Errorf("%d changes became %d versions", racers, after.Version-record.Version)
	}
}

// TestEverythingAtOnce: all operations on a few users from many goroutines, for
// the race detector, and nobody panics.
func TestEverythingAtOnce(t *testing.T) {
	w := world.New(t)
	apps := make([]world.App, 3)
	proofs := make([]string, 3)
	for i := range apps {
		var login *mfa.Login
		apps[i], login = w.GiveTOTP(fmt.Sprint("user", i))
		proofs[i] = login.Proof
	}
	var done sync.WaitGroup
	for g := range 16 {
		done.Go(func() {
			for round := range 10 {
				i := (g + round) % 3
				user, proof := fmt.Sprint("user", i), mfa.WithProof(proofs[i])
				var challenge *mfa.ChallengeError
				if errors.As(w.BeginLogin(w.Ctx, user), &challenge) {
					w.SendCode(w.Ctx, challenge.Token)
					w.VerifyLogin(w.Ctx, challenge.Token, apps[i].Shows())
					w.VerifyLogin(w.Ctx, challenge.Token, "000000")
				}
				w.Status(w.Ctx, user)
				w.BeginStepUp(w.Ctx, user, "x")
				w.TrustDevice(w.Ctx, user, proofs[i])
				w.EnrollSMS(w.Ctx, user, world.Phone, proof)
				w.VerifyEnrollment(w.Ctx, user, mfa.MethodSMS, w.Outbox.Code(world.Phone))
				switch g {
				case 0:
					w.ForgetDevices(w.Ctx, user)
				case 1:
					w.Unlock(w.Ctx, user)
				case 2:
					w.EnrollTOTP(w.Ctx, user, "a", proof)
				case 3:
					w.Unenroll(w.Ctx, user, mfa.MethodSMS, proof)
				}
				w.Clock.Advance(time.Second)
			}
		})
	}
	done.Wait()
	for i := range apps {
		if err := w.BeginLogin(w.Ctx, fmt.Sprint("user", i)); err == nil {
			t.Errorf("user%d passes without a factor", i)
		}
	}
}
