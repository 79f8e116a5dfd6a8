package attack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/throttle"
)

// The limits on guesses that SECURITY.md states.
const (
	free       = 4                // wrong one-time codes in a row that cost no delay
	freeBackup = 9                // the same for backup codes
	longest    = 15 * time.Minute // the longest delay
	disabling  = 100              // failures in a row, or in 30 days
	yearly     = 1217             // guesses beside a user who logs in daily
)

// delayAfter returns the delay after the k-th wrong one-time code in a row.
func delayAfter(k int) time.Duration {
	if k <= free {
		return 0
	}
	return min(time.Second<<min(k-free-1, 20), longest)
}

// guess tries a code at a door with a new challenge.
func guess(w *world.World, d door, user, code string) error {
	w.T.Helper()
	_, err := d.enter(w.Ctx, w.Engine, d.open(w, user), code)
	return err
}

// lock makes wrong guesses until there is a delay.
func lock(w *world.World, user string, app world.App) {
	w.T.Helper()
	for range free + 1 {
		world.WantTries(w.T, guess(w, doors[0], user, app.Wrong()), 4)
	}
}

// TestGuessesSucceedAsSeldomAsPromised checks that the table in SECURITY.md
// follows from the engine's own numbers.
func TestGuessesSucceedAsSeldomAsPromised(t *testing.T) {
	w := world.New(t)
	app, login := w.GiveTOTP("ada")
	million := math.Pow10(len(app.Shows()))
	bits := 5 * len(strings.ReplaceAll(w.GiveBackupCodes("ada", login.Proof)[0], "-", ""))
	const (
		appCodes, sentCodes, backupCodes = 3, 1, 10 // valid at a time: B17, I04, TestBackupCodes
		accounts                         = 1_000_000
	)
	atOnce, first := 0, time.Duration(0)
	for k := range throttle.Limit { // add the delays before the last guess
		if first += throttle.OneTimeCodes.Delay(k); first == 0 {
			atOnce++ // judged without waiting
		}
	}
	inAYear := int(math.Round(float64(throttle.Limit) * float64(365*24*time.Hour) / float64(throttle.Window)))
	succeeds := func(right int, of float64, guesses int) float64 {
		return -100 * math.Expm1(float64(guesses)*math.Log1p(-float64(right)/of))
	}
	rows := []string{
		fmt.Sprintf("| app, the first day | %d, then disabled (after %.1f hours) | %.2f %% |", throttle.Limit, first.Hours(), succeeds(appCodes, million, throttle.Limit)),
		fmt.Sprintf("| app, ever, until somebody unlocks it | %d | %.2f %% |", throttle.Limit, succeeds(appCodes, million, throttle.Limit)),
		fmt.Sprintf("| app, a year beside a user who logs in daily | %d | %.2f %% |", inAYear, succeeds(appCodes, million, inAYear)),
		fmt.Sprintf("| five apps of one user, ever (%d codes valid at a time) | %d | %.2f %% |", 5*appCodes, throttle.Limit, succeeds(5*appCodes, million, throttle.Limit)),
		fmt.Sprintf("| five apps of one user, ever (%d codes valid at a time) | %d | %.2f %% |", record.MaxTOTP*appCodes, throttle.Limit, succeeds(record.MaxTOTP*appCodes, million, throttle.Limit)),
		fmt.Sprintf("| SMS, ever | %d | %.2f %% |", throttle.Limit, succeeds(sentCodes, million, throttle.Limit)),
		fmt.Sprintf("| backup code of %d bits, ten live | %d | %.7f %% |", bits, throttle.Limit, succeeds(backupCodes, math.Exp2(float64(bits)), throttle.Limit)),
		fmt.Sprintf("| %d accounts, %d guesses each | %d | %.0f accounts |", accounts, atOnce, accounts*atOnce, accounts*succeeds(appCodes, million, atOnce)/100),
		fmt.Sprintf("delays without the cap would let %.0f %% through in a year", succeeds(appCodes, million, int(365*24*time.Hour/throttle.OneTimeCodes.Max))),
	}
	text, err := os.ReadFile(filepath.Join(moduleRoot, "SECURITY.md"))
	world.OK(t, err)
	promised := regexp.MustCompile(`,(\d{3})`).ReplaceAllString(string(text), "$1") // 1,217
	for _, row := range rows {
		if !strings.Contains(promised, row) {
			t.Errorf("SECURITY.md does not say: %s", row)
		}
	}
	if atOnce != free+1 || inAYear != yearly {
		t.Errorf("%d guesses at once, %d in a year, unlike the numbers that B01 and B12 count", atOnce, inAYear)
	}
}

// B01: nothing limits guesses (CVE-2026-56450).
func TestB01UnlimitedGuesses(t *testing.T) {
	for wrongs := range free + 3 {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		for range wrongs {
			guess(w, doors[0], "ada", app.Wrong())
		}
		err := guess(w, doors[0], "ada", app.Shows())
		if delay := delayAfter(min(wrongs, free+1)); delay > 0 {
			world.WantThrottled(t, err, delay)
		} else {
			world.OK(t, err)
		}
	}

	// A day of guessing, as fast as guesses are judged, with every trick that a
	// known password allows.
	w := world.New(t)
	app, _ := w.GiveTOTP("ada")
	end := w.Clock.Now().Add(24 * time.Hour)
	judged := 0
	for w.Clock.Now().Before(end) && judged <= disabling {
		w.NewEvents()
		wait := time.Minute
		for _, d := range doors {
			for _, spelling := range []string{app.Wrong(), " " + app.Wrong(), "", "?"} {
				if !w.Factor("ada", mfa.MethodTOTP).Disabled {
					err := guess(w, d, "ada", spelling)
					if throttled := (*mfa.ThrottledError)(nil); errors.As(err, &throttled) {
						wait = throttled.RetryAfter
					}
				}
			}
		}
		judged += count(w, mfa.EventRefused)
		world.OK(t, w.PasswordChanged(w.Ctx, "ada")) // an attacker who reads her mail resets it
		w.Clock.Advance(wait)
	}
	if judged != disabling || !w.Factor("ada", mfa.MethodTOTP).Disabled {
		t.Errorf("%d guesses were judged in a day, want %d", judged, disabling)
	}
}

// B02: wrong codes are counted per challenge, so that a new challenge starts a new
// count.
func TestB02NewChallenges(t *testing.T) {
	t.Run("one after the other", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		judged := 0
		for range 50 {
			if isInvalidCode(guess(w, doors[0], "ada", app.Wrong())) {
				judged++
			}
		}
		if judged != free+1 {
			t.Errorf("%d guesses were judged, want %d", judged, free+1)
		}
	})
	t.Run("fifty open", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		judged := 0
		tokens := begin(w, "ada", 50)
		for range 3 {
			for _, token := range tokens {
				if _, err := w.VerifyLogin(w.Ctx, token, app.Wrong()); isInvalidCode(err) {
					judged++
				}
			}
		}
		if judged != free+1 {
			t.Errorf("%d guesses were judged, want %d", judged, free+1)
		}
		_, err := w.VerifyLogin(w.Ctx, tokens[49], app.Shows())
		world.WantThrottled(t, err, time.Second)
		w.Clock.Advance(time.Second)
		_, err = w.VerifyLogin(w.Ctx, tokens[49], app.Shows())
		world.OK(t, err)
	})
}

