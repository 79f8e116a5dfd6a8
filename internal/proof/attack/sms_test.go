package attack_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
)

// The limits stated in the documentation.
const (
	perHour, perDay, perChallenge = 5, 10, 3
	cooldown                      = 30 * time.Second
)

// A timedSender records when each message was sent.
type timedSender struct {
	now func() time.Time

	mu    sync.Mutex
	times map[string][]time.Time // by user, and by number
}

func (s *timedSender) SendSMS(_ context.Context, message mfa.SMS) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = make(map[string][]time.Time)
	}
	number := "+" + strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, message.To)
	for _, name := range []string{message.UserID, number} {
		s.times[name] = append(s.times[name], s.now())
	}
	return nil
}

// wantLimits checks that nobody received more messages than the limits allow, in
// any hour and on any day.
func wantLimits(t *testing.T, name string, times []time.Time, between time.Duration) {
	t.Helper()
	for i, at := range times {
		for _, limit := range []struct {
			messages int
			period   time.Duration
		}{{1, between}, {perHour, time.Hour}, {perDay, 24 * time.Hour}} {
			if i >= limit.messages && at.Sub(times[i-limit.messages]) < limit.period {
				t.Errorf("%s got message %d at %v, %v after the %d before it", name, i+1, at, at.Sub(times[i-limit.messages]), limit.messages)
			}
		}
	}
}

