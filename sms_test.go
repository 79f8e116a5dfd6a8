package mfa_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

func TestEnrollSMS(t *testing.T) {
	w := newWorld(t)
	delivery, err := w.EnrollSMS(w.ctx, "ada", "+234 (801) 234-56.78")
	ok(t, err)
	now := w.clock.Now()
	if delivery.Phone != "+23*****678" || !delivery.ExpiresAt.Equal(now.Add(5*time.Minute)) || !delivery.ResendAfter.Equal(now.Add(30*time.Second)) {
		t.Errorf("%+v", delivery)
	}
	want := `{"phone":"+23*****678","expires_at":"2030-01-01T00:05:10Z","resend_after":"2030-01-01T00:00:40Z"}`
	if got := marshal(t, delivery); got != want {
		t.Errorf("JSON %s, want %s", got, want)
	}
	w.wantTold(mfa.EventEnrollmentStarted, mfa.EventCodeSent)
	message := w.outbox.Messages()[0]
	if message.To != phone || message.UserID != "ada" || message.Action != mfa.ActionEnroll || !message.ExpiresAt.Equal(delivery.ExpiresAt) ||
		!regexp.MustCompile(`^[0-9]{6}$`).MatchString(message.Code) || !strings.Contains(message.Body, message.Code) {
		t.Errorf("to %q, code %q, %+v", message.To, message.Code, message)
	}

	ok(t, w.BeginLogin(w.ctx, "ada")) // an unconfirmed number is nothing
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, wrongSMS(message.Code))
	wantTries(t, err, 4)
	login, err := w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, message.Code)
	ok(t, err)
	if login.Method != mfa.MethodSMS || login.Action != mfa.ActionEnroll || login.Proof == "" {
		t.Errorf("%+v", *login)
	}
	w.wantTold(mfa.EventRefused, mfa.EventEnrolled)
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, message.Code)
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
}

// wrongSMS is another code than this one.
func wrongSMS(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

func TestLoginBySMS(t *testing.T) {
	w := newWorld(t)
	w.enrollSMS("ada", phone)
	w.told()
	challenge := w.begin("ada")
	if n := len(w.outbox.Messages()); n != 1 {
		t.Errorf("a message went out before it was asked for")
	}
	_, err := w.VerifyLogin(w.ctx, challenge.Token, "123456") // none was sent
	wantTries(t, err, 4)
	delivery, err := w.SendCode(w.ctx, challenge.Token)
	ok(t, err)
	if now := w.clock.Now(); delivery.Phone != "+23*****678" || !delivery.ExpiresAt.Equal(now.Add(5*time.Minute)) || !delivery.ResendAfter.Equal(now.Add(30*time.Second)) {
		t.Errorf("%+v", delivery)
	}
	w.wantTold(mfa.EventChallenged, mfa.EventRefused, mfa.EventCodeSent)
	message := w.outbox.Messages()[1]
	if message.Action != mfa.ActionLogin || message.To != phone {
		t.Errorf("%+v", message)
	}
	login, err := w.VerifyLogin(w.ctx, challenge.Token, message.Code[:3]+" "+message.Code[3:])
	ok(t, err)
	if login.Method != mfa.MethodSMS || login.AMR[0] != "sms" {
		t.Errorf("%+v", *login)
	}
	_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, message.Code)
	wantErr(t, err, mfa.ErrInvalidCode)
}

