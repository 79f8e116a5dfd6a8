package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfatest"
)

func TestEnrollSMS(t *testing.T) {
	w := world.New(t)
	delivery, err := w.EnrollSMS(w.Ctx, "ada", "+234 (801) 234-56.78")
	world.OK(t, err)
	now := w.Clock.Now()
	if delivery.Phone != "+23*****678" || !delivery.ExpiresAt.Equal(now.Add(5*time.Minute)) || !delivery.ResendAfter.Equal(now.Add(30*time.Second)) {
		t.Errorf("%+v", delivery)
	}
	want := `{"phone":"+23*****678","expires_at":"2030-01-01T00:05:10Z","resend_after":"2030-01-01T00:00:40Z"}`
	if got := world.JSON(t, delivery); got != want {
		t.Errorf("JSON %s, want %s", got, want)
	}
	w.WantTold(mfa.EventEnrollmentStarted, mfa.EventCodeSent)
	message := w.Outbox.Messages()[0]
	if message.To != world.Phone || message.UserID != "ada" || message.Action != mfa.ActionEnroll || !message.ExpiresAt.Equal(delivery.ExpiresAt) ||
		!regexp.MustCompile(`^[0-9]{6}$`).MatchString(message.Code) || !strings.Contains(message.Body, message.Code) {
		t.Errorf("to %q, code %q, %+v", message.To, message.Code, message)
	}

	world.OK(t, w.BeginLogin(w.Ctx, "ada")) // an unconfirmed number is nothing
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, wrongSMS(message.Code))
	world.WantTries(t, err, 4)
	login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, message.Code)
	world.OK(t, err)
	if login.Method != mfa.MethodSMS || login.Action != mfa.ActionEnroll || login.Proof == "" {
		t.Errorf("%+v", *login)
	}
	w.WantTold(mfa.EventRefused, mfa.EventEnrolled)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, message.Code)
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
}

// wrongSMS is another code than this one.
func wrongSMS(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

func TestLoginBySMS(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	w.Told()
	challenge := w.Begin("ada")
	if n := len(w.Outbox.Messages()); n != 1 {
		t.Errorf("a message went out before it was asked for")
	}
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, "123456") // none was sent
	world.WantTries(t, err, 4)
	delivery, err := w.SendCode(w.Ctx, challenge.Token)
	world.OK(t, err)
	if now := w.Clock.Now(); delivery.Phone != "+23*****678" || !delivery.ExpiresAt.Equal(now.Add(5*time.Minute)) || !delivery.ResendAfter.Equal(now.Add(30*time.Second)) {
		t.Errorf("%+v", delivery)
	}
	w.WantTold(mfa.EventChallenged, mfa.EventRefused, mfa.EventCodeSent)
	message := w.Outbox.Messages()[1]
	if message.Action != mfa.ActionLogin || message.To != world.Phone {
		t.Errorf("%+v", message)
	}
	login, err := w.VerifyLogin(w.Ctx, challenge.Token, message.Code[:3]+" "+message.Code[3:])
	world.OK(t, err)
	if login.Method != mfa.MethodSMS || login.AMR[0] != "sms" {
		t.Errorf("%+v", *login)
	}
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, message.Code)
	world.WantErr(t, err, mfa.ErrInvalidCode)
}

func TestASentCodeIsForItsChallengeAlone(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	enrollmentCode := w.Outbox.Code(world.Phone)
	first, second := w.Begin("ada"), w.Begin("ada")
	code := w.SentCode(first.Token)
	for _, c := range []string{code, enrollmentCode} {
		_, err := w.VerifyLogin(w.Ctx, second.Token, c)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err := w.EnrollSMS(w.Ctx, "bob", world.Phone)
	world.OK(t, err)
	if code == w.Outbox.Code(world.Phone) {
		t.Skip("the same code was drawn twice, one in a million")
	}
	_, err = w.VerifyEnrollment(w.Ctx, "bob", mfa.MethodSMS, code)
	world.WantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyLogin(w.Ctx, first.Token, code)
	world.OK(t, err)
}

func TestAResentCodeKillsTheEarlier(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	challenge := w.Begin("ada")
	first := w.SentCode(challenge.Token)
	w.Clock.Advance(30 * time.Second)
	second := w.SentCode(challenge.Token)
	if first != second {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, first)
		world.WantTries(t, err, 4)
	}
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, second)
	world.OK(t, err)
}

