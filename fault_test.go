package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// A fault is what happens to one call of a store.
type fault string

const (
	fails       fault = "fails"                  // before anything is done
	failsLate   fault = "fails after it is done" // the answer is lost
	conflicts   fault = "conflicts once"
	everTooLate fault = "conflicts for ever"
	cancelled   fault = "is cancelled"
)

var errStore = errors.New("store is down")

// A faultStore is a right store whose n-th call meets a fault.
type faultStore struct {
	mu      sync.Mutex
	records map[string]mfa.Record
	calls   int // since arm
	at      int // the call that meets the fault; 0 for none
	fault   fault
	met     bool
	saved   func() // after each Save
}

func newFaultStore() *faultStore { return &faultStore{records: make(map[string]mfa.Record)} }

func (s *faultStore) snapshot() map[string]mfa.Record { return maps.Clone(s.records) }

func (s *faultStore) arm(records map[string]mfa.Record, at int, f fault) {
	s.records, s.calls, s.at, s.fault, s.met = maps.Clone(records), 0, at, f, false
}

// meet says what this call meets.
func (s *faultStore) meet(isSave bool) (f fault) {
	s.calls++
	if s.at == 0 || s.calls != s.at && !(s.fault == everTooLate && s.calls > s.at && isSave) {
		return ""
	}
	if !isSave && (s.fault == conflicts || s.fault == everTooLate) {
		s.at++ // a Load has no conflicts
		return ""
	}
	s.met = true
	return s.fault
}

func (s *faultStore) Load(_ context.Context, userID string) (mfa.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.meet(false) {
	case fails, failsLate:
		return mfa.Record{}, errStore
	case cancelled:
		return mfa.Record{}, context.Canceled
	}
	record, ok := s.records[userID]
	if !ok {
		return mfa.Record{}, mfa.ErrNoRecord
	}
	record.Data = slices.Clone(record.Data)
	return record, nil
}

func (s *faultStore) Save(_ context.Context, record mfa.Record) error {
	s.mu.Lock()
	f := s.meet(true)
	switch f {
	case fails:
		s.mu.Unlock()
		return errStore
	case cancelled:
		s.mu.Unlock()
		return context.Canceled
	case conflicts, everTooLate:
		s.mu.Unlock()
		return mfa.ErrConflict
	}
	if s.records[record.UserID].Version != record.Version {
		s.mu.Unlock()
		return mfa.ErrConflict
	}
	record.Data = slices.Clone(record.Data)
	record.Version++
	s.records[record.UserID] = record
	s.mu.Unlock()
	if f == failsLate {
		return errStore
	}
	if s.saved != nil {
		s.saved()
	}
	return nil
}

func (s *faultStore) Delete(_ context.Context, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.meet(false) {
	case fails:
		return errStore
	case cancelled:
		return context.Canceled
	case failsLate:
		delete(s.records, userID)
		return errStore
	}
	delete(s.records, userID)
	return nil
}

// An operation is one call of the engine, on a user that is set up for it.
type operation struct {
	name    string
	prepare func(w *world) (do func() error, secrets []string)
}

// full is a user with everything.
func full(w *world) (app, []string, *mfa.Login) {
	a, login := w.enrollTOTP("ada")
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	return a, w.backupCodes("ada", login.Proof), login
}