func TestASentCodeIsForItsChallengeAlone(t *testing.T) {
	w := newWorld(t)
	w.enrollSMS("ada", phone)
	enrollmentCode := w.outbox.Code(phone)
	first, second := w.begin("ada"), w.begin("ada")
	code := w.sendCode(first.Token)
	for _, c := range []string{code, enrollmentCode} {
		_, err := w.VerifyLogin(w.ctx, second.Token, c)
		wantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err := w.EnrollSMS(w.ctx, "bob", phone)
	ok(t, err)
	if code == w.outbox.Code(phone) {
		t.Skip("the same code was drawn twice, one in a million")
	}
	_, err = w.VerifyEnrollment(w.ctx, "bob", mfa.MethodSMS, code)
	wantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyLogin(w.ctx, first.Token, code)
	ok(t, err)
}

func TestAResentCodeKillsTheEarlier(t *testing.T) {
	w := newWorld(t)
	w.enrollSMS("ada", phone)
	challenge := w.begin("ada")
	first := w.sendCode(challenge.Token)
	w.clock.Advance(30 * time.Second)
	second := w.sendCode(challenge.Token)
	if first != second {
		_, err := w.VerifyLogin(w.ctx, challenge.Token, first)
		wantTries(t, err, 4)
	}
	_, err := w.VerifyLogin(w.ctx, challenge.Token, second)
	ok(t, err)
}

func TestASentCodeExpires(t *testing.T) {
	w := newWorld(t, func(c *mfa.Config) { c.SMSCodes.TTL = time.Minute })
	w.enrollSMS("ada", phone)
	challenge := w.begin("ada")
	code := w.sendCode(challenge.Token)
	w.clock.Advance(time.Minute)
	_, err := w.VerifyLogin(w.ctx, challenge.Token, code)
	wantErr(t, err, mfa.ErrInvalidCode)
	code = w.sendCode(challenge.Token)
	w.clock.Advance(time.Minute - 1)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, code)
	ok(t, err)

	w.clock.Advance(time.Minute)
	challenge = w.begin("ada")
	w.clock.Advance(270 * time.Second)
	delivery, err := w.SendCode(w.ctx, challenge.Token)
	ok(t, err)
	if !delivery.ExpiresAt.Equal(challenge.ExpiresAt) {
		t.Errorf("the code outlives its challenge: %v", delivery.ExpiresAt)
	}

	_, err = w.EnrollSMS(w.ctx, "bob", phone2)
	ok(t, err)
	w.clock.Advance(time.Minute)
	_, err = w.VerifyEnrollment(w.ctx, "bob", mfa.MethodSMS, w.outbox.Code(phone2))
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestThreeMessagesPerChallenge(t *testing.T) {
	w := newWorld(t)
	w.enrollSMS("ada", phone)
	w.clock.Advance(time.Hour)
	challenge := w.begin("ada")
	var last string
	for range 3 {
		last = w.sendCode(challenge.Token)
		w.clock.Advance(30 * time.Second)
	}
	_, err := w.SendCode(w.ctx, challenge.Token)
	wantThrottled(t, err, 5*time.Minute-90*time.Second) // when a new challenge must begin
	_, err = w.VerifyLogin(w.ctx, challenge.Token, last)
	ok(t, err)
}

func TestMessagesPerUser(t *testing.T) {
	w := newWorld(t)
	begin := w.clock.Now()
	send := func() error {
		_, err := w.EnrollSMS(w.ctx, "ada", phone)
		return err
	}
	ok(t, send())
	wantThrottled(t, send(), 30*time.Second)
	w.clock.Advance(30*time.Second - 1)
	wantThrottled(t, send(), 1)
	w.clock.Advance(1)
	for range 4 {
		ok(t, send())
		w.clock.Advance(30 * time.Second)
	}
	wantThrottled(t, send(), begin.Add(time.Hour).Sub(w.clock.Now())) // 5 an hour
	w.clock.Set(begin.Add(time.Hour))
	ok(t, send())
	w.clock.Set(begin.Add(2 * time.Hour))
	for range 4 {
		ok(t, send())
		w.clock.Advance(30 * time.Second)
	}
	wantThrottled(t, send(), begin.Add(24*time.Hour).Sub(w.clock.Now())) // 10 a day
	if n := len(w.outbox.Messages()); n != 10 {
		t.Errorf("%d messages", n)
	}

	// Neither a reset nor another kind of message is a way around it.
	ok(t, w.Reset(w.ctx, "ada"))
	wantThrottled(t, send(), begin.Add(24*time.Hour).Sub(w.clock.Now()))
	ok(t, w.ImportSMS(w.ctx, "ada", phone2))
	_, err := w.SendCode(w.ctx, w.begin("ada").Token)
	wantThrottled(t, err, begin.Add(24*time.Hour).Sub(w.clock.Now()))
	w.clock.Set(begin.Add(24 * time.Hour))
	w.sendCode(w.begin("ada").Token)
}

func TestAThrottledMessageLeavesTheLastOne(t *testing.T) {
	w := newWorld(t)
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	ok(t, err)
	w.told()
	_, err = w.EnrollSMS(w.ctx, "ada", phone2)
	wantThrottled(t, err, 30*time.Second)
	w.wantTold(mfa.EventThrottled)
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, w.outbox.Code(phone))
	ok(t, err)
	if got := w.factor("ada", mfa.MethodSMS).Phone; got != "+23*****678" {
		t.Errorf("phone %s", got)
	}
	w.clock.Advance(time.Minute)
	challenge := w.begin("ada")
	code := w.sendCode(challenge.Token)
	_, err = w.SendCode(w.ctx, challenge.Token)
	wantThrottled(t, err, 30*time.Second)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, code)
	ok(t, err)
}