func TestASentCodeExpires(t *testing.T) {
	w := world.New(t, func(c *mfa.Config) { c.SMSCodes.TTL = time.Minute })
	w.GiveSMS("ada", world.Phone)
	challenge := w.Begin("ada")
	code := w.SentCode(challenge.Token)
	w.Clock.Advance(time.Minute)
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, code)
	world.WantErr(t, err, mfa.ErrInvalidCode)
	code = w.SentCode(challenge.Token)
	w.Clock.Advance(time.Minute - 1)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, code)
	world.OK(t, err)

	w.Clock.Advance(time.Minute)
	challenge = w.Begin("ada")
	w.Clock.Advance(270 * time.Second)
	delivery, err := w.SendCode(w.Ctx, challenge.Token)
	world.OK(t, err)
	if !delivery.ExpiresAt.Equal(challenge.ExpiresAt) {
		t.Errorf("the code outlives its challenge: %v", delivery.ExpiresAt)
	}

	_, err = w.EnrollSMS(w.Ctx, "bob", world.Phone2)
	world.OK(t, err)
	w.Clock.Advance(time.Minute)
	_, err = w.VerifyEnrollment(w.Ctx, "bob", mfa.MethodSMS, w.Outbox.Code(world.Phone2))
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestThreeMessagesPerChallenge(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	w.Clock.Advance(time.Hour)
	challenge := w.Begin("ada")
	var last string
	for range 3 {
		last = w.SentCode(challenge.Token)
		w.Clock.Advance(30 * time.Second)
	}
	_, err := w.SendCode(w.Ctx, challenge.Token)
	world.WantThrottled(t, err, 5*time.Minute-90*time.Second) // when a new challenge must begin
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, last)
	world.OK(t, err)
}

func TestMessagesPerUser(t *testing.T) {
	w := world.New(t)
	begin := w.Clock.Now()
	send := func() error {
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
		return err
	}
	world.OK(t, send())
	world.WantThrottled(t, send(), 30*time.Second)
	w.Clock.Advance(30*time.Second - 1)
	world.WantThrottled(t, send(), 1)
	w.Clock.Advance(1)
	for range 4 {
		world.OK(t, send())
		w.Clock.Advance(30 * time.Second)
	}
	world.WantThrottled(t, send(), begin.Add(time.Hour).Sub(w.Clock.Now())) // 5 an hour
	w.Clock.Set(begin.Add(time.Hour))
	world.OK(t, send())
	w.Clock.Set(begin.Add(2 * time.Hour))
	for range 4 {
		world.OK(t, send())
		w.Clock.Advance(30 * time.Second)
	}
	world.WantThrottled(t, send(), begin.Add(24*time.Hour).Sub(w.Clock.Now())) // 10 a day
	if n := len(w.Outbox.Messages()); n != 10 {
		t.Errorf("%d messages", n)
	}

	// Neither a reset nor another kind of message is a way around it.
	world.OK(t, w.Reset(w.Ctx, "ada"))
	world.WantThrottled(t, send(), begin.Add(24*time.Hour).Sub(w.Clock.Now()))
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone2))
	_, err := w.SendCode(w.Ctx, w.Begin("ada").Token)
	world.WantThrottled(t, err, begin.Add(24*time.Hour).Sub(w.Clock.Now()))
	w.Clock.Set(begin.Add(24 * time.Hour))
	w.SentCode(w.Begin("ada").Token)
}

func TestAThrottledMessageLeavesTheLastOne(t *testing.T) {
	w := world.New(t)
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.OK(t, err)
	w.Told()
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone2)
	world.WantThrottled(t, err, 30*time.Second)
	w.WantTold(mfa.EventThrottled)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, w.Outbox.Code(world.Phone))
	world.OK(t, err)
	if got := w.Factor("ada", mfa.MethodSMS).Phone; got != "+23*****678" {
		t.Errorf("phone %s", got)
	}
	w.Clock.Advance(time.Minute)
	challenge := w.Begin("ada")
	code := w.SentCode(challenge.Token)
	_, err = w.SendCode(w.Ctx, challenge.Token)
	world.WantThrottled(t, err, 30*time.Second)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, code)
	world.OK(t, err)
}