// I01: messages to one user or one number are unlimited, at somebody's expense:
// through logins, resends, enrollments, several numbers, restarts, or many
// requests at once.
func TestI01MessagesAreLimited(t *testing.T) {
	t.Run("a user with a phone", func(t *testing.T) {
		w := world.New(t)
		sender := &timedSender{now: w.Clock.Now}
		w.Config.SMS = sender
		w.Engine = w.Another()
		ada := w.Given("ada", world.Phone)
		proof := func() mfa.ChangeOption {
			w.Clock.Advance(30 * time.Second)
			return mfa.WithProof(w.Login("ada", ada.Shows()).Proof)
		}
		tricks := []func(engine *mfa.Engine){
			func(engine *mfa.Engine) { engine.SendCode(w.Ctx, w.Begin("ada").Token) },
			func(engine *mfa.Engine) { engine.SendCode(w.Ctx, stepUp("x").open(w, "ada")) },
			func(engine *mfa.Engine) { engine.SendCode(w.Ctx, stepUp(mfa.ActionManage).open(w, "ada")) },
			func(engine *mfa.Engine) { // three engines, all at once
				token := w.Begin("ada").Token
				w.Race(6, func(e *mfa.Engine, _ int) error { _, err := e.SendCode(w.Ctx, token); return err })
			},
			func(engine *mfa.Engine) { engine.EnrollSMS(w.Ctx, "ada", world.Phone2, proof()) },
			func(engine *mfa.Engine) { engine.EnrollSMS(w.Ctx, "ada", world.Phone, proof()) },
			func(engine *mfa.Engine) { engine.PasswordChanged(w.Ctx, "ada") },
			func(engine *mfa.Engine) { engine.ForgetDevices(w.Ctx, "ada") },
			func(engine *mfa.Engine) { // another factor in between
				token := w.Begin("ada").Token
				engine.VerifyLogin(w.Ctx, token, ada.Shows())
				engine.SendCode(w.Ctx, token)
			},
			func(engine *mfa.Engine) { // remove the number and add it again
				engine.Unenroll(w.Ctx, "ada", mfa.MethodSMS, proof())
				engine.ImportSMS(w.Ctx, "ada", world.Phone)
			},
			func(engine *mfa.Engine) { // the same through the support desk
				engine.Revoke(w.Ctx, "ada", mfa.MethodSMS)
				engine.ImportSMS(w.Ctx, "ada", world.Phone)
			},
			func(engine *mfa.Engine) { // an additional phone
				engine.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.KeepOthers(), proof())
			},
			func(engine *mfa.Engine) { // to each factor, by ID
				for _, f := range w.StatusOf("ada").Factors {
					engine.SendCode(w.Ctx, w.Begin("ada").Token, mfa.ToFactor(f.ID))
				}
			},
		}
		end := w.Clock.Now().Add(47 * time.Hour)
		for round := 0; w.Clock.Now().Before(end); round++ {
			engine := w.Engine
			if round%3 == 0 {
				engine = w.Another()
			}
			tricks[round%len(tricks)](engine)
			w.Clock.Advance(20 * time.Second)
			if round%50 == 0 {
				w.Clock.Advance(-10 * time.Second)
			}
		}
		wantLimits(t, "ada", sender.times["ada"], cooldown)
		// The limit was reached; otherwise this test would show nothing.
		if n := len(sender.times["ada"]); n != 2*perDay {
			t.Errorf("%d messages in two days, want %d", n, 2*perDay)
		}
	})

	t.Run("a user without a factor", func(t *testing.T) {
		w := world.New(t)
		sender := &timedSender{now: w.Clock.Now}
		w.Config.SMS = sender
		w.Engine = w.Another()
		end := w.Clock.Now().Add(24 * time.Hour)
		for round := 0; w.Clock.Now().Before(end); round++ {
			phone := fmt.Sprintf("+1415555%04d", round)
			switch round % 4 {
			case 0:
				w.Race(6, func(e *mfa.Engine, i int) error {
					_, err := e.EnrollSMS(w.Ctx, "ada", fmt.Sprint(phone, i))
					return err
				})
			case 1:
				w.Reset(w.Ctx, "ada") // the user complains
			default:
				w.EnrollSMS(w.Ctx, "ada", phone)
			}
			w.Clock.Advance(25 * time.Second)
		}
		wantLimits(t, "ada", sender.times["ada"], cooldown)
		if n := len(sender.times["ada"]); n != perDay {
			t.Errorf("%d messages in a day, want %d", n, perDay)
		}
	})

	t.Run("one number, many users", func(t *testing.T) {
		w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Numbers = mfa.NewMemoryStore() })
		sender := &timedSender{now: w.Clock.Now}
		w.Config.SMS = sender
		w.Engine = w.Another()
		world.OK(t, w.ImportSMS(w.Ctx, "owner", world.Phone))
		end := w.Clock.Now().Add(24 * time.Hour)
		for round := 0; w.Clock.Now().Before(end); round++ {
			spelled := []string{world.Phone, "+234 801 234 5678", "+234-801-234-5678", "+234(801)2345678"}[round%4]
			for i := range 8 {
				w.EnrollSMS(w.Ctx, fmt.Sprint("user", round, "-", i), spelled)
			}
			w.Clock.Advance(2 * time.Minute)
		}
		wantLimits(t, world.Phone, sender.times[world.Phone], 0)
		if n := len(sender.times[world.Phone]); n != perDay {
			t.Errorf("%d messages in a day, want %d", n, perDay)
		}
		// The number's owner still receives messages.
		_, err := w.SendCode(w.Ctx, w.Begin("owner").Token)
		world.OK(t, err)
	})

	t.Run("the support desk gives a user's budget back, and no number's", func(t *testing.T) {
		w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Numbers = mfa.NewMemoryStore() })
		world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
		spend := func() (sent int) {
			for range 2 * perHour { // as an attacker who has her password can
				w.SendCode(w.Ctx, w.Begin("ada").Token)
				w.Clock.Advance(cooldown)
			}
			return len(w.Outbox.Messages())
		}
		if sent := spend(); sent != perHour {
			t.Fatalf("%d messages, want %d", sent, perHour)
		}
		world.OK(t, w.PasswordChanged(w.Ctx, "ada")) // does not reset the limit
		if sent := spend(); sent != perHour {
			t.Fatalf("%d messages, want %d", sent, perHour)
		}
		world.OK(t, w.Unlock(w.Ctx, "ada"))
		w.AnswerBySMS(w.Begin("ada"))
		for i := range 2 * perHour {
			w.EnrollSMS(w.Ctx, fmt.Sprint("user", i), world.Phone2)
			world.OK(t, w.Unlock(w.Ctx, fmt.Sprint("user", i)))
		}
		if sent := len(w.Outbox.Messages()); sent != perHour+1+perHour {
			t.Errorf("%d messages to a number, want %d", sent-perHour-1, perHour)
		}
	})

	t.Run("one challenge", func(t *testing.T) {
		w := world.New(t)
		w.Given("ada", world.Phone)
		challenge := w.Begin("ada")
		for range 20 {
			w.SendCode(w.Ctx, challenge.Token)
			w.Clock.Advance(10 * time.Second)
		}
		if n := len(w.Outbox.Messages()); n != perChallenge {
			t.Errorf("%d messages for one challenge, want %d", n, perChallenge)
		}
	})

	t.Run("messages that do not arrive", func(t *testing.T) {
		attempts := 0
		w := world.New(t)
		w.Config.SMS = world.SenderFunc(func(context.Context, mfa.SMS) error { attempts++; return errors.New("down") })
		w.Engine = w.Another()
		for range 1_000 {
			w.EnrollSMS(w.Ctx, "ada", world.Phone)
			w.Clock.Advance(time.Second)
		}
		if attempts != perHour {
			t.Errorf("%d attempts in a quarter of an hour, want %d", attempts, perHour)
		}
	})

	t.Run("what the host does not allow", func(t *testing.T) {
		foreign := errors.New("not a country of ours")
		w := world.New(t, func(c *mfa.Config) {
			c.SMSCodes.Allow = func(_ context.Context, _, phone string) error {
				if !strings.HasPrefix(phone, "+234") {
					return foreign
				}
				return nil
			}
		})
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
		world.OK(t, err)
		for _, phone := range []string{world.Phone2, "+1 234 801 234 5678", " +1-234-8012345", "+44 234 8012345"} {
			_, err := w.EnrollSMS(w.Ctx, "bob", phone)
			world.WantErr(t, err, foreign)
			world.WantErr(t, err, mfa.ErrMethodUnavailable)
		}
		world.OK(t, w.ImportSMS(w.Ctx, "bob", world.Phone2))
		_, err = w.SendCode(w.Ctx, w.Begin("bob").Token)
		world.WantErr(t, err, foreign)
		if n := len(w.Outbox.Messages()); n != 1 {
			t.Errorf("%d messages, want one", n)
		}
	})
}