func TestNoMessageWithoutUse(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	_, err := w.SendCode(w.ctx, w.begin("ada").Token)
	wantErr(t, err, mfa.ErrMethodUnavailable)
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	_, err = w.another(func(c *mfa.Config) { c.SMS = nil }).SendCode(w.ctx, w.begin("ada").Token)
	wantErr(t, err, mfa.ErrMethodUnavailable)

	challenge := w.begin("ada")
	w.sendCode(challenge.Token)
	for range 5 {
		w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
	}
	_, err = w.SendCode(w.ctx, challenge.Token) // it has ended
	wantErr(t, err, mfa.ErrInvalidToken)
	w.clock.Advance(500 * time.Millisecond)
	sent := len(w.outbox.Messages())
	_, err = w.SendCode(w.ctx, w.begin("ada").Token) // and the factor is delayed
	wantThrottled(t, err, 500*time.Millisecond)
	if n := len(w.outbox.Messages()); n != sent {
		t.Errorf("%d messages went out", n-sent)
	}
}

func TestADisabledPhoneGetsNoMessage(t *testing.T) {
	w := newWorld(t)
	w.enrollSMS("ada", phone)
	codes := w.backupCodes("ada", manage(w, "ada"))
	w.clock.Advance(24 * time.Hour)
	for range 100 {
		w.clock.Advance(150 * time.Minute)
		challenge := w.begin("ada")
		_, err := w.VerifyLogin(w.ctx, challenge.Token, wrongSMS(w.sendCode(challenge.Token)))
		wantErr(t, err, mfa.ErrInvalidCode)
	}
	w.clock.Advance(24 * time.Hour)
	challenge := w.begin("ada")
	sent := len(w.outbox.Messages())
	_, err := w.SendCode(w.ctx, challenge.Token)
	wantErr(t, err, mfa.ErrFactorDisabled)
	if n := len(w.outbox.Messages()); n != sent {
		t.Errorf("%d messages went out", n-sent)
	}
	_, err = w.VerifyLogin(w.ctx, challenge.Token, codes[0])
	ok(t, err)
	ok(t, w.Unlock(w.ctx, "ada"))
	w.answerBySMS(w.begin("ada"))
}

// answerBySMS answers by SMS.
func (w *world) answerBySMS(challenge *mfa.ChallengeError) {
	w.t.Helper()
	_, err := w.VerifyLogin(w.ctx, challenge.Token, w.sendCode(challenge.Token))
	ok(w.t, err)
}

// manage gives a fresh proof.
func manage(w *world, user string) string {
	w.t.Helper()
	challenge, err := w.BeginStepUp(w.ctx, user, mfa.ActionManage)
	if err != nil {
		w.t.Fatal(err)
	}
	login, err := w.VerifyStepUp(w.ctx, challenge.Token, mfa.ActionManage, w.sendCode(challenge.Token))
	if err != nil {
		w.t.Fatal(err)
	}
	return login.Proof
}