func TestNoMessageWithoutUse(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	_, err := w.SendCode(w.Ctx, w.Begin("ada").Token)
	world.WantErr(t, err, mfa.ErrMethodUnavailable)
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	_, err = w.Another(func(c *mfa.Config) { c.SMS = nil }).SendCode(w.Ctx, w.Begin("ada").Token)
	world.WantErr(t, err, mfa.ErrMethodUnavailable)

	challenge := w.Begin("ada")
	w.SentCode(challenge.Token)
	for range 5 {
		w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
	}
	_, err = w.SendCode(w.Ctx, challenge.Token) // it has ended
	world.WantErr(t, err, mfa.ErrInvalidToken)
	sent := len(w.Outbox.Messages())
	_, err = w.SendCode(w.Ctx, w.Begin("ada").Token)
	world.WantThrottled(t, err, 30*time.Second)
	if n := len(w.Outbox.Messages()); n != sent {
		t.Errorf("%d messages went out", n-sent)
	}
}

// TestTheWaitForAMessageIsTheTrueOne, be it for the last message or for wrong
// codes: once it is over, a message goes.
func TestTheWaitForAMessageIsTheTrueOne(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	for _, want := range []time.Duration{
		30 * time.Second, // between two messages; the five wrong codes make it one second
		32 * time.Second, // for ten wrong codes
	} {
		token := w.Begin("ada").Token
		w.SentCode(token)
		for range 5 {
			if retryAt := w.Factor("ada", mfa.MethodSMS).RetryAt; !retryAt.IsZero() {
				w.Clock.Set(retryAt)
			}
			_, err := w.VerifyLogin(w.Ctx, token, "00000")
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
		token = w.Begin("ada").Token
		_, err := w.SendCode(w.Ctx, token)
		world.WantThrottled(t, err, want)
		w.Clock.Advance(want - 1)
		_, err = w.SendCode(w.Ctx, token)
		world.WantThrottled(t, err, 1)
		w.Clock.Advance(1)
		w.SentCode(token)
		w.Clock.Advance(30 * time.Second)
	}
}

func TestADisabledPhoneGetsNoMessage(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	codes := w.GiveBackupCodes("ada", manage(w, "ada"))
	w.Clock.Advance(24 * time.Hour)
	for range 100 {
		w.Clock.Advance(150 * time.Minute)
		challenge := w.Begin("ada")
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, wrongSMS(w.SentCode(challenge.Token)))
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	w.Clock.Advance(24 * time.Hour)
	challenge := w.Begin("ada")
	sent := len(w.Outbox.Messages())
	_, err := w.SendCode(w.Ctx, challenge.Token)
	world.WantErr(t, err, mfa.ErrFactorDisabled)
	if n := len(w.Outbox.Messages()); n != sent {
		t.Errorf("%d messages went out", n-sent)
	}
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, codes[0])
	world.OK(t, err)
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	w.AnswerBySMS(w.Begin("ada"))
}

// manage gives a fresh proof.
func manage(w *world.World, user string) string {
	w.T.Helper()
	challenge, err := w.BeginStepUp(w.Ctx, user, mfa.ActionManage)
	if err != nil {
		w.T.Fatal(err)
	}
	login, err := w.VerifyStepUp(w.Ctx, challenge.Token, mfa.ActionManage, w.SentCode(challenge.Token))
	if err != nil {
		w.T.Fatal(err)
	}
	return login.Proof
}

func TestReplacingAPhone(t *testing.T) {
	w := world.New(t)
	login := w.GiveSMS("ada", world.Phone)
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(login.Proof))
	world.OK(t, err)
	code := w.Outbox.Code(world.Phone2)
	w.Clock.Advance(time.Minute)
	challenge := w.Begin("ada")
	w.SentCode(challenge.Token)
	if m := w.Outbox.Messages(); m[len(m)-1].To != world.Phone {
		t.Errorf("a login code went to the number that is not confirmed")
	}
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
	world.OK(t, err)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, w.Outbox.Code(world.Phone))
	world.WantErr(t, err, mfa.ErrInvalidToken)
	w.Clock.Advance(time.Minute)
	w.SentCode(w.Begin("ada").Token)
	if m := w.Outbox.Messages(); m[len(m)-1].To != world.Phone2 {
		t.Error("a login code went to the old number")
	}
}