// I02: another spelling of a number passes as another number, to a limit or to
// the sender.
func TestI02OneSpellingOfANumber(t *testing.T) {
	same := []string{
		"+15551234567", "+1 (555) 123-4567", "+1.555.123.4567", " +15551234567 ", "+1-555-123-4567", "+1\u00a0555\u00a01234567", "+1\u2011555\u20111234567",
		"+1[555]1234567", "\t+15551234567\r\n", "+1 5 5 5 1 2 3 4 5 6 7", "tel:+1-555-123-4567", "+1 555/123/4567", "\u202a+15551234567\u202c", "+15551234567\u200b",
		"\uff0b15551234567", "＋１（５５５）１２３－４５６７", "+١٥٥٥١٢٣٤٥٦٧", "+1555123456٧", "+1555\ufe0f1234567", "+1 (5551) 234567",
	}
	for i, spelling := range same {
		w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Numbers = mfa.NewMemoryStore() })
		_, err := w.EnrollSMS(w.Ctx, "ada", spelling)
		world.OK(t, err)
		if to := w.Outbox.Messages()[0].To; to != same[0] {
			t.Errorf("a message for %q is sent to %q", spelling, to)
		}
		_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, w.Outbox.Code(same[0]))
		world.OK(t, err)
		if got := w.Decoded("ada").SMS[0].Phone; got != same[0] {
			t.Errorf("%q is stored as %q", spelling, got)
		}
		// All spellings of the number share one limit.
		for n := range perHour - 1 {
			_, err := w.EnrollSMS(w.Ctx, fmt.Sprint("user", n), same[(i+n)%len(same)])
			world.OK(t, err)
		}
		_, err = w.EnrollSMS(w.Ctx, "last", same[(i+5)%len(same)])
		world.WantThrottled(t, err, time.Hour)
	}

	w := world.New(t)
	for _, spelling := range []string{
		"", "+", "15551234567", "0015551234567", "+015551234567", "++15551234567", "+1+5551234567", "5551234567", "tel:15551234567", "tel:tel:+15551234567", "callto:+15551234567", "+1555CALLNOW",
		"+1 (0)5551234567", "+1[0]5551234567", "+1 ( 0. ) 5551234567", "＋１（０）５５５１２３４５６７", "+١ (٠) ٥٥٥١٢٣٤٥٦٧",
		"+15551234567;ext=1", "+15551234567,1", "+15551234567#1", "+15551234567p1", "+15551234567/23456", "+15551234567 ext. 2", "+15551234567;+15557654321", "+15551234567,+15557654321",
		"+15551234567\x00", "+1555\x001234567", "+¹⁵⁵⁵¹²³⁴⁵⁶⁷", "⁺15551234567",
		"+15551234567\x1b", "+1555123\xff4567", "+123456", "+1234567890123456", "+1_555_1234567", "+1'555'1234567", "+1%20555", "+1\\r\\n555", "+1x5551234567", "+1e10000000",
	} {
		_, err := w.EnrollSMS(w.Ctx, "ada", spelling)
		world.WantErr(t, err, mfa.ErrInvalidPhone)
		world.WantErr(t, w.ImportSMS(w.Ctx, "ada", spelling), mfa.ErrInvalidPhone)
		if err == nil {
			t.Errorf("%q is accepted", spelling)
		}
	}
	if n := len(w.Outbox.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
	world.OK(t, w.BeginLogin(w.Ctx, "ada")) // no number is enrolled
}