// B03: a wrong code is answered with a new challenge and a fresh set of tries.
func TestB03WrongCodeBeginsAnew(t *testing.T) {
	for _, d := range doors {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		w.CheapBackupCodes("ada")
		token := d.open(w, "ada")
		w.NewEvents()
		for i, wrong := range []string{app.Wrong(), "12345", "uuuu-uuuu", app.Wrong(), "aaaa-aaaa"} {
			login, err := d.enter(w.Ctx, w.Engine, token, wrong)
			world.WantTries(t, err, 4-i)
			shown := world.Printed(err, world.VerbsInside) + world.JSON(t, err)
			if login != nil || errors.As(err, new(*mfa.ChallengeError)) || strings.Contains(shown, "mfa_") {
				t.Errorf("%s: wrong code %d returned %v and %s", d.name, i, login, shown)
			}
		}
		w.WantEvents(slices.Repeat([]mfa.EventType{mfa.EventRefused}, 5)...)
		w.Clock.Advance(time.Minute)
		_, err := d.enter(w.Ctx, w.Engine, token, app.Shows())
		world.WantErr(t, err, mfa.ErrInvalidToken)
	}
}

// B04: another message grants new tries, or lifts a delay.
func TestB04AnotherMessage(t *testing.T) {
	// With the shortest cooldown, only the delay stops messages.
	w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Cooldown = time.Nanosecond })
	w.GiveSMS("ada", world.Phone)
	first, second := w.Begin("ada").Token, w.Begin("ada").Token
	code := w.SentCode(first)
	for i := range free {
		_, err := w.VerifyLogin(w.Ctx, first, world.WrongSMS(code))
		world.WantTries(t, err, 4-i)
	}
	w.Clock.Advance(time.Minute)
	code = w.SentCode(first)
	_, err := w.VerifyLogin(w.Ctx, first, world.WrongSMS(code))
	world.WantTries(t, err, 0)
	_, err = w.VerifyLogin(w.Ctx, first, code)
	world.WantErr(t, err, mfa.ErrInvalidToken)

	// During a delay no message is sent, and a message sent after it lifts no
	// later delay.
	sent := len(w.Outbox.Messages())
	_, err = w.SendCode(w.Ctx, second)
	world.WantThrottled(t, err, time.Second)
	if got := len(w.Outbox.Messages()); got != sent {
		t.Errorf("%d messages were sent, want none", got-sent)
	}
	w.Clock.Advance(30 * time.Second)
	code = w.SentCode(second)
	_, err = w.VerifyLogin(w.Ctx, second, world.WrongSMS(code))
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, second, code)
	world.WantThrottled(t, err, 2*time.Second)
	_, err = w.SendCode(w.Ctx, second)
	world.WantThrottled(t, err, 2*time.Second)
	w.Clock.Advance(2 * time.Second)
	_, err = w.VerifyLogin(w.Ctx, second, code)
	world.OK(t, err)
}

// B05: something that proves no second factor, above all a right password, clears
// the count. Only what is documented clears it.
func TestB05CountIsClearedEarly(t *testing.T) {
	for _, test := range []struct {
		name   string
		do     func(w *world.World, ada person) error
		clears bool
	}{
		{"nothing", func(w *world.World, _ person) error { return nil }, false},
		{"BeginLogin", func(w *world.World, _ person) error { w.Begin("ada"); return nil }, false},
		{"BeginStepUp", func(w *world.World, _ person) error {
			_, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
			return err
		}, false},
		{"Status", func(w *world.World, _ person) error { w.StatusOf("ada"); return nil }, false},
		{"SendCode", func(w *world.World, _ person) error { w.SentCode(w.Begin("ada").Token); return nil }, false},
		{"TrustDevice", func(w *world.World, ada person) error {
			_, err := w.TrustDevice(w.Ctx, "ada", ada.Proof, "")
			return err
		}, false},
		{"a login from a trusted device", func(w *world.World, ada person) error {
			device, err := w.TrustDevice(w.Ctx, "ada", ada.Proof, "")
			world.OK(w.T, err)
			return w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token))
		}, false},
		{"ForgetDevices", func(w *world.World, _ person) error { return w.ForgetDevices(w.Ctx, "ada") }, false},
		{"Reseal", func(w *world.World, _ person) error {
			w.Engine = w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(2), world.Key(1)} })
			return w.Reseal(w.Ctx, "ada")
		}, false},
		{"PasswordChanged", func(w *world.World, _ person) error { return w.PasswordChanged(w.Ctx, "ada") }, false},
		{"EnrollTOTP, not confirmed", func(w *world.World, ada person) error {
			_, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(ada.Proof))
			return err
		}, false},
		{"a wrong code for what is not confirmed", func(w *world.World, ada person) error {
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(ada.Proof))
			world.OK(w.T, err)
			_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Wrong())
			world.WantTries(w.T, err, 4)
			return nil
		}, false},
		{"GenerateBackupCodes", func(w *world.World, ada person) error {
			_, err := w.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(ada.Proof))
			return err
		}, false},
		{"a login by SMS", func(w *world.World, _ person) error { w.AnswerBySMS(w.Begin("ada")); return nil }, false},
		{"a login by backup code", func(w *world.World, ada person) error { w.Login("ada", ada.Codes[0]); return nil }, false},
		{"another user's login", func(w *world.World, _ person) error {
			bob, _ := w.GiveTOTP("bob")
			w.Login("bob", bob.Shows())
			return nil
		}, false},
		{"a login by app", func(w *world.World, ada person) error { w.Login("ada", ada.Shows()); return nil }, true},
		{"Unlock", func(w *world.World, _ person) error { return w.Unlock(w.Ctx, "ada") }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := world.New(t)
			ada := w.Full("ada", world.Phone)
			for range free {
				world.WantTries(t, guess(w, doors[0], "ada", ada.Wrong()), 4)
			}
			world.OK(t, test.do(w, ada))
			world.WantTries(t, guess(w, doors[0], "ada", ada.Wrong()), 4)
			retryAt := w.Factor("ada", mfa.MethodTOTP).RetryAt
			if test.clears != retryAt.IsZero() {
				t.Errorf("after one more wrong code, the delay ends at %v", retryAt)
			}
		})
	}
}