var operations = []operation{
	{"EnrollTOTP", func(w *world) (func() error, []string) {
		return func() error { _, err := w.EnrollTOTP(w.ctx, "ada", "a"); return err }, nil
	}},
	{"EnrollSMS", func(w *world) (func() error, []string) {
		return func() error { _, err := w.EnrollSMS(w.ctx, "ada", phone); return err }, []string{phone}
	}},
	{"EnrollSMS, not delivered", func(w *world) (func() error, []string) {
		w.outbox.FailWith(errors.New("down"))
		return func() error { _, err := w.EnrollSMS(w.ctx, "ada", phone); return err }, []string{phone}
	}},
	{"VerifyEnrollment", func(w *world) (func() error, []string) {
		enrollment, err := w.EnrollTOTP(w.ctx, "ada", "a")
		ok(w.t, err)
		code := w.scan(enrollment.URI).code()
		return func() error { _, err := w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, code); return err }, []string{code, enrollment.Secret}
	}},
	{"VerifyEnrollment, wrong", func(w *world) (func() error, []string) {
		enrollment, err := w.EnrollTOTP(w.ctx, "ada", "a")
		ok(w.t, err)
		code := w.scan(enrollment.URI).wrong()
		return func() error { _, err := w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, code); return err }, []string{code, enrollment.Secret}
	}},
	{"VerifyLogin", func(w *world) (func() error, []string) {
		a, _, _ := full(w)
		token, code := w.begin("ada").Token, a.code()
		return func() error { _, err := w.VerifyLogin(w.ctx, token, code); return err }, []string{token, code}
	}},
	{"VerifyLogin, wrong", func(w *world) (func() error, []string) {
		a, _, _ := full(w)
		token, code := w.begin("ada").Token, a.wrong()
		return func() error { _, err := w.VerifyLogin(w.ctx, token, code); return err }, []string{token, code}
	}},
	{"VerifyLogin by backup code", func(w *world) (func() error, []string) {
		_, codes, _ := full(w)
		token := w.begin("ada").Token
		return func() error { _, err := w.VerifyLogin(w.ctx, token, codes[0]); return err }, []string{token, codes[0]}
	}},
	{"VerifyLogin by backup code, wrong", func(w *world) (func() error, []string) {
		full(w)
		token := w.begin("ada").Token
		return func() error { _, err := w.VerifyLogin(w.ctx, token, "aaaa-aaaa"); return err }, []string{token, "aaaa-aaaa"}
	}},
	{"VerifyLogin by SMS", func(w *world) (func() error, []string) {
		full(w)
		token := w.begin("ada").Token
		code := w.sendCode(token)
		return func() error { _, err := w.VerifyLogin(w.ctx, token, code); return err }, []string{token, code}
	}},
	{"SendCode", func(w *world) (func() error, []string) {
		full(w)
		token := w.begin("ada").Token
		return func() error { _, err := w.SendCode(w.ctx, token); return err }, []string{token, phone}
	}},
	{"SendCode, not delivered", func(w *world) (func() error, []string) {
		full(w)
		token := w.begin("ada").Token
		w.outbox.FailWith(errors.New("down"))
		return func() error { _, err := w.SendCode(w.ctx, token); return err }, []string{token, phone}
	}},
	{"VerifyStepUp", func(w *world) (func() error, []string) {
		a, _, _ := full(w)
		challenge, err := w.BeginStepUp(w.ctx, "ada", "x")
		ok(w.t, err)
		code := a.code()
		return func() error { _, err := w.VerifyStepUp(w.ctx, challenge.Token, "x", code); return err }, []string{challenge.Token, code}
	}},
	{"BeginLogin", func(w *world) (func() error, []string) {
		full(w)
		return func() error {
			err := w.BeginLogin(w.ctx, "ada")
			if errors.As(err, new(*mfa.ChallengeError)) {
				return nil
			}
			if err == nil {
				w.t.Error("passed without a code")
			}
			return err
		}, nil
	}},
	{"GenerateBackupCodes", func(w *world) (func() error, []string) {
		_, _, login := full(w)
		return func() error {
			_, err := w.GenerateBackupCodes(w.ctx, "ada", mfa.WithProof(login.Proof))
			return err
		}, []string{login.Proof}
	}},
	{"Unenroll", func(w *world) (func() error, []string) {
		_, _, login := full(w)
		return func() error { return w.Unenroll(w.ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)) }, []string{login.Proof}
	}},
	{"ImportTOTP", func(w *world) (func() error, []string) {
		const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"
		return func() error { return w.ImportTOTP(w.ctx, "ada", uri) }, []string{"JBSWY3DPEHPK3PXP"}
	}},
	{"ImportSMS", func(w *world) (func() error, []string) {
		return func() error { return w.ImportSMS(w.ctx, "ada", phone) }, []string{phone}
	}},
	{"TrustDevice", func(w *world) (func() error, []string) {
		_, _, login := full(w)
		return func() error { _, err := w.TrustDevice(w.ctx, "ada", login.Proof); return err }, []string{login.Proof}
	}},
	{"ForgetDevices", func(w *world) (func() error, []string) {
		full(w)
		return func() error { return w.ForgetDevices(w.ctx, "ada") }, nil
	}},
	{"PasswordChanged", func(w *world) (func() error, []string) {
		full(w)
		return func() error { return w.PasswordChanged(w.ctx, "ada") }, nil
	}},
	{"Reset", func(w *world) (func() error, []string) {
		full(w)
		return func() error { return w.Reset(w.ctx, "ada") }, nil
	}},
	{"Unlock", func(w *world) (func() error, []string) {
		a, _, _ := full(w)
		w.VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong())
		return func() error { return w.Unlock(w.ctx, "ada") }, nil
	}},
	{"DeleteUser", func(w *world) (func() error, []string) {
		full(w)
		return func() error { return w.DeleteUser(w.ctx, "ada") }, nil
	}},
}