// I03: codes go to a number that was never proved to be the user's.
func TestI03NumbersAreProven(t *testing.T) {
	last := func(w *world.World) mfa.SMS {
		messages := w.Outbox.Messages()
		return messages[len(messages)-1]
	}
	for name, abandon := range map[string]func(w *world.World){
		"still open":           func(*world.World) {},
		"wrong codes":          func(w *world.World) { wrongFor(w, "ada") },
		"expired":              func(w *world.World) { w.Clock.Advance(time.Hour) },
		"the password changed": func(w *world.World) { world.OK(t, w.PasswordChanged(w.Ctx, "ada")) },
	} {
		w := world.New(t)
		ada := w.Given("ada", world.Phone)
		begun, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(ada.Proof))
		world.OK(t, err)
		if m := last(w); m.To != world.Phone2 || m.Action != mfa.ActionEnroll || begun.Phone != "+14*****671" {
			t.Errorf("%s: the message for the new number goes to %s, for %s", name, m.To, m.Action)
		}
		w.Clock.Advance(time.Minute)
		abandon(w)
		challenge := w.Begin("ada")
		if phone := phoneOf(challenge.Challenge); phone != "+23*****678" {
			t.Errorf("%s: a login shows %s", name, phone)
		}
		code := w.SentCode(challenge.Token)
		if m := last(w); m.To != world.Phone {
			t.Errorf("%s: a login's code goes to %s", name, m.To)
		}
		_, err = w.VerifyLogin(w.Ctx, challenge.Token, code)
		world.OK(t, err)
	}

	// Confirming a number takes the code that was sent to it, and beginning the
	// enrollment takes proof of a factor.
	w := world.New(t)
	ada := w.Given("ada", world.Phone)
	scriptCodes(t, 111_111, 222_222, 333_333)
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2)
	world.Challenged(t, err)
	if n := len(w.Outbox.Messages()); n != 0 {
		t.Errorf("%d messages without a proof", n)
	}
	challenge := w.Begin("ada")
	w.SentCode(challenge.Token) // 111111, to the old number
	w.Clock.Advance(time.Minute)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(ada.Proof)) // 222222
	world.OK(t, err)
	for _, code := range []string{"111111", "333333", ada.Shows()} {
		_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, "222222")
	world.WantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyEnrollment(w.Ctx, "bob", mfa.MethodSMS, "222222")
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "222222")
	world.OK(t, err)
	w.Clock.Advance(time.Minute)
	w.SentCode(w.Begin("ada").Token)
	if m := last(w); m.To != world.Phone2 {
		t.Errorf("after the confirmation, a login's code goes to %s", m.To)
	}
}