// B06: success with another factor, or a right code during a delay, clears the
// count.
func TestB06OtherSuccess(t *testing.T) {
	t.Run("the right code during a delay", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		w.Login("ada", app.Shows())
		w.Clock.Advance(step)
		lock(w, "ada", app)
		before := w.Stored("ada").Version
		for range 3 {
			for _, d := range doors {
				world.WantThrottled(t, guess(w, d, "ada", app.Shows()), time.Second)
			}
		}
		if w.Stored("ada").Version != before {
			t.Error("a refusal changed the record")
		}
		w.Clock.Advance(time.Second)
		w.Login("ada", app.Shows()) // the refusals have not spent the code
	})
	for name, succeed := range map[string]func(w *world.World, ada person){
		"message":     func(w *world.World, _ person) { w.AnswerBySMS(w.Begin("ada")) },
		"backup code": func(w *world.World, ada person) { w.Login("ada", ada.Codes[0]) },
		"step-up by message": func(w *world.World, _ person) {
			token := doors[1].open(w, "ada")
			_, err := doors[1].enter(w.Ctx, w.Engine, token, w.SentCode(token))
			world.OK(t, err)
		},
		"another phone": func(w *world.World, ada person) {
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(ada.Proof))
			world.OK(t, err)
			_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, w.Outbox.Code(world.Phone2))
			world.OK(t, err)
		},
		"trusted device": func(w *world.World, ada person) {
			device, err := w.TrustDevice(w.Ctx, "ada", ada.Proof, "")
			world.OK(t, err)
			world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			ada := w.Full("ada", world.Phone)
			lock(w, "ada", ada.App)
			succeed(w, ada)
			world.WantThrottled(t, guess(w, doors[0], "ada", ada.Shows()), time.Second)
		})
	}
}

// B07: the count does not reach the store (CVE-2026-27801, CVE-2026-35597).
func TestB07CountIsNotStored(t *testing.T) {
	t.Run("another process each time", func(t *testing.T) {
		store := &world.CountingStore{Store: jsonStore{mfa.NewMemoryStore()}}
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		app, _ := w.GiveTOTP("ada")
		for range free + 1 {
			w.Engine = w.Another()
			token := w.Begin("ada").Token
			store.Saves = 0
			_, err := w.VerifyLogin(w.Ctx, token, app.Wrong())
			world.WantTries(t, err, 4)
			if store.Saves != 1 {
				t.Errorf("%d saves, want one", store.Saves)
			}
		}
		w.Engine = w.Another()
		world.WantThrottled(t, guess(w, doors[0], "ada", app.Shows()), time.Second)
	})
	t.Run("saves that fail", untimed(func(t *testing.T) {
		for _, fault := range []world.Fault{world.Fails, world.FailsLate, world.EverTooLate, world.Cancelled} {
			store := world.NewFaultStore()
			w := world.New(t, func(c *mfa.Config) { c.Store = store })
			app, _ := w.GiveTOTP("ada")
			token := w.Begin("ada").Token
			before := store.Snapshot()
			var told []string
			for _, code := range []string{app.Shows(), app.Wrong()} {
				store.Arm(before, 2, fault)
				login, err := w.VerifyLogin(w.Ctx, token, code)
				if login != nil || err == nil || isInvalidCode(err) {
					t.Errorf("%s: a code that is not counted is judged: %v", fault, err)
				}
				told = append(told, fmt.Sprint(err))
			}
			if told[0] != told[1] {
				t.Errorf("%s: a right code returns %q, a wrong one %q", fault, told[0], told[1])
			}
			store.Arm(before, 0, "")
			_, err := w.VerifyLogin(w.Ctx, token, app.Wrong())
			world.WantTries(t, err, 4)
			_, err = w.VerifyLogin(w.Ctx, token, app.Shows())
			world.OK(t, err)
		}
	}))
}

// A jsonStore encodes records as JSON and decodes them, as many stores do.
type jsonStore struct{ mfa.Store }

func (s jsonStore) Save(ctx context.Context, record mfa.Record) error {
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	var back mfa.Record
	if err := json.Unmarshal(data, &back); err != nil {
		return err
	}
	return s.Store.Save(ctx, back)
}

// B08: more parallel guesses are judged than the limit allows.
func TestB08ParallelGuesses(t *testing.T) {
	for _, challenges := range []int{1, 200} {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		tokens := begin(w, "ada", challenges)
		before := w.Stored("ada").Version
		w.NewEvents()
		judged := 0
		for _, err := range w.Race(200, func(engine *mfa.Engine, i int) error {
			_, err := engine.VerifyLogin(w.Ctx, tokens[i%challenges], app.Wrong())
			return err
		}) {
			if isInvalidCode(err) {
				judged++
			}
		}
		told, saved := count(w, mfa.EventRefused), w.Stored("ada").Version-before
		if judged != free+1 || told != judged || saved != int64(judged) {
			t.Errorf("%d challenges: %d judged, %d events, %d saves, want %d", challenges, judged, told, saved, free+1)
		}
	}
	// Ten wrong backup codes are judged, each of which costs a hash.
	w := world.New(t)
	w.Full("ada", world.Phone)
	tokens, hashed := begin(w, "ada", 100), 0
	for _, err := range w.Race(100, func(engine *mfa.Engine, i int) error {
		_, err := engine.VerifyLogin(w.Ctx, tokens[i], "aaaa-aaaa")
		return err
	}) {
		if isInvalidCode(err) {
			hashed++
		}
	}
	if hashed != freeBackup+1 {
		t.Errorf("%d wrong backup codes were hashed, want %d", hashed, freeBackup+1)
	}
	// A right code succeeds only if it is among the guesses that are judged.
	for place := 1; place <= 12; place++ {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		tokens := begin(w, "ada", 12)
		for i := range place - 1 {
			w.VerifyLogin(w.Ctx, tokens[i], app.Wrong())
		}
		if _, err := w.VerifyLogin(w.Ctx, tokens[place-1], app.Shows()); (err == nil) != (place <= free+1) {
			t.Errorf("the right code as guess %d: %v", place, err)
		}
	}
}

// B09: the count is kept under something that the guesser can vary: the case of
// a name, an address, a spelling (CVE-2025-24806, CVE-2026-47203,
// CVE-2020-25827). Mapping each user to one ID is the host's part.
func TestB09OtherNameForTheSameUser(t *testing.T) {
	t.Run("one count for a user", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		code := app.Wrong()
		for i, attempt := range []struct {
			engine *mfa.Engine
			door   door
			code   string
		}{
			{w.Engine, doors[0], code},
			{w.Another(), doors[1], code[:3] + " " + code[3:]},
			{w.Another(func(c *mfa.Config) { c.Issuer = "Other" }), doors[2], code + "\n"},
			{w.Another(func(c *mfa.Config) { c.TOTP.Strict = true }), doors[0], "1"},
			{w.Engine, doors[0], "\t" + code},
		} {
			_, err := attempt.door.enter(w.Ctx, attempt.engine, attempt.door.open(w, "ada"), attempt.code)
			if !isInvalidCode(err) {
				t.Errorf("guess %d: %v", i, err)
			}
		}
		world.WantThrottled(t, guess(w, doors[0], "ada", app.Shows()), time.Second)
	})
	t.Run("other users", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("zoë")
		for _, other := range []string{"Zoë", "zoë ", " zoë", "zoe\u0308", "zoe", "zoë\u00a0", "zoë%20"} {
			world.OK(t, w.BeginLogin(w.Ctx, other)) // IDs are not normalized: this user has no factor
			app, _ := w.GiveTOTP(other)
			lock(w, other, app)
			wantThrottled(t, guess(w, doors[0], other, app.Shows()))
		}
		w.Login("zoë", app.Shows())
	})
}