// TestFaults: each call of the store, in turn, meets each fault. Whatever the
// operation: success is told only where all was saved; an error leaves the user
// as before or as after a step of it, never between; nothing is told to
// OnEvent that was not saved; and no error holds a secret.
func TestFaults(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			store := newFaultStore()
			w := newWorld(t, func(c *mfa.Config) { c.Store = store; c.BackupCodes.Count = 1 })
			do, secrets := op.prepare(w)
			before := store.snapshot()
			fingerprint := func() string {
				calls, at := store.calls, store.at
				store.at = 0
				defer func() { store.calls, store.at = calls, at }()
				return marshal(t, w.status("ada"))
			}
			w.told()

			// What happens without a fault, and how the user looks after each
			// Save.
			looks := []string{fingerprint()}
			store.arm(before, 0, "")
			store.saved = func() { looks = append(looks, fingerprint()) }
			cleanErr := do()
			store.saved = nil
			looks = append(looks, fingerprint())
			calls, versions, told := store.calls, version(store), w.told()
			if calls == 0 {
				t.Fatal("the store is not called")
			}

			for at := 1; at <= calls; at++ {
				for _, f := range []fault{fails, failsLate, conflicts, everTooLate, cancelled} {
					store.arm(before, at, f)
					err := do()
					met := store.met
					store.at = 0
					name := fmt.Sprintf("call %d %s", at, f)
					if look := fingerprint(); !slices.Contains(looks, look) {
						t.Errorf("%s: the user is left as\n\t%s", name, look)
					}
					events := w.told()
					switch {
					case !met, f == conflicts:
						if mfa.ErrorCode(err) != mfa.ErrorCode(cleanErr) || version(store) != versions {
							t.Errorf("%s: %v, want %v", name, err, cleanErr)
						}
						continue
					case err == nil:
						t.Errorf("%s: success", name)
					}
					var challenge *mfa.ChallengeError
					var code *mfa.CodeError
					if errors.As(err, &challenge) || errors.As(err, &code) || errors.Is(err, mfa.ErrNotEnrolled) || errors.Is(err, mfa.ErrNoRecord) {
						t.Errorf("%s: a fault became %v", name, err)
					}
					want := map[fault]error{fails: errStore, failsLate: errStore, everTooLate: mfa.ErrConflict, cancelled: context.Canceled}[f]
					if !errors.Is(err, want) {
						t.Errorf("%s: got %v, want %v", name, err, want)
					}
					if len(events) >= len(told) && len(told) > 0 && !slices.Contains(events, mfa.EventDeliveryFailed) {
						t.Errorf("%s: told %v, as if it had worked", name, events)
					}
					for _, secret := range secrets {
						if shown := printed(err, "vsqxX+"); strings.Contains(shown, secret) {
							t.Errorf("%s: %q is in the error %v", name, secret, err)
						}
					}
				}
			}
		})
	}
}