func TestReplacingAPhone(t *testing.T) {
	w := newWorld(t)
	login := w.enrollSMS("ada", phone)
	_, err := w.EnrollSMS(w.ctx, "ada", phone2, mfa.WithProof(login.Proof))
	ok(t, err)
	code := w.outbox.Code(phone2)
	w.clock.Advance(time.Minute)
	challenge := w.begin("ada")
	w.sendCode(challenge.Token)
	if m := w.outbox.Messages(); m[len(m)-1].To != phone {
		t.Errorf("a login code went to the number that is not confirmed")
	}
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, code)
	ok(t, err)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, w.outbox.Code(phone))
	wantErr(t, err, mfa.ErrInvalidToken)
	w.clock.Advance(time.Minute)
	w.sendCode(w.begin("ada").Token)
	if m := w.outbox.Messages(); m[len(m)-1].To != phone2 {
		t.Error("a login code went to the old number")
	}
}

func TestFiveWrongCodesVoidANumber(t *testing.T) {
	w := newWorld(t)
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	ok(t, err)
	code := w.outbox.Code(phone)
	for left := 4; left >= 0; left-- {
		_, err := w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, wrongSMS(code))
		wantTries(t, err, left)
	}
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, code)
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
}

// A quotingSender fails with an error that quotes the whole message.
type quotingSender struct{ err error }

type quotingError struct {
	Message mfa.SMS
	Body    string
	cause   error
}

func (e quotingError) Error() string {
	return fmt.Sprintf("to %s: cannot send %q: %v", e.Message.To, e.Body, e.cause)
}
func (e quotingError) Unwrap() error { return e.cause }

func (s quotingSender) SendSMS(_ context.Context, message mfa.SMS) error {
	return quotingError{message, message.Body, s.err}
}

func TestFailedDelivery(t *testing.T) {
	down := errors.New("provider is down")
	w := newWorld(t)
	w.outbox.FailWith(down)
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	wantErr(t, err, mfa.ErrDelivery)
	wantErr(t, err, down)
	w.wantTold(mfa.EventEnrollmentStarted, mfa.EventDeliveryFailed)
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, "123456")
	wantErr(t, err, mfa.ErrNoPendingEnrollment)

	w.outbox.FailWith(nil)
	w.enrollSMS("ada", phone) // without a cooldown
	challenge := w.begin("ada")
	code := w.sendCode(challenge.Token)
	w.clock.Advance(30 * time.Second)
	w.told()
	w.outbox.FailWith(down)
	_, err = w.SendCode(w.ctx, challenge.Token)
	wantErr(t, err, mfa.ErrDelivery)
	w.wantTold(mfa.EventDeliveryFailed)
	w.outbox.FailWith(nil)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, code) // the resend had killed it
	wantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, w.sendCode(challenge.Token))
	ok(t, err)
	if n := w.countMessagesLeft(t); n != 0 {
		t.Errorf("%d messages left this hour, but five were tried", n)
	}
}