// B10: only logins are limited.
func TestB10OnlyLoginsAreLimited(t *testing.T) {
	for _, locked := range doors {
		w := world.New(t)
		ada := w.Full("ada", world.Phone)
		for range free + 1 {
			world.WantTries(t, guess(w, locked, "ada", ada.Wrong()), 4)
		}
		for _, d := range doors {
			world.WantThrottled(t, guess(w, d, "ada", ada.Shows()), time.Second)
		}
		w.Clock.Advance(time.Second)
		_, err := locked.enter(w.Ctx, w.Engine, locked.open(w, "ada"), ada.Shows())
		world.OK(t, err)
	}
	t.Run("changes of factors", func(t *testing.T) { // which return a challenge
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		for range free + 1 {
			_, err := w.EnrollTOTP(w.Ctx, "ada", "a")
			_, err = w.VerifyStepUp(w.Ctx, "ada", world.Challenged(t, err).Token, mfa.ActionManage, app.Wrong())
			world.WantTries(t, err, 4)
		}
		err := w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP)
		_, err = w.VerifyStepUp(w.Ctx, "ada", world.Challenged(t, err).Token, mfa.ActionManage, app.Shows())
		world.WantThrottled(t, err, time.Second)
	})
	t.Run("confirmation", func(t *testing.T) { // five tries for each pending key or message
		w := world.New(t)
		for range 3 {
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
			world.OK(t, err)
			app := w.Scan(enrollment.URI)
			for i := range 5 {
				_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, app.Wrong())
				world.WantTries(t, err, 4-i)
			}
			_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, app.Shows())
			world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
		}
		judged := 0
		for end := w.Clock.Now().Add(24 * time.Hour); w.Clock.Now().Before(end); w.Clock.Advance(time.Minute) {
			w.EnrollSMS(w.Ctx, "ada", world.Phone)
			for range 6 {
				_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, world.WrongSMS(w.Outbox.Code(world.Phone)))
				if isInvalidCode(err) {
					judged++
				}
			}
		}
		if sent := len(w.Outbox.Messages()); sent > 11 || judged != 5*sent {
			t.Errorf("%d guesses were judged for %d messages in a day", judged, sent)
		}
	})
	t.Run("confirmation touches no other count", func(t *testing.T) {
		w := world.New(t)
		app, login := w.GiveTOTP("ada")
		for range free {
			world.WantTries(t, guess(w, doors[0], "ada", app.Wrong()), 4)
		}
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
		world.OK(t, err)
		for i := range 5 {
			_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Wrong())
			world.WantTries(t, err, 4-i)
		}
		world.WantTries(t, guess(w, doors[0], "ada", app.Wrong()), 4) // the fifth wrong code
		world.WantThrottled(t, guess(w, doors[0], "ada", app.Shows()), delayAfter(free+1))
	})
}

// B11: a factor is not counted, or allows more guesses than the limit.
func TestB11FactorNotCounted(t *testing.T) {
	judged := make(map[mfa.Method]int)
	w := world.New(t, func(c *mfa.Config) {
		c.OnEvent = func(_ context.Context, event mfa.Event) {
			switch {
			case event.Type != mfa.EventRefused:
			case event.Method == "": // compared with app and phone, charged to both
				judged[mfa.MethodTOTP]++
				judged[mfa.MethodSMS]++
			default:
				judged[event.Method]++
			}
		}
	})
	w.Full("ada", world.Phone)
	for days := 0; days < 30; days++ {
		for range 24 * 4 {
			var challenge *mfa.ChallengeError
			if !errors.As(w.BeginLogin(w.Ctx, "ada"), &challenge) {
				break // every factor is disabled
			}
			w.SendCode(w.Ctx, challenge.Token) // once the limits are reached, codes are compared with the app only
			for range 3 {
				for _, code := range []string{"12345", "uuuu-uuuu"} { // never right
					w.VerifyLogin(w.Ctx, challenge.Token, code)
				}
			}
			w.Clock.Advance(longest)
		}
	}
	for _, method := range []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS, mfa.MethodBackupCode} {
		if judged[method] != disabling || !w.Factor("ada", method).Disabled {
			t.Errorf("%s: %d guesses were judged, want %d", method, judged[method], disabling)
		}
	}
	world.WantErr(t, w.BeginLogin(w.Ctx, "ada"), mfa.ErrFactorDisabled)
}

// B12: the delay is short and does not grow, which allows a steady rate.
func TestB12DelayDoesNotGrow(t *testing.T) {
	t.Run("each failure delays longer", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		for k := 1; k < disabling; k++ {
			world.WantTries(t, guess(w, doors[0], "ada", app.Wrong()), 4)
			if delay := delayAfter(k); delay > 0 {
				w.Clock.Advance(delay - 1)
				world.WantThrottled(t, guess(w, doors[0], "ada", app.Shows()), 1)
				w.Clock.Advance(1)
			}
		}
		guess(w, doors[0], "ada", app.Wrong())
		for range 12 { // months
			world.WantErr(t, w.BeginLogin(w.Ctx, "ada"), mfa.ErrFactorDisabled)
			w.Clock.Advance(31 * 24 * time.Hour)
		}
	})
	t.Run("backup codes", func(t *testing.T) {
		w := world.New(t)
		w.GiveTOTP("ada")
		codes := w.CheapBackupCodes("ada")
		for range freeBackup {
			world.WantTries(t, guess(w, doors[0], "ada", "uuuu-uuuu"), 4)
		}
		for _, delay := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, longest, longest} {
			world.WantTries(t, guess(w, doors[0], "ada", "uuuu-uuuu"), 4)
			world.WantThrottled(t, guess(w, doors[0], "ada", codes[0]), delay)
			w.Clock.Advance(delay)
		}
		w.Login("ada", codes[0])
	})
	t.Run("a year beside an honest user", func(t *testing.T) {
		const day = 24 * time.Hour
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		var mine []time.Time // guesses in the last 30 days: the hundredth disables the factor
		judged := 0
		for range 365 {
			w.Login("ada", app.Shows()) // clears the failures in a row, not the count of 30 days
			now := w.Clock.Now()
			mine = slices.DeleteFunc(mine, func(g time.Time) bool { return now.Sub(g) > 30*day+longest })
			for i := 0; i < free && len(mine) < disabling-1; i++ {
				world.WantTries(t, guess(w, doors[0], "ada", app.Wrong()), 4)
				mine = append(mine, now)
				judged++
			}
			w.Clock.Advance(day)
		}
		if w.Factor("ada", mfa.MethodTOTP).Disabled {
			t.Fatal("the guesses disabled the factor, so the test shows nothing")
		}
		if judged > yearly || judged < yearly*9/10 {
			t.Errorf("%d guesses were judged in a year, want at most %d, and not many fewer", judged, yearly)
		}
		for range disabling { // guessing faster soon disables the factor
			if w.Factor("ada", mfa.MethodTOTP).Disabled {
				return
			}
			w.Login("ada", app.Shows())
			guess(w, doors[0], "ada", app.Wrong())
			w.Clock.Advance(step)
		}
		t.Error("a hundred guesses in 30 days do not disable the factor")
	})
}