// wrongFor enters wrong codes until a pending number is discarded.
func wrongFor(w *world.World, user string) {
	w.T.Helper()
	code := world.WrongSMS(w.Outbox.Code(world.Phone2))
	for range 5 {
		w.VerifyEnrollment(w.Ctx, user, mfa.MethodSMS, code)
	}
	_, err := w.VerifyEnrollment(w.Ctx, user, mfa.MethodSMS, w.Outbox.Code(world.Phone2))
	world.WantErr(w.T, err, mfa.ErrNoPendingEnrollment)
}

// I04: the previous code still works after another was sent, or both are the same.
func TestI04OneLiveCode(t *testing.T) {
	// The draws determine the codes: three for a challenge, five for an enrollment
	// in an hour.
	w := world.New(t)
	w.Given("ada", world.Phone)
	scriptCodes(t, 111_111, 222_222, 333_333)
	challenge := w.Begin("ada")
	var sent []string
	for range perChallenge {
		sent = append(sent, w.SentCode(challenge.Token))
		w.Clock.Advance(cooldown)
	}
	if !slices.Equal(sent, []string{"111111", "222222", "333333"}) {
		t.Errorf("sent %v: a code is not a new draw", sent)
	}
	for i, code := range sent[:2] {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, code)
		world.WantTries(t, err, 4-i)
	}
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, sent[2])
	world.OK(t, err)

	w = world.New(t)
	scriptCodes(t, 111_111, 222_222, 333_333, 444_444, 555_555)
	for range perHour {
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
		world.OK(t, err)
		w.Clock.Advance(cooldown)
	}
	for _, code := range []string{"111111", "222222", "333333", "444444"} {
		_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "555555")
	world.OK(t, err)

	// Only the last code works, and it confirms the number to which it was sent.
	w = world.New(t)
	scriptCodes(t, 111_111, 222_222)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.OK(t, err)
	w.Clock.Advance(cooldown)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone2)
	world.OK(t, err)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "111111")
	world.WantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "222222")
	world.OK(t, err)
	if got := w.Decoded("ada").SMS[0].Phone; got != world.Phone2 {
		t.Errorf("%s is confirmed", got)
	}
}