func version(s *faultStore) (sum int64) {
	for _, record := range s.records {
		sum += record.Version
	}
	return sum
}

// TestALostAnswerIsNoSecondLogin: the Save was done, but nobody heard of it.
// The login was not told, and its code cannot be used again.
func TestALostAnswerIsNoSecondLogin(t *testing.T) {
	for _, op := range operations {
		if !strings.HasPrefix(op.name, "VerifyLogin") || strings.Contains(op.name, "wrong") {
			continue
		}
		t.Run(op.name, func(t *testing.T) {
			store := newFaultStore()
			w := newWorld(t, func(c *mfa.Config) { c.Store = store })
			do, _ := op.prepare(w)
			before := store.snapshot()
			store.arm(before, 0, "")
			ok(t, do())
			calls := store.calls
			for at := 1; at <= calls; at++ {
				for _, f := range []fault{fails, failsLate} {
					store.arm(before, at, f)
					if do() == nil {
						t.Fatalf("call %d %s: success", at, f)
					}
					store.at = 0
					err := do()
					if last := at == calls; last && f == failsLate {
						wantErr(t, err, mfa.ErrInvalidToken)
					} else if err != nil {
						t.Errorf("call %d %s: the second try: %v", at, f, err)
					}
				}
			}
		})
	}
}

// TestAFaultTellsNothingAboutTheCode: with the store failing at any call, a
// right code and a wrong one give the same.
func TestAFaultTellsNothingAboutTheCode(t *testing.T) {
	answers := map[string]func(w *world, a app, codes []string) (token, right, wrong string){
		"TOTP": func(w *world, a app, _ []string) (string, string, string) {
			return w.begin("ada").Token, a.code(), a.wrong()
		},
		"SMS": func(w *world, a app, _ []string) (string, string, string) {
			token := w.begin("ada").Token
			code := w.sendCode(token)
			return token, code, wrongSMS(code)
		},
		"backup code": func(w *world, _ app, codes []string) (string, string, string) {
			return w.begin("ada").Token, codes[0], "aaaa-aaaa"
		},
	}
	for name, answer := range answers {
		store := newFaultStore()
		w := newWorld(t, func(c *mfa.Config) { c.Store = store })
		a, codes, _ := full(w)
		token, right, wrong := answer(w, a, codes)
		before := store.snapshot()
		try := func(code string, at int, f fault) (calls int, err error) {
			store.arm(before, at, f)
			_, err = w.VerifyLogin(w.ctx, token, code)
			return store.calls, err
		}
		rightCalls, rightErr := try(right, 0, "")
		ok(t, rightErr)
		wrongCalls, wrongErr := try(wrong, 0, "")
		wantErr(t, wrongErr, mfa.ErrInvalidCode)
		if rightCalls != wrongCalls {
			t.Errorf("%s: %d calls for a right code, %d for a wrong one", name, rightCalls, wrongCalls)
		}
		for at := 1; at <= rightCalls; at++ {
			for _, f := range []fault{fails, failsLate, everTooLate, cancelled} {
				_, rightErr := try(right, at, f)
				_, wrongErr := try(wrong, at, f)
				if rightErr == nil || wrongErr == nil || rightErr.Error() != wrongErr.Error() || mfa.ErrorCode(rightErr) != mfa.ErrorCode(wrongErr) {
					t.Errorf("%s, call %d %s: right %v, wrong %v", name, at, f, rightErr, wrongErr)
				}
			}
		}
	}
}

// TestAFaultCostsTheUserNothing: an outage of the store is nobody's failure.
func TestAFaultCostsTheUserNothing(t *testing.T) {
	store := newFaultStore()
	w := newWorld(t, func(c *mfa.Config) { c.Store = store })
	a, _, _ := full(w)
	challenge := w.begin("ada")
	for range 200 {
		store.arm(store.snapshot(), 1, fails)
		_, err := w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
		wantErr(t, err, errStore)
	}
	store.at = 0
	_, err := w.VerifyLogin(w.ctx, challenge.Token, a.code())
	ok(t, err)
}