// B13: limits are off by default, a setting is ignored, or one can mean "no limit"
// (CVE-2021-41177).
func TestB13LimitsAreOff(t *testing.T) {
	if _, err := mfa.New(mfa.Config{}); !errors.Is(err, mfa.ErrInvalidInput) {
		t.Errorf("New with an empty Config: %v", err)
	}
	base := world.New(t).Config
	base.BackupCodes.Count = 0

	// New returns an error to a host that forgets the limits for each number; doing
	// without them has an ugly name.
	unlimited := base
	unlimited.SMSCodes.InsecureNoNumberLimits = false
	if _, err := mfa.New(unlimited); !errors.Is(err, mfa.ErrInvalidInput) || !strings.Contains(err.Error(), "SMSCodes.Numbers") {
		t.Errorf("New without Numbers: %v", err)
	}
	unlimited.SMS = nil
	_, err := mfa.New(unlimited)
	world.OK(t, err)
	unlimited = base
	unlimited.SMSCodes = mfa.SMSConfig{Numbers: mfa.NewMemoryStore()}
	_, err = mfa.New(unlimited)
	world.OK(t, err)
	numbers := numericFields(reflect.TypeFor[mfa.Config](), nil)
	for _, field := range numbers {
		for value, good := range map[int64]bool{0: true, -1: false, math.MinInt64: false, math.MaxInt64: false} {
			config := base
			field.in(&config).SetInt(value)
			if _, err := mfa.New(config); (err == nil) != good {
				t.Errorf("%s = %d: %v", field.name, value, err)
			}
		}
	}

	// Each setting has an effect: it refuses what the default allows.
	live := map[string]struct {
		value int64
		works func(w *world.World) bool
	}{
		"TOTP.Digits":        {8, func(w *world.World) bool { return codeLength(w) == 6 }},
		"TOTP.Period":        {int64(time.Minute), func(w *world.World) bool { return codeChanges(w, 30*time.Second) }},
		"SMSCodes.TTL":       {int64(time.Minute), func(w *world.World) bool { return messageWorks(w, 2*time.Minute) }},
		"SMSCodes.Cooldown":  {int64(time.Hour), func(w *world.World) bool { return messageAgain(w, 30*time.Second) }},
		"BackupCodes.Count":  {2, func(w *world.World) bool { return len(backupCodes(w)) == 1 }},
		"BackupCodes.Groups": {4, func(w *world.World) bool { return len(backupCodes(w)[0]) == len("7f3k-2m9p") }},
		"ChallengeTTL":       {int64(time.Minute), func(w *world.World) bool { return challengeWorks(w, 2*time.Minute) }},
		"EnrollmentTTL":      {int64(time.Minute), func(w *world.World) bool { return enrollmentWorks(w, 2*time.Minute) }},
		"ProofTTL":           {int64(2 * time.Minute), func(w *world.World) bool { return proofWorks(w, 3*time.Minute) }},
		"TrustedDeviceTTL":   {int64(time.Hour), func(w *world.World) bool { return deviceWorks(w, 2*time.Hour) }},
	}
	for _, field := range numbers {
		setting, ok := live[field.name]
		if !ok {
			t.Errorf("%s: add a check that the setting has an effect", field.name)
			continue
		}
		if !setting.works(world.New(t)) {
			t.Errorf("%s: the default refuses what it should allow", field.name)
		}
		if setting.works(world.New(t, func(c *mfa.Config) { field.in(c).SetInt(setting.value) })) {
			t.Errorf("%s = %d changes nothing", field.name, setting.value)
		}
	}
}

// A numericField is a numeric field of a Config or of a struct in it.
type numericField struct {
	name string
	path []int
}

func (f numericField) in(config *mfa.Config) reflect.Value {
	return reflect.ValueOf(config).Elem().FieldByIndex(f.path)
}

// numericFields returns the numeric fields of a struct and of the structs in it.
func numericFields(in reflect.Type, path []int) (fields []numericField) {
	for i := range in.NumField() {
		field, at := in.Field(i), append(slices.Clone(path), i)
		switch field.Type.Kind() {
		case reflect.Int, reflect.Int64:
			fields = append(fields, numericField{field.Name, at})
		case reflect.Struct:
			for _, inner := range numericFields(field.Type, at) {
				inner.name = field.Name + "." + inner.name
				fields = append(fields, inner)
			}
		}
	}
	return fields
}

func codeLength(w *world.World) int {
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(w.T, err)
	return len(w.Scan(enrollment.URI).Shows())
}

func codeChanges(w *world.World, after time.Duration) bool {
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(w.T, err)
	app := w.Scan(enrollment.URI)
	before := app.Shows()
	w.Clock.Advance(after)
	return app.Shows() != before
}

func messageWorks(w *world.World, after time.Duration) bool {
	w.GiveSMS("ada", world.Phone)
	token := w.Begin("ada").Token
	code := w.SentCode(token)
	w.Clock.Advance(after)
	_, err := w.VerifyLogin(w.Ctx, token, code)
	return err == nil
}

func messageAgain(w *world.World, after time.Duration) bool {
	world.OK(w.T, w.ImportSMS(w.Ctx, "ada", world.Phone))
	w.SentCode(w.Begin("ada").Token)
	w.Clock.Advance(after)
	_, err := w.SendCode(w.Ctx, w.Begin("ada").Token)
	return err == nil
}

func backupCodes(w *world.World) []string {
	_, login := w.GiveTOTP("ada")
	return w.GiveBackupCodes("ada", login.Proof)
}

func challengeWorks(w *world.World, after time.Duration) bool {
	app, _ := w.GiveTOTP("ada")
	token := w.Begin("ada").Token
	w.Clock.Advance(after)
	_, err := w.VerifyLogin(w.Ctx, token, app.Shows())
	return err == nil
}

func enrollmentWorks(w *world.World, after time.Duration) bool {
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(w.T, err)
	w.Clock.Advance(after)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
	return err == nil
}

func proofWorks(w *world.World, after time.Duration) bool {
	_, login := w.GiveTOTP("ada")
	w.Clock.Set(login.Time.Add(after))
	_, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	return err == nil
}

func deviceWorks(w *world.World, after time.Duration) bool {
	_, login := w.GiveTOTP("ada")
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(w.T, err)
	w.Clock.Advance(after)
	return w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)) == nil
}