// I05: a refused or failed message voids the current code, or leaves one that
// nobody received.
func TestI05RefusedMessagesChangeNothing(t *testing.T) {
	down, foreign := errors.New("down"), errors.New("not there")
	refuse := false
	allow := func(c *mfa.Config) {
		c.SMSCodes.Allow = func(context.Context, string, string) error {
			if refuse {
				return foreign
			}
			return nil
		}
	}
	for name, test := range map[string]struct {
		refused func(w *world.World) // makes the next message fail
		want    error                // its error; nil for a ThrottledError
		lives   bool                 // whether the code before stays valid
	}{
		"too soon":             {func(*world.World) {}, nil, true},
		"the host says no":     {func(w *world.World) { w.Clock.Advance(cooldown); refuse = true }, foreign, true},
		"the provider is down": {func(w *world.World) { w.Clock.Advance(cooldown); w.Outbox.FailWith(down) }, mfa.ErrDelivery, false},
	} {
		for _, enrolling := range []bool{false, true} {
			refuse = false
			w := world.New(t, allow)
			var send, verify func(code string) error
			token := ""
			if enrolling {
				send = func(string) error { _, err := w.EnrollSMS(w.Ctx, "ada", world.Phone); return err }
				verify = func(code string) error { _, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code); return err }
			} else {
				w.Given("ada", world.Phone)
				token = w.Begin("ada").Token
				send = func(string) error { _, err := w.SendCode(w.Ctx, token); return err }
				verify = func(code string) error { _, err := w.VerifyLogin(w.Ctx, token, code); return err }
			}
			scriptCodes(t, 111_111, 222_222, 333_333)
			world.OK(t, send(""))
			sentBefore, counted := len(w.Outbox.Messages()), len(w.Decoded("ada").Sent.Times)
			test.refused(w)
			err := send("")
			if test.want == nil {
				world.WantThrottled(t, err, cooldown)
			} else {
				world.WantErr(t, err, test.want)
			}
			refuse = false
			w.Outbox.FailWith(nil)
			if n := len(w.Outbox.Messages()); n != sentBefore {
				t.Errorf("%s: %d messages", name, n-sentBefore)
			}
			// A failed message is counted, and a refused one is not.
			failed := 0
			if !test.lives {
				failed = 1
			}
			if n := len(w.Decoded("ada").Sent.Times) - counted; n != failed {
				t.Errorf("%s: %d more messages are counted, want %d", name, n, failed)
			}
			// The code that was never sent is invalid. The one before stays valid
			// unless the resend had replaced it.
			if err := verify("222222"); err == nil {
				t.Errorf("%s, enrolling %v: a code that nobody received is accepted", name, enrolling)
			}
			if err := verify("111111"); (err == nil) != test.lives {
				t.Errorf("%s, enrolling %v: the code before: %v, want valid: %v", name, enrolling, err, test.lives)
			}
			if test.lives {
				continue
			}
			// There is no cooldown: the next message is sent at once.
			world.OK(t, send(""))
			if err := verify("333333"); err != nil {
				t.Errorf("%s, enrolling %v: the next code: %v", name, enrolling, err)
			}
		}
	}
}