func TestFiveWrongCodesVoidANumber(t *testing.T) {
	w := world.New(t)
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.OK(t, err)
	code := w.Outbox.Code(world.Phone)
	for left := 4; left >= 0; left-- {
		_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, wrongSMS(code))
		world.WantTries(t, err, left)
	}
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
}

// A quotingSender fails with an error that quotes the whole message.
type quotingSender struct{ err error }

type quotingError struct {
	Message mfa.SMS
	Body    string
	cause   error
}

func (e quotingError) Error() string {
	return fmt.Sprintf("to %s (msisdn=%s): cannot send %q: %v", e.Message.To, e.Message.To[1:], e.Body, e.cause)
}
func (e quotingError) Unwrap() error { return e.cause }

func (s quotingSender) SendSMS(_ context.Context, message mfa.SMS) error {
	return quotingError{message, message.Body, s.err}
}

func TestFailedDelivery(t *testing.T) {
	down := errors.New("provider is down")
	w := world.New(t)
	w.Outbox.FailWith(down)
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.WantErr(t, err, mfa.ErrDelivery)
	world.WantErr(t, err, down)
	w.WantTold(mfa.EventEnrollmentStarted, mfa.EventDeliveryFailed)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "123456")
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)

	w.Outbox.FailWith(nil)
	w.GiveSMS("ada", world.Phone) // without a cooldown
	challenge := w.Begin("ada")
	code := w.SentCode(challenge.Token)
	w.Clock.Advance(30 * time.Second)
	w.Told()
	w.Outbox.FailWith(down)
	_, err = w.SendCode(w.Ctx, challenge.Token)
	world.WantErr(t, err, mfa.ErrDelivery)
	w.WantTold(mfa.EventDeliveryFailed)
	w.Outbox.FailWith(nil)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, code) // the resend had killed it
	world.WantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, w.SentCode(challenge.Token))
	world.OK(t, err)
	if n := countMessagesLeft(t, w); n != 0 {
		t.Errorf("%d messages left this hour, but five were tried", n)
	}
}

// countMessagesLeft sends to "ada" until the hourly limit.
func countMessagesLeft(t *testing.T, w *world.World) (n int) {
	for {
		w.Clock.Advance(30 * time.Second)
		if _, err := w.SendCode(w.Ctx, w.Begin("ada").Token); err != nil {
			var throttled *mfa.ThrottledError
			if !errors.As(err, &throttled) {
				t.Fatal(err)
			}
			return n
		}
		n++
	}
}

func TestAProvidersErrorIsShownWithoutTheCode(t *testing.T) {
	cause := errors.New("timeout")
	w := world.New(t, func(c *mfa.Config) { c.SMS = quotingSender{cause}; c.SMSCodes.Domain = "example.com" })
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.WantErr(t, err, mfa.ErrDelivery)
	world.WantErr(t, err, cause)
	var quoting quotingError
	if !errors.As(err, &quoting) {
		t.Fatal("the original error is out of reach")
	}
	event := w.LastEvent()
	for _, shown := range []string{
		err.Error(), fmt.Sprintf("%v %+v %#v %s %q %x %d", err, err, err, err, err, err, err),
		fmt.Sprintf("%v %+v %#v", fmt.Errorf("x: %w", err), errors.Join(err), event), world.Logged("err", err), world.Logged("event", event),
	} {
		if strings.Contains(shown, quoting.Message.Code) || strings.Contains(shown, world.Phone[1:]) {
			t.Errorf("the code or number is in %s", shown)
		}
	}
	if !strings.Contains(err.Error(), "timeout") || !strings.Contains(err.Error(), "+23*****678") {
		t.Errorf("the error tells too little: %v", err)
	}
}