// countMessagesLeft sends to "ada" until the hourly limit.
func (w *world) countMessagesLeft(t *testing.T) (n int) {
	for {
		w.clock.Advance(30 * time.Second)
		if _, err := w.SendCode(w.ctx, w.begin("ada").Token); err != nil {
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
	w := newWorld(t, func(c *mfa.Config) { c.SMS = quotingSender{cause}; c.SMSCodes.Domain = "example.com" })
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	wantErr(t, err, mfa.ErrDelivery)
	wantErr(t, err, cause)
	var quoting quotingError
	if !errors.As(err, &quoting) {
		t.Fatal("the original error is out of reach")
	}
	w.mu.Lock()
	event := w.events[len(w.events)-1]
	w.mu.Unlock()
	for _, shown := range []string{
		err.Error(), fmt.Sprintf("%v %+v %#v %s %q %x %d", err, err, err, err, err, err, err),
		fmt.Sprintf("%v %+v %#v", fmt.Errorf("x: %w", err), errors.Join(err), event), logged("err", err), logged("event", event),
	} {
		if strings.Contains(shown, quoting.Message.Code) || strings.Contains(shown, phone) {
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
	w := newWorld(t, func(c *mfa.Config) {
		c.SMS = senderFunc(func(ctx context.Context, _ mfa.SMS) error { cancel(); return ctx.Err() })
	})
	_, err := w.EnrollSMS(ctx, "ada", phone)
	wantErr(t, err, mfa.ErrDelivery)
	wantErr(t, err, context.Canceled)
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, "000000")
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
	w.another(func(c *mfa.Config) { c.SMS = w.outbox }).EnrollSMS(w.ctx, "ada", phone) // no cooldown
	if n := len(w.outbox.Messages()); n != 1 {
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
		w := newWorld(t)
		broken := w.another(adjust)
		func() {
			defer func() {
				if recover() != "host's fault" {
					t.Errorf("%s: the panic did not reach the host", name)
				}
			}()
			broken.EnrollSMS(w.ctx, "ada", phone)
		}()
		_, err := w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, code)
		wantErr(t, err, mfa.ErrNoPendingEnrollment)
		_, err = w.EnrollSMS(w.ctx, "ada", phone) // no cooldown
		ok(t, err)
	}
}

type senderFunc func(ctx context.Context, message mfa.SMS) error

func (f senderFunc) SendSMS(ctx context.Context, message mfa.SMS) error { return f(ctx, message) }

func TestTheHostRefusesMessages(t *testing.T) {
	premium := errors.New("premium number")
	var asked []string
	refuse := true
	w := newWorld(t, func(c *mfa.Config) {
		c.SMSCodes.Allow = func(_ context.Context, userID, phone string) error {
			asked = append(asked, userID+phone)
			if refuse {
				return premium
			}
			return nil
		}
	})
	_, err := w.EnrollSMS(w.ctx, "ada", "+234 801 234 5678")
	wantErr(t, err, mfa.ErrMethodUnavailable)
	wantErr(t, err, premium)
	if len(asked) != 1 || asked[0] != "ada"+phone || len(w.outbox.Messages()) != 0 {
		t.Errorf("asked %q, sent %d", asked, len(w.outbox.Messages()))
	}
	refuse = false
	w.enrollSMS("ada", phone) // nothing was counted
	refuse = true
	_, err = w.SendCode(w.ctx, w.begin("ada").Token)
	wantErr(t, err, premium)
	if n := len(w.outbox.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestMessagesPerNumber(t *testing.T) {
	numbers := &spyStore{Store: mfa.NewMemoryStore()}
	w := newWorld(t, func(c *mfa.Config) { c.SMSCodes.Numbers = numbers })
	begin := w.clock.Now()
	for i := range 5 {
		_, err := w.EnrollSMS(w.ctx, fmt.Sprint("user", i), "+234 801 234 5678")
		ok(t, err)
	}
	w.told()
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	wantThrottled(t, err, time.Hour)
	w.wantTold(mfa.EventThrottled)
	_, err = w.EnrollSMS(w.ctx, "ada", phone2) // of which nothing was counted
	ok(t, err)

	// Messages to a confirmed number count for its user alone.
	_, err = w.VerifyEnrollment(w.ctx, "user0", mfa.MethodSMS, codeFor(w, "user0"))
	ok(t, err)
	w.clock.Advance(time.Minute)
	w.answerBySMS(w.begin("user0"))
	for day := range 2 { // 10 a day
		w.clock.Set(begin.Add(time.Duration(day)*24*time.Hour + time.Hour))
		for i := range 5 {
			_, err := w.EnrollSMS(w.ctx, fmt.Sprint("day ", day, " user", i), phone)
			ok(t, err)
		}
		w.clock.Set(begin.Add(time.Duration(day)*24*time.Hour + 3*time.Hour))
		_, err = w.EnrollSMS(w.ctx, "late", phone)
		if day == 0 {
			wantThrottled(t, err, 21*time.Hour)
		} else {
			ok(t, err)
		}
	}

	// What the store gets is named as documented, and does not tell the number.
	for _, id := range numbers.ids {
		if !regexp.MustCompile(`^mfa_number_[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("a record is named %q", id)
		}
	}
	if len(numbers.ids) == 0 {
		t.Error("nothing was counted")
	}
}

// codeFor is the code of the last message to that user.
func codeFor(w *world, user string) (code string) {
	for _, message := range w.outbox.Messages() {
		if message.UserID == user {
			code = message.Code
		}
	}
	return code
}

func TestNumbersStoreFailureRefuses(t *testing.T) {
	down := errors.New("store is down")
	w := newWorld(t, func(c *mfa.Config) { c.SMSCodes.Numbers = failingStore{down} })
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	wantErr(t, err, down)
	if n := len(w.outbox.Messages()); n != 0 {
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
		{"+1415555267a", ""}, {"+1415555CALL", ""}, {"+14155552671;ext=2", ""}, {"+14155552671,2", ""}, {"++14155552671", ""}, {"+1415+5552671", ""},
		{"+１４１５５５５２６７１", ""}, {"+١٤١٥٥٥٥٢٦٧١", ""}, {"", ""}, {"+", ""}, {"tel:+14155552671", ""}, {"+1415555\x002671", ""},
		{"+14155552671" + strings.Repeat(" ", 60), ""}, {strings.Repeat("1", 1<<20), ""}, {"+1415555267\xff", ""},
	} {
		w := newWorld(t)
		_, err := w.EnrollSMS(w.ctx, "ada", test.input)
		importErr := w.ImportSMS(w.ctx, "bob", test.input)
		if test.number == "" {
			wantErr(t, err, mfa.ErrInvalidPhone)
			wantErr(t, importErr, mfa.ErrInvalidPhone)
			if len(w.outbox.Messages()) > 0 {
				t.Errorf("%.40q was sent to", test.input)
			}
			continue
		}
		ok(t, err)
		ok(t, importErr)
		if got := w.outbox.Messages()[0].To; got != test.number {
			t.Errorf("%q is %s, want %s", test.input, got, test.number)
		}
	}
}

func TestImportSMS(t *testing.T) {
	w := newWorld(t)
	ok(t, w.ImportSMS(w.ctx, "ada", "+234 801 234 5678"))
	w.wantTold(mfa.EventEnrolled)
	if n := len(w.outbox.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
	w.answerBySMS(w.begin("ada"))
	if got := w.outbox.Messages()[0].To; got != phone {
		t.Errorf("to %s", got)
	}
}

func TestMasks(t *testing.T) {
	for number, mask := range map[string]string{
		"+2348012345678": "+23*****678", "+1234567": "+12*****567", "+123456789012345": "+12*****345",
	} {
		w := newWorld(t)
		delivery, err := w.EnrollSMS(w.ctx, "ada", number)
		ok(t, err)
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
		w := newWorld(t, func(c *mfa.Config) { c.SMSCodes.Domain = domain })
		_, err := w.EnrollSMS(w.ctx, "ada", phone)
		ok(t, err)
		message := w.outbox.Messages()[0]
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

	w := newWorld(t, func(c *mfa.Config) {
		c.SMSCodes.Domain = "example.com"
		c.SMSCodes.Text = func(_ context.Context, m mfa.SMS) string { return "Votre code : " + m.Code + " (" + m.Action + ")" }
	})
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	ok(t, err)
	message := w.outbox.Messages()[0]
	if want := fmt.Sprintf("Votre code : %[1]s (enroll)\n\n@example.com #%[1]s", message.Code); message.Body != want {
		t.Errorf("got %q, want %q", message.Body, want)
	}
}

// TestCodesAreUniform: 2,000 codes, each digit in each place.
func TestCodesAreUniform(t *testing.T) {
	w := newWorld(t)
	const n = 2000
	var counts [6][10]int
	for i := range n {
		user := fmt.Sprint("user", i)
		_, err := w.EnrollSMS(w.ctx, user, phone)
		ok(t, err)
	}
	for _, message := range w.outbox.Messages() {
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

func TestSMSJSONHoldsNoSecret(t *testing.T) {
	w := newWorld(t)
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	ok(t, err)
	message := w.outbox.Messages()[0]
	data, err := json.Marshal(message)
	ok(t, err)
	if want := `{"user_id":"ada","action":"enroll","expires_at":"2030-01-01T00:05:10Z"}`; string(data) != want {
		t.Errorf("%s, want %s", data, want)
	}
}

var _ mfa.SMSSender = (*mfatest.Outbox)(nil)