// B14: a user's count is evicted from memory by other users', or is lost with it.
func TestB14CountIsEvicted(t *testing.T) {
	w := world.New(t)
	app, _ := w.GiveTOTP("ada")
	for range free {
		world.WantTries(t, guess(w, doors[0], "ada", app.Wrong()), 4)
	}
	const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	for i := range 20_000 { // others, each with a wrong code
		user := fmt.Sprint("user", i)
		world.OK(t, w.ImportTOTP(w.Ctx, user, uri))
		world.WantTries(t, guess(w, doors[0], user, "12345"), 4)
	}
	for range 100 { // and challenges of the same user, which evict older ones
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "?")
		world.WantErr(t, err, mfa.ErrInvalidCode)
		w.Begin("ada")
	}
	w.Clock.Advance(29 * 24 * time.Hour)
	w.Engine = w.Another()
	world.WantTries(t, guess(w, doors[0], "ada", app.Wrong()), 4)
	world.WantThrottled(t, guess(w, doors[0], "ada", app.Shows()), time.Second)

	// An engine keeps no state of a user: all of its state is configuration.
	engine := reflect.TypeFor[mfa.Engine]()
	for i := range engine.NumField() {
		if name := engine.Field(i).Name; !slices.Contains([]string{"config", "ring", "hashing"}, name) {
			t.Errorf("the engine has a field %s: check that it counts nothing", name)
		}
	}
}

// B15: anybody can lock the owner out, forever and with no way back in.
func TestB15LockoutOfTheOwner(t *testing.T) {
	w := world.New(t, world.BackupCodes(2))
	app, login := w.GiveTOTP("ada")
	codes := w.CheapBackupCodes("ada")
	b, _ := w.GiveTOTP("bob")
	expired := w.Begin("ada").Token
	w.Clock.Advance(5 * time.Minute)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, app.Wrong()) // with a valid token, it counts
	world.WantTries(t, err, 4)
	good := w.Begin("ada").Token
	foreign := world.Challenged(t, func() error {
		other := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(9)}; c.Store = mfa.NewMemoryStore() })
		world.OK(t, other.ImportSMS(w.Ctx, "ada", world.Phone))
		return other.BeginLogin(w.Ctx, "ada")
	}()).Token
	before := w.Stored("ada")
	for range 2 * disabling {
		for _, token := range []string{"", "ada", expired, foreign, good[:len(good)-1], good + "A", w.Begin("bob").Token, login.Proof} {
			w.VerifyLogin(w.Ctx, token, "12345")
			w.VerifyStepUp(w.Ctx, "ada", token, mfa.ActionManage, "12345")
			w.SendCode(w.Ctx, token)
			w.EnrollmentUser(w.Ctx, token)
		}
		w.VerifyLogin(w.Ctx, good, "?")                                  // not a code
		w.VerifyStepUp(w.Ctx, "ada", good, "transfer", app.Wrong())      // another action
		w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, app.Wrong())    // nothing is pending
		w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof("mfa_prf_forged")) // not proved
	}
	if after := w.Stored("ada"); after.Version != before.Version || !slices.Equal(after.Data, before.Data) {
		t.Error("calls without a valid token changed the user's record")
	}
	_, err = w.VerifyLogin(w.Ctx, good, app.Shows())
	world.OK(t, err)
	wantThrottled(t, guess(w, doors[0], "bob", b.Shows())) // his token was among them

	// An attacker who has the password can cause a delay. It ends; meanwhile a
	// backup code works, and the support desk can unlock the user, who loses no
	// factor.
	enrolled := w.Enrolled("ada")
	lock(w, "ada", app)
	w.Clock.Advance(step)
	w.Login("ada", app.Shows())
	w.Clock.Advance(step)
	lock(w, "ada", app)
	world.WantThrottled(t, guess(w, doors[0], "ada", app.Shows()), time.Second)
	w.Login("ada", codes[0])
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	w.Login("ada", app.Shows())
	w.Disable("ada", mfa.MethodTOTP, world.FiveDigits)
	world.WantErr(t, guess(w, doors[0], "ada", app.Shows()), mfa.ErrFactorDisabled)
	w.Login("ada", codes[1])
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	w.Login("ada", app.Shows())
	if got := w.Enrolled("ada"); !slices.Equal(got, enrolled) {
		t.Errorf("enrolled %v, before %v", got, enrolled)
	}
}

// B16: one code is tried with every user, or a user is found by the code.
func TestB16SameCodeForManyUsers(t *testing.T) {
	const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	w := world.New(t)
	wrong := w.Scan(uri).Wrong()
	user := func(i int) string { return fmt.Sprint("user", i) }
	for i := range 1000 {
		world.OK(t, w.ImportTOTP(w.Ctx, user(i), uri))
		world.WantTries(t, guess(w, doors[0], user(i), wrong), 4)
	}
	for i := range 1000 { // each was charged for it
		for range free {
			guess(w, doors[0], user(i), wrong)
		}
		if w.Factor(user(i), mfa.MethodTOTP).RetryAt.IsZero() {
			t.Fatalf("%s has one failure too few", user(i))
		}
	}
	// Every method that takes a code also takes a token or a user.
	for _, method := range engineMethods(t) {
		if name := method.Name.Name; slices.Contains(methodsWith(t, "code"), name) &&
			!slices.Contains(methodsWith(t, "token"), name) && !slices.Contains(methodsWith(t, "userID"), name) {
			t.Errorf("%s finds a user by the code", name)
		}
	}
}

// B17: codes of many time steps are valid at once.
func TestB17WideWindow(t *testing.T) {
	const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	for strict, reach := range map[bool]int{false: 1, true: 0} {
		accepted := 0
		for offset := -100; offset <= 100; offset++ {
			w := world.New(t, func(c *mfa.Config) { c.TOTP.Strict = strict })
			world.OK(t, w.ImportTOTP(w.Ctx, "ada", uri))
			code := w.Scan(uri).Code(w.Clock.Now().Add(time.Duration(offset) * step))
			err := guess(w, doors[0], "ada", code)
			if err == nil {
				accepted++
			}
			if near := offset >= -reach && offset <= reach; (err == nil) != near {
				t.Errorf("strict %t, step %+d: %v", strict, offset, err)
			}
		}
		if accepted != 2*reach+1 {
			t.Errorf("strict %t: %d codes are valid at once", strict, accepted)
		}
	}
	// No setting widens the window.
	settings := reflect.TypeFor[mfa.TOTPConfig]()
	for i := range settings.NumField() {
		if name := settings.Field(i).Name; !slices.Contains([]string{"Algorithm", "Digits", "Period", "Strict"}, name) {
			t.Errorf("TOTPConfig has a field %s: check that it does not widen the window", name)
		}
	}
	long := mfa.TOTPConfig{Period: time.Minute + time.Second}
	_, err := mfa.New(mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{world.Key(1)}, TOTP: long})
	world.WantErr(t, err, mfa.ErrInvalidInput)
	world.WantErr(t, world.New(t).ImportTOTP(t.Context(), "ada", uri+"&period=121"), mfa.ErrInvalidInput)
}