// TestDeliveryFailsBecauseTheCallerIsGone: the code is voided all the same.
func TestDeliveryFailsBecauseTheCallerIsGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := world.New(t, func(c *mfa.Config) {
		c.SMS = senderFunc(func(ctx context.Context, _ mfa.SMS) error { cancel(); return ctx.Err() })
	})
	_, err := w.EnrollSMS(ctx, "ada", world.Phone)
	world.WantErr(t, err, mfa.ErrDelivery)
	world.WantErr(t, err, context.Canceled)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "000000")
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
	w.Another(func(c *mfa.Config) { c.SMS = w.Outbox }).EnrollSMS(w.Ctx, "ada", world.Phone) // no cooldown
	if n := len(w.Outbox.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestAPanicOfTheHostVoidsTheCode, whether of its sender or of its text.
func TestAPanicOfTheHostVoidsTheCode(t *testing.T) {
	var code string
	for name, adjust := range map[string]func(*mfa.Config){
		"sender": func(c *mfa.Config) {
			c.SMS = senderFunc(func(_ context.Context, message mfa.SMS) error { code = message.Code; panic("host's fault") })
		},
		"text": func(c *mfa.Config) {
			c.SMSCodes.Text = func(_ context.Context, message mfa.SMS) string { code = message.Code; panic("host's fault") }
		},
	} {
		w := world.New(t)
		broken := w.Another(adjust)
		func() {
			defer func() {
				if recover() != "host's fault" {
					t.Errorf("%s: the panic did not reach the host", name)
				}
			}()
			broken.EnrollSMS(w.Ctx, "ada", world.Phone)
		}()
		_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
		world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
		_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone) // no cooldown
		world.OK(t, err)
	}
}

type senderFunc func(ctx context.Context, message mfa.SMS) error

func (f senderFunc) SendSMS(ctx context.Context, message mfa.SMS) error { return f(ctx, message) }