// I06: a failed message is reported as sent, is sent twice, or its error shows
// what was in it.
func TestI06FailedMessagesAreReported(t *testing.T) {
	cause := errors.New("timeout")
	for name, send := range map[string]world.SenderFunc{
		"an error": func(context.Context, mfa.SMS) error { return cause },
		"an error that quotes": func(_ context.Context, m mfa.SMS) error {
			return fmt.Errorf("cannot send %q, code %s, to %s: %w", m.Body, m.Code, m.To, cause)
		},
		"several errors": func(_ context.Context, m mfa.SMS) error {
			return errors.Join(cause, fmt.Errorf("%s: %s", m.To, m.Code))
		},
		"it blocks until the caller leaves": func(ctx context.Context, _ mfa.SMS) error {
			<-ctx.Done()
			return fmt.Errorf("%w: %w", cause, ctx.Err())
		},
	} {
		before := runtime.NumGoroutine()
		var codes []string
		leave := func() {} // the caller leaves
		w := world.New(t)
		w.Given("ada", world.Phone)
		broken := w.Another(func(c *mfa.Config) {
			c.SMS = world.SenderFunc(func(ctx context.Context, m mfa.SMS) error {
				codes = append(codes, m.Code)
				leave()
				return send(ctx, m)
			})
		})
		token := w.Begin("ada").Token
		for call, do := range map[string]func(ctx context.Context) (any, error){
			"SendCode": func(ctx context.Context) (any, error) { d, err := broken.SendCode(ctx, token); return d == nil, err },
			"EnrollSMS": func(ctx context.Context) (any, error) {
				d, err := broken.EnrollSMS(ctx, "bob", world.Phone2)
				return d == nil, err
			},
		} {
			ctx, cancel := context.WithCancel(w.Ctx)
			if strings.HasPrefix(name, "it blocks") {
				leave = cancel
			}
			none, err := do(ctx)
			cancel()
			if none != true || !errors.Is(err, mfa.ErrDelivery) || !errors.Is(err, cause) || mfa.ErrorCode(err) != "delivery_failed" {
				t.Errorf("%s, %s: %v", name, call, err)
			}
			text := world.Printed(err, world.VerbsInside) + world.Logged("error", err) + world.Logged("event", w.LastEvent()) + fmt.Sprintf("%+v", fmt.Errorf("wrapped: %w", err))
			for _, secret := range append(codes, world.Phone, world.Phone2) {
				if found := leak(text, secret); found != "" {
					t.Errorf("%s, %s: the error contains %s as %q: %v", name, call, secret, found, err)
				}
			}
		}
		for _, code := range codes {
			_, err := w.VerifyLogin(w.Ctx, token, code)
			world.WantErr(t, err, mfa.ErrInvalidCode)
			_, err = w.VerifyEnrollment(w.Ctx, "bob", mfa.MethodSMS, code)
			world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
		}
		for range 10_000 {
			if runtime.NumGoroutine() <= before {
				break
			}
			runtime.Gosched()
		}
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%s: %d goroutines are running, %d before", name, n, before)
		}
	}

	// A panic of the host's reaches the host, and the code is invalid.
	code := ""
	for _, adjust := range []func(*mfa.Config){
		func(c *mfa.Config) {
			c.SMS = world.SenderFunc(func(_ context.Context, m mfa.SMS) error { code = m.Code; panic("the host's") })
		},
		func(c *mfa.Config) {
			c.SMSCodes.Text = func(_ context.Context, m mfa.SMS) string { code = m.Code; panic("the host's") }
		},
	} {
		w := world.New(t)
		w.Given("ada", world.Phone)
		token := w.Begin("ada").Token
		func() {
			defer func() {
				if recovered := recover(); recovered != "the host's" {
					t.Errorf("recovered %v", recovered)
				}
			}()
			w.Another(adjust).SendCode(w.Ctx, token)
		}()
		_, err := w.VerifyLogin(w.Ctx, token, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
		_, err = w.SendCode(w.Ctx, token) // without a cooldown
		world.OK(t, err)
	}

	t.Run("conflicts", untimed(func(t *testing.T) {
		// Each success sends one message, however many conflicts there were. If there
		// are too many, none is sent.
		store := world.NewFaultStore()
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		w.Given("ada", world.Phone)
		token := w.Begin("ada").Token
		before := store.Snapshot()
		for call, do := range map[string]func() error{
			"SendCode":  func() error { _, err := w.SendCode(w.Ctx, token); return err },
			"EnrollSMS": func() error { _, err := w.EnrollSMS(w.Ctx, "bob", world.Phone2); return err },
		} {
			store.Arm(before, 0, "")
			world.OK(t, do())
			calls := store.Calls
			for at := 1; at <= calls; at++ {
				for _, fault := range []world.Fault{world.Conflicts, world.EverTooLate} {
					store.Arm(before, at, fault)
					sent := len(w.Outbox.Messages())
					err := do()
					want := 1
					if fault == world.EverTooLate && store.Met {
						want = 0
					}
					if n := len(w.Outbox.Messages()) - sent; n != want || (err == nil) != (want == 1) {
						t.Errorf("%s, call %d %s: %d messages, %v", call, at, fault, n, err)
					}
				}
			}
		}
	}))
}