// TestACancelledContextEndsTheCall, before the store is asked.
func TestACancelledContextEndsTheCall(t *testing.T) {
	for _, op := range operations {
		store := newFaultStore()
		w := newWorld(t, func(c *mfa.Config) { c.Store = store })
		do, _ := op.prepare(w)
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		w.ctx = ctx
		store.arm(store.snapshot(), 0, "")
		sent := len(w.outbox.Messages())
		wantErr(t, do(), context.Canceled)
		if store.calls != 0 || len(w.outbox.Messages()) != sent {
			t.Errorf("%s: %d calls", op.name, store.calls)
		}
	}
}

// TestAStaleReadIsAConflict: a Load that lags behind does no harm where Save
// compares.
func TestAStaleReadIsAConflict(t *testing.T) {
	store := newFaultStore()
	w := newWorld(t, func(c *mfa.Config) { c.Store = store })
	a, _, _ := full(w)
	first, second := w.begin("ada"), w.begin("ada")
	old := store.records["ada"]
	_, err := w.VerifyLogin(w.ctx, first.Token, a.code())
	ok(t, err)
	stale := w.another(func(c *mfa.Config) { c.Store = staleStore{store, old} })
	_, err = stale.VerifyLogin(w.ctx, second.Token, a.code())
	wantErr(t, err, mfa.ErrConflict)
}

// A staleStore reads what was there long ago.
type staleStore struct {
	mfa.Store
	old mfa.Record
}

func (s staleStore) Load(context.Context, string) (mfa.Record, error) { return s.old, nil }

// A countingStore counts the calls to each method.
type countingStore struct {
	mfa.Store
	loads, saves int
}

func (s *countingStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	s.loads++
	return s.Store.Load(ctx, userID)
}

func (s *countingStore) Save(ctx context.Context, record mfa.Record) error {
	s.saves++
	return s.Store.Save(ctx, record)
}

// TestBudget: what one login costs the database.
func TestBudget(t *testing.T) {
	store := &countingStore{Store: mfa.NewMemoryStore()}
	w := newWorld(t, func(c *mfa.Config) { c.Store = store })
	a, codes, _ := full(w)
	var token string
	costs := func(name string, loads, saves int, do func()) {
		t.Helper()
		store.loads, store.saves = 0, 0
		if do(); store.loads > loads || store.saves > saves {
			t.Errorf("%s: %d Loads and %d Saves, want at most %d and %d", name, store.loads, store.saves, loads, saves)
		}
	}
	costs("BeginLogin and VerifyLogin", 2, 1, func() { w.login("ada", a.code()) })
	token = w.begin("ada").Token
	costs("a wrong code", 1, 1, func() { w.VerifyLogin(w.ctx, token, a.wrong()) })
	costs("a replay", 1, 0, func() { w.VerifyLogin(w.ctx, token, a.code()) })
	costs("a malformed code", 1, 0, func() { w.VerifyLogin(w.ctx, token, "?") })
	costs("a long code", 0, 0, func() { w.VerifyLogin(w.ctx, token, strings.Repeat("1", 65)) })
	costs("a forged token", 0, 0, func() { w.VerifyLogin(w.ctx, token+"A", "123456") })
	token = w.begin("ada").Token
	costs("a backup code", 2, 2, func() { w.VerifyLogin(w.ctx, token, codes[0]) })
	token = w.begin("ada").Token
	for range 4 {
		w.VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong())
	}
	costs("a throttled code", 1, 0, func() { w.VerifyLogin(w.ctx, token, a.code()) })
	costs("BeginLogin", 1, 0, func() { w.begin("ada") })
	costs("BeginStepUp", 1, 0, func() { w.BeginStepUp(w.ctx, "ada", "x") })
	w.clock.Advance(time.Hour)
	costs("an expired token", 0, 0, func() { w.VerifyLogin(w.ctx, token, a.code()) })
}