func TestTheHostRefusesMessages(t *testing.T) {
	premium := errors.New("premium number")
	var asked []string
	refuse := true
	w := world.New(t, func(c *mfa.Config) {
		c.SMSCodes.Allow = func(_ context.Context, userID, phone string) error {
			asked = append(asked, userID+phone)
			if refuse {
				return premium
			}
			return nil
		}
	})
	_, err := w.EnrollSMS(w.Ctx, "ada", "+234 801 234 5678")
	world.WantErr(t, err, mfa.ErrMethodUnavailable)
	world.WantErr(t, err, premium)
	if len(asked) != 1 || asked[0] != "ada"+world.Phone || len(w.Outbox.Messages()) != 0 {
		t.Errorf("asked %q, sent %d", asked, len(w.Outbox.Messages()))
	}
	refuse = false
	w.GiveSMS("ada", world.Phone) // nothing was counted
	refuse = true
	_, err = w.SendCode(w.Ctx, w.Begin("ada").Token)
	world.WantErr(t, err, premium)
	if n := len(w.Outbox.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestMessagesPerNumber(t *testing.T) {
	numbers := &world.SpyStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Numbers = numbers })
	begin := w.Clock.Now()
	for i := range 5 {
		_, err := w.EnrollSMS(w.Ctx, fmt.Sprint("user", i), "+234 801 234 5678")
		world.OK(t, err)
	}
	w.Told()
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.WantThrottled(t, err, time.Hour)
	w.WantTold(mfa.EventThrottled)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone2) // of which nothing was counted
	world.OK(t, err)

	// Messages to a confirmed number count for its user alone.
	_, err = w.VerifyEnrollment(w.Ctx, "user0", mfa.MethodSMS, codeFor(w, "user0"))
	world.OK(t, err)
	w.Clock.Advance(time.Minute)
	w.AnswerBySMS(w.Begin("user0"))
	for day := range 2 { // 10 a day
		w.Clock.Set(begin.Add(time.Duration(day)*24*time.Hour + time.Hour))
		for i := range 5 {
			_, err := w.EnrollSMS(w.Ctx, fmt.Sprint("day ", day, " user", i), world.Phone)
			world.OK(t, err)
		}
		w.Clock.Set(begin.Add(time.Duration(day)*24*time.Hour + 3*time.Hour))
		_, err = w.EnrollSMS(w.Ctx, "late", world.Phone)
		if day == 0 {
			world.WantThrottled(t, err, 21*time.Hour)
		} else {
			world.OK(t, err)
		}
	}

	// What the store gets is named as documented, and does not tell the number.
	for _, id := range numbers.IDs {
		if !regexp.MustCompile(`^mfa_number_[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("a record is named %q", id)
		}
	}
	if len(numbers.IDs) == 0 {
		t.Error("nothing was counted")
	}
}

// codeFor is the code of the last message to that user.
func codeFor(w *world.World, user string) (code string) {
	for _, message := range w.Outbox.Messages() {
		if message.UserID == user {
			code = message.Code
		}
	}
	return code
}

// TestANumberHasNoCooldown: where one server's clock is behind another's, or goes
// back, only the limits refuse a number.
func TestANumberHasNoCooldown(t *testing.T) {
	w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Numbers = mfa.NewMemoryStore() })
	_, err := w.EnrollSMS(w.Ctx, "user0", world.Phone)
	world.OK(t, err)
	w.Clock.Advance(-time.Second)
	for i := range 4 {
		_, err := w.EnrollSMS(w.Ctx, fmt.Sprint("user", i+1), world.Phone)
		world.OK(t, err)
	}
	_, err = w.EnrollSMS(w.Ctx, "user5", world.Phone)
	world.WantThrottled(t, err, time.Hour+time.Second)
}

func TestNumbersStoreFailureRefuses(t *testing.T) {
	down := errors.New("store is down")
	w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Numbers = failingStore{down} })
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.WantErr(t, err, down)
	if n := len(w.Outbox.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

type failingStore struct{ err error }

func (s failingStore) Load(context.Context, string) (mfa.Record, error) { return mfa.Record{}, s.err }
func (s failingStore) Save(context.Context, mfa.Record) error           { return s.err }
func (s failingStore) Delete(context.Context, string) error             { return s.err }

func TestPhoneNumbers(t *testing.T) {
	for _, test := range []struct{ input, number string }{
		{"+14155552671", "+14155552671"},
		{"+442071838750", "+442071838750"},
		{"+1 (415) 555-2671", "+14155552671"},
		{" +1.415.555.2671\r\n", "+14155552671"},
		{"+1[415]555\u20112671", "+14155552671"},
		{"+1234567", "+1234567"},
		{"+123456789012345", "+123456789012345"},
		{"4155552671", ""}, {"0014155552671", ""}, {"+04155552671", ""}, {"+123456", ""}, {"+1234567890123456", ""},
		{"\u202a+1 415 555 2671\u202c", "+14155552671"},
		{"＋１４１５５５５２６７１", "+14155552671"}, {"+١٤١٥٥٥٥٢٦٧١", "+14155552671"}, {"+1 415\u200b555\ufe0f2671", "+14155552671"},
		{"tel:+14155552671", "+14155552671"}, {" TEL: +1-415-555-2671", "+14155552671"}, {"+1 415/555/2671", "+14155552671"}, {"＋１（４１５）５５５－２６７１", "+14155552671"},
		{"+39 (06) 6982 1234", "+390669821234"}, {"+3906 69821234", "+390669821234"},
		{"+44 (0)7400 123456", ""}, {"+44(0)7400123456", ""}, {"+44 [0] 7400 123456", ""}, {"+44 ( 0 ) 7400 123456", ""}, {"+44 (-0.)/7400 123456", ""},
		{"＋４４（０）７４００１２３４５６", ""}, {"+٤٤ (٠) ٧٤٠٠ ١٢٣٤٥٦", ""}, {"+39 (0) 6 6982 1234", ""},
		{"+14155552671tel:", ""}, {"tel:tel:+14155552671", ""}, {"tel:14155552671", ""}, {"tel:", ""},
		{"+1415555267a", ""}, {"+1415555CALL", ""}, {"+14155552671;ext=2", ""}, {"+14155552671,2", ""}, {"++14155552671", ""}, {"+1415+5552671", ""},
		{"", ""}, {"+", ""}, {"+1415555\x002671", ""},
		{"+14155552671" + strings.Repeat(" ", 244), "+14155552671"}, {"+14155552671" + strings.Repeat(" ", 245), ""}, {strings.Repeat("1", 1<<20), ""}, {"+1415555267\xff", ""},
	} {
		w := world.New(t)
		_, err := w.EnrollSMS(w.Ctx, "ada", test.input)
		importErr := w.ImportSMS(w.Ctx, "bob", test.input)
		if test.number == "" {
			world.WantErr(t, err, mfa.ErrInvalidPhone)
			world.WantErr(t, importErr, mfa.ErrInvalidPhone)
			if len(w.Outbox.Messages()) > 0 {
				t.Errorf("%.40q was sent to", test.input)
			}
			continue
		}
		world.OK(t, err)
		world.OK(t, importErr)
		if got := w.Outbox.Messages()[0].To; got != test.number {
			t.Errorf("%q is %s, want %s", test.input, got, test.number)
		}
	}
}

func TestImportSMS(t *testing.T) {
	w := world.New(t)
	world.OK(t, w.ImportSMS(w.Ctx, "ada", "+234 801 234 5678"))
	w.WantTold(mfa.EventEnrolled)
	if n := len(w.Outbox.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
	w.AnswerBySMS(w.Begin("ada"))
	if got := w.Outbox.Messages()[0].To; got != world.Phone {
		t.Errorf("to %s", got)
	}
}

func TestMasks(t *testing.T) {
	for number, mask := range map[string]string{
		"+2348012345678": "+23*****678", "+1234567890": "+12*****890", "+123456789": "+1*****89", "+1234567": "+1*****67", "+123456789012345": "+12*****345",
	} {
		w := world.New(t)
		delivery, err := w.EnrollSMS(w.Ctx, "ada", number)
		world.OK(t, err)
		if delivery.Phone != mask {
			t.Errorf("%s is masked as %s, want %s", number, delivery.Phone, mask)
		}
	}
}

// TestMessageText: it fits one segment, and its last line is what the WICG
// specification of origin-bound one-time codes reads.
func TestMessageText(t *testing.T) {
	const gsm = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz\n"
	host := "login.a-host-of-forty-characters.example"
	for _, domain := range []string{"", "example.com", host} {
		w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Domain = domain })
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
		world.OK(t, err)
		message := w.Outbox.Messages()[0]
		if n := len(message.Body); n > 160 || strings.Trim(message.Body, gsm) != "" {
			t.Errorf("%d characters, or others than GSM-7: %q", n, message.Body)
		}
		if !strings.Contains(message.Body, "ACME Co") || strings.Contains(message.Body, "://") {
			t.Errorf("%q", message.Body)
		}
		lines := strings.Split(message.Body, "\n")
		if last := lines[len(lines)-1]; domain != "" && last != "@"+domain+" #"+message.Code {
			t.Errorf("last line %q", last)
		}
		if !strings.Contains(lines[0], message.Code) {
			t.Errorf("first line %q", lines[0])
		}
	}

	w := world.New(t, func(c *mfa.Config) {
		c.SMSCodes.Domain = "example.com"
		c.SMSCodes.Text = func(_ context.Context, m mfa.SMS) string { return "Votre code : " + m.Code + " (" + m.Action + ")" }
	})
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.OK(t, err)
	message := w.Outbox.Messages()[0]
	if want := fmt.Sprintf("Votre code : %[1]s (enroll)\n\n@example.com #%[1]s", message.Code); message.Body != want {
		t.Errorf("got %q, want %q", message.Body, want)
	}
}

// TestCodesAreUniform: 2,000 codes, each digit in each place.
func TestCodesAreUniform(t *testing.T) {
	w := world.New(t)
	const n = 2000
	var counts [6][10]int
	for i := range n {
		user := fmt.Sprint("user", i)
		_, err := w.EnrollSMS(w.Ctx, user, world.Phone)
		world.OK(t, err)
	}
	for _, message := range w.Outbox.Messages() {
		for place, digit := range message.Code {
			counts[place][digit-'0']++
		}
	}
	for place := range counts {
		chi := 0.0
		for _, count := range counts[place] {
			d := float64(count) - n/10
			chi += d * d / (n / 10)
		}
		if chi > 45 { // p < 1e-6 with nine degrees of freedom
			t.Errorf("place %d: chi square %.1f, counts %v", place, chi, counts[place])
		}
	}
}

var _ mfa.SMSSender = (*mfatest.Outbox)(nil)