// B18: a store outage is counted or reported as a wrong code.
func TestB18OutageIsCounted(t *testing.T) {
	kinds := map[string]func(w *world.World, ada person, token string) (right, wrong string, free int){
		"app": func(_ *world.World, ada person, _ string) (string, string, int) { return ada.Shows(), ada.Wrong(), 2 },
		"message": func(w *world.World, _ person, token string) (string, string, int) {
			code := w.SentCode(token)
			return code, code[:5], 2
		},
		// A backup code is charged by the second call, before it is judged.
		"backup code": func(_ *world.World, ada person, _ string) (string, string, int) { return ada.Codes[0], "aaaa-aaaa", 2 },
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			store := world.NewFaultStore()
			w := world.New(t, func(c *mfa.Config) { c.Store = store })
			ada := w.Full("ada", world.Phone)
			token := w.Begin("ada").Token
			right, wrong, calls := kind(w, ada, token)
			before := store.Snapshot()
			for at := 1; at <= calls; at++ {
				for range disabling {
					for _, fault := range []world.Fault{world.Fails, world.Cancelled} {
						store.Arm(store.Snapshot(), at, fault)
						login, err := w.VerifyLogin(w.Ctx, token, wrong)
						if want := map[world.Fault]error{world.Fails: world.ErrStore, world.Cancelled: context.Canceled}[fault]; login != nil || !errors.Is(err, want) || mfa.ErrorCode(err) != "internal" {
							t.Fatalf("call %d %s: %v", at, fault, err)
						}
					}
				}
			}
			if store.Records["ada"].Version != before["ada"].Version {
				t.Error("an outage changed the record")
			}
			store.At = 0
			_, err := w.VerifyLogin(w.Ctx, token, right)
			world.OK(t, err)
		})
	}
	for _, d := range doors[1:] {
		store := world.NewFaultStore()
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		app, _ := w.GiveTOTP("ada")
		token := d.open(w, "ada")
		for range disabling {
			store.Arm(store.Snapshot(), 1, world.Fails)
			_, err := d.enter(w.Ctx, w.Engine, token, app.Wrong())
			world.WantErr(t, err, world.ErrStore)
		}
		store.At = 0
		_, err := d.enter(w.Ctx, w.Engine, token, app.Shows())
		world.OK(t, err)
	}
}

// B19: answers that cost nothing crowd out the owner's challenges. An attacker who
// has the password may send answers that are compared with nothing as often as
// they like: none of them is saved, and none of the owner's challenges ends.
func TestB19FreeAnswersCrowdNobodyOut(t *testing.T) {
	type user struct {
		has   string
		give  func(w *world.World) world.App
		tries []string
	}
	for _, user := range []user{
		{"an app and a phone", func(w *world.World) world.App {
			app, login := w.GiveTOTP("ada")
			w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
			return app
		}, []string{"zzzz-zzzz", "zz", "12345a", "?", `{"id":"key"}`}},
		{"a phone", func(w *world.World) world.App {
			w.GiveSMS("ada", world.Phone)
			return world.App{}
		}, []string{"zzzz-zzzz", "123456", "12345678", "?", `{"id":"key"}`}},
	} {
		for _, try := range user.tries {
			t.Run(try+" against "+user.has, func(t *testing.T) {
				store := &world.CountingStore{Store: mfa.NewMemoryStore()}
				w := world.New(t, world.WithPasskeys, func(c *mfa.Config) { c.Store = store })
				user.give(w)
				fresh, tried, texted := w.Begin("ada").Token, w.Begin("ada").Token, w.Begin("ada").Token
				transfer := stepUp("transfer").open(w, "ada")
				sms := w.SentCode(texted)
				_, err := w.VerifyLogin(w.Ctx, texted, world.WrongSMS(sms))
				world.WantTries(t, err, 4)
				store.Saves = 0
				for range 2 * record.MaxChallenges {
					w.Clock.Advance(time.Millisecond)
					_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, try)
					world.WantTries(t, err, 5)
				}
				_, err = w.VerifyLogin(w.Ctx, tried, try)
				world.WantTries(t, err, 5)
				if store.Saves != 0 {
					t.Errorf("%d saves, want none", store.Saves)
				}
				_, err = w.VerifyLogin(w.Ctx, texted, sms)
				world.OK(t, err)
				for _, token := range []string{fresh, tried} {
					w.Clock.Advance(cooldown)
					_, err = w.VerifyLogin(w.Ctx, token, w.SentCode(token))
					world.OK(t, err)
				}
				w.Clock.Advance(cooldown)
				_, err = w.VerifyStepUp(w.Ctx, "ada", transfer, "transfer", w.SentCode(transfer))
				world.OK(t, err)
			})
		}
	}
}

// B20: whoever makes backup codes keeps others from using theirs: by filling the
// queue in which hashes are computed, or because those who wait in it are charged.
func TestB20MakingCodesKeepsNobodyOut(t *testing.T) {
	t.Run("sets are limited", func(t *testing.T) {
		w := world.New(t)
		_, login := w.GiveTOTP("ada")
		bob := w.Full("bob", world.Phone2)
		make := func(engine *mfa.Engine) error {
			_, err := engine.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(login.Proof))
			return err
		}
		made := 0
		for _, err := range w.Race(150, func(engine *mfa.Engine, _ int) error { return make(engine) }) {
			if err == nil {
				made++
			} else {
				world.WantThrottled(t, err, time.Hour)
			}
		}
		if made != 5 {
			t.Errorf("%d sets were made, want 5", made)
		}
		w.Login("bob", bob.Codes[0])
		world.OK(t, w.PasswordChanged(w.Ctx, "ada")) // does not reset the limit
		w.Clock.Advance(time.Hour - 1)
		app := enrollTOTP(w, "eve")
		world.OK(t, func() error { _, err := w.VerifyEnrollment(w.Ctx, "eve", mfa.MethodTOTP, app.Shows()); return err }())
		skip := w.Another(func(c *mfa.Config) { c.InsecureSkipProof = true })
		_, err := skip.GenerateBackupCodes(w.Ctx, "ada")
		world.WantThrottled(t, err, 1)
		_, err = skip.GenerateBackupCodes(w.Ctx, "eve") // the limit is per user
		world.OK(t, err)
		w.Clock.Advance(1)
		_, err = skip.GenerateBackupCodes(w.Ctx, "ada")
		world.OK(t, err)
	})
	t.Run("who gave up waiting has paid nothing", func(t *testing.T) {
		w := world.New(t)
		w.GiveTOTP("ada")
		w.CheapBackupCodes("ada")
		waited := 0
		for range 1000 {
			if waited == 5 {
				break
			}
			token, before := w.Begin("ada").Token, w.Decoded("ada")
			_, err := w.VerifyLogin(impatient{w.Ctx}, token, "aaaa-aaaa")
			after := w.Decoded("ada")
			if isInvalidCode(err) {
				w.Tamper("ada", func(u *record.User) { u.Lanes = record.Lanes{} })
				continue
			}
			waited++
			if !strings.Contains(err.Error(), "waiting") || !reflect.DeepEqual(after.Lanes, before.Lanes) || !reflect.DeepEqual(after.Challenges, before.Challenges) {
				t.Errorf("%v: the attempt is charged: %+v, %+v", err, after.Lanes.BackupCode, after.Challenges)
			}
		}
		if waited < 5 {
			t.Errorf("only %d attempts have waited", waited)
		}
	})
	t.Run("makers stand in a line of their own", func(t *testing.T) {
		const makers = 3
		var begun atomic.Int32
		store := &world.HookStore{Store: mfa.NewMemoryStore(), Saved: func() { begun.Add(1) }}
		w := world.New(t, func(c *mfa.Config) {
			c.Store, c.InsecureSkipProof = store, true
			c.BackupCodes = mfa.BackupCodeConfig{Count: 10, Groups: 4}
		})
		w.Full("ada", world.Phone)
		for i := range makers {
			world.OK(t, w.ImportSMS(w.Ctx, fmt.Sprint("maker", i), world.Phone2))
		}
		begun.Store(0)
		var done sync.WaitGroup
		var made atomic.Int32
		for i := range makers {
			done.Go(func() {
				_, err := w.GenerateBackupCodes(w.Ctx, fmt.Sprint("maker", i))
				world.OK(t, err)
				made.Add(1)
			})
		}
		for begun.Load() < makers { // until each is counted and about to compute its hashes
			runtime.Gosched()
		}
		checked := 0
		for made.Load() == 0 && checked < 5 {
			if _, err := w.VerifyLogin(impatient{w.Ctx}, w.Begin("ada").Token, "aaaa-aaaa"); isInvalidCode(err) {
				checked++
			}
		}
		if checked < 3 {
			t.Errorf("only %d codes were checked while others were made", checked)
		}
		done.Wait()
	})
}