// I07: a message is sent that nobody asked for, or for a factor that is delayed,
// disabled or gone.
func TestI07NoMessageUnasked(t *testing.T) {
	required := true
	silent := func(name string, do func(w *world.World, ada person, token string)) {
		t.Helper()
		w := world.New(t, world.RequiredWhen(&required))
		ada := w.Given("ada", world.Phone)
		token := w.Begin("ada").Token
		w.SentCode(token) // works at first
		w.Clock.Advance(time.Minute)
		before := len(w.Outbox.Messages())
		do(w, ada, token)
		if n := len(w.Outbox.Messages()) - before; n != 0 {
			t.Errorf("%s: %d messages", name, n)
		}
	}
	refused := func(w *world.World, token string, want error) {
		t.Helper()
		_, err := w.SendCode(w.Ctx, token)
		world.WantErr(t, err, want)
	}
	silent("nobody asked", func(w *world.World, ada person, token string) {
		w.Begin("ada")
		w.MustEnroll("nobody")
		stepUp("x").open(w, "ada")
		w.StatusOf("ada")
		w.VerifyLogin(w.Ctx, token, ada.Wrong())
		world.Challenged(t, w.Another(func(c *mfa.Config) { c.Required = nil }).Unenroll(w.Ctx, "ada", mfa.MethodSMS))
		world.WantErr(t, w.ImportSMS(w.Ctx, "ada", world.Phone2), mfa.ErrAlreadyEnrolled)
		world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodSMS))
		world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone2))
		world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
		world.OK(t, w.Unlock(w.Ctx, "ada"))
		_, err := w.EnrollTOTP(w.Ctx, "bob", "bob")
		world.OK(t, err)
		w.Login("ada", ada.Shows())
	})
	silent("a token that is none", func(w *world.World, ada person, token string) {
		for _, bad := range []string{"", "x", token + "A", token[:len(token)-1], "mfa_prf_" + token[8:], ada.Proof, w.MustEnroll("nobody").Token} {
			refused(w, bad, mfa.ErrInvalidToken)
		}
	})
	silent("a challenge that is over", func(w *world.World, ada person, token string) {
		_, err := w.VerifyLogin(w.Ctx, token, ada.Shows())
		world.OK(t, err)
		refused(w, token, mfa.ErrInvalidToken)
		old := w.Begin("ada").Token
		w.Clock.Advance(5 * time.Minute)
		refused(w, old, mfa.ErrInvalidToken)
		ended := w.Begin("ada").Token
		world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
		refused(w, ended, mfa.ErrInvalidToken)
	})
	silent("a phone that is gone", func(w *world.World, ada person, token string) {
		optional := w.Another(func(c *mfa.Config) { c.Required = nil })
		world.OK(t, optional.Unenroll(w.Ctx, "ada", mfa.MethodSMS, mfa.WithProof(ada.Proof)))
		refused(w, token, mfa.ErrInvalidToken)
		refused(w, w.Begin("ada").Token, mfa.ErrMethodUnavailable)
	})
	silent("a phone that is delayed", func(w *world.World, _ person, token string) {
		w.Tamper("ada", func(u *record.User) { u.Lanes.SMS.Consecutive, u.Lanes.SMS.LastFailure = 10, w.Clock.Now() })
		_, err := w.SendCode(w.Ctx, token)
		world.WantThrottled(t, err, 32*time.Second)
	})
	silent("a phone that is disabled", func(w *world.World, _ person, token string) {
		w.Tamper("ada", func(u *record.User) { u.Lanes.SMS.Disabled = true })
		refused(w, token, mfa.ErrFactorDisabled)
		refused(w, w.Begin("ada").Token, mfa.ErrFactorDisabled)
	})
	silent("no sender", func(w *world.World, _ person, token string) {
		none := w.Another(func(c *mfa.Config) { c.SMS = nil })
		_, err := none.SendCode(w.Ctx, token)
		world.WantErr(t, err, mfa.ErrMethodUnavailable)
		_, err = none.EnrollSMS(w.Ctx, "bob", world.Phone2)
		world.WantErr(t, err, mfa.ErrMethodUnavailable)
		_, err = none.VerifyEnrollment(w.Ctx, "bob", mfa.MethodSMS, "123456")
		world.WantErr(t, err, mfa.ErrMethodUnavailable)
	})
}