// An impatient context's Done channel is closed, but its Err is nil, so that only
// code that waits on the channel sees it as cancelled. If the queue is free too,
// select chooses either: one call in two gives up waiting.
type impatient struct{ context.Context }

func (impatient) Done() <-chan struct{} {
	over := make(chan struct{})
	close(over)
	return over
}

// B21: a repeated import clears the count: with a lazy migration, the host imports
// the key that the user already has at each login.
func TestB21RepeatedImports(t *testing.T) {
	const lower = "otpauth://totp/x?secret=jbsw%20y3dp-ehpk3pxpjbswy3dpehpk3pxp&algorithm=SHA-1"
	for name, again := range map[string]func(w *world.World) error{
		"the same key":          func(w *world.World) error { return w.ImportTOTP(w.Ctx, "ada", importedURI) },
		"the same number":       func(w *world.World) error { return w.ImportSMS(w.Ctx, "ada", world.Phone) },
		"that number, spaced":   func(w *world.World) error { return w.ImportSMS(w.Ctx, "ada", "+234 801 234 5678") },
		"the key of another":    func(w *world.World) error { return wantAlready(w.ImportTOTP(w.Ctx, "ada", importedKeyURI)) },
		"the number of another": func(w *world.World) error { return wantAlready(w.ImportSMS(w.Ctx, "ada", world.Phone2)) },
	} {
		t.Run(name, func(t *testing.T) {
			store := &world.CountingStore{Store: mfa.NewMemoryStore()}
			w := world.New(t, func(c *mfa.Config) { c.Store = store })
			world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
			world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
			app := w.Scan(importedURI)
			used := app.Shows()
			w.Login("ada", used)
			w.Clock.Advance(step)
			w.NewEvents()
			judged := 0
			for range 500 {
				saves := store.Saves
				world.OK(t, again(w))
				if store.Saves != saves {
					t.Fatal("an import that changes nothing is saved")
				}
				if isInvalidCode(guess(w, doors[0], "ada", app.Wrong())) {
					judged++
				}
			}
			if told := count(w, mfa.EventRefused); judged != free+1 || told != judged {
				t.Errorf("%d guesses were judged, %d events, want %d", judged, told, free+1)
			}
			w.Clock.Advance(time.Second)
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, used) // nor is a spent code valid again
			world.WantTries(t, err, 5)
		})
	}
	w := world.New(t)
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))
	before := w.Stored("ada").Version
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", lower))
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))
	if w.Stored("ada").Version != before {
		t.Error("another spelling of the key is imported as another key")
	}
}

// wantAlready returns nil if err is ErrAlreadyEnrolled.
func wantAlready(err error) error {
	if errors.Is(err, mfa.ErrAlreadyEnrolled) {
		return nil
	}
	return fmt.Errorf("got %v, want %w", err, mfa.ErrAlreadyEnrolled)
}

// B22: each additional factor allows more guesses.
func TestB22GuessesAtSeveralApps(t *testing.T) {
	w := world.New(t)
	app, login := w.GiveTOTP("ada")
	apps := []world.App{app}
	for range record.MaxTOTP - 1 {
		another, _ := w.GiveTOTP("ada", mfa.KeepOthers(), mfa.WithProof(login.Proof))
		apps = append(apps, another)
	}
	_, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.KeepOthers(), mfa.WithProof(login.Proof))
	world.WantErr(t, err, mfa.ErrInvalidInput)

	// Three codes of each are valid at a time; SECURITY.md states the odds.
	w.Clock.Advance(time.Hour)
	right := 0
	frozen := w.Another(func(c *mfa.Config) { c.Store = world.FrozenStore{Store: w.Store} })
	for _, app := range apps {
		for offset := -3; offset <= 3; offset++ {
			_, err := frozen.VerifyLogin(w.Ctx, w.Begin("ada").Token, app.Code(w.Clock.Now().Add(time.Duration(offset)*step)))
			if err == nil {
				right++
			}
		}
	}
	if right != 3*record.MaxTOTP {
		t.Errorf("%d codes are valid at a time, want %d", right, 3*record.MaxTOTP)
	}

	// A wrong code is compared with all of them and charged once. Removing or
	// renaming one of them does not clear the count.
	const wrong = "12345"
	for k := 1; k <= free+2; k++ {
		if k > free+1 {
			w.Clock.Advance(delayAfter(k - 1))
		}
		world.WantTries(t, guess(w, doors[0], "ada", wrong), 4)
		if got := w.Decoded("ada").Lanes.TOTP.Consecutive; got != k {
			t.Fatalf("%d failures are counted, want %d", got, k)
		}
		if k == free {
			world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(w.StatusOf("ada").Factors[0].ID)))
			world.OK(t, w.Rename(w.Ctx, "ada", w.StatusOf("ada").Factors[0].ID, "renamed"))
		}
	}
	for _, app := range apps[1:] { // the delay applies to each
		world.WantThrottled(t, guess(w, doors[0], "ada", app.Shows()), delayAfter(free+2))
	}
	skip := w.Another(func(c *mfa.Config) { c.InsecureSkipProof = true })
	for _, opt := range []mfa.ChangeOption{mfa.KeepOthers(), mfa.OnlyFactor(w.StatusOf("ada").Factors[0].ID)} {
		enrollment, err := skip.EnrollTOTP(w.Ctx, "ada", "a", opt)
		world.OK(t, err)
		world.OK(t, confirm(w, mfa.MethodTOTP, w.Scan(enrollment.URI).Shows()))
		world.WantThrottled(t, guess(w, doors[0], "ada", apps[4].Shows()), delayAfter(free+2))
	}
}
