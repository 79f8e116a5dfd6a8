package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestANumberIsEnrolledByTheCodeSentToIt(t *testing.T) {
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
	sent := w.LastEvent()
	w.WantEvents(mfa.EventEnrollmentStarted, mfa.EventCodeSent)
	message := w.Outbox.Messages()[0]
	if message.To != world.Phone || message.UserID != "ada" || message.Action != mfa.ActionEnroll || !message.ExpiresAt.Equal(delivery.ExpiresAt) ||
		!regexp.MustCompile(`^[0-9]{6}$`).MatchString(message.Code) || !strings.Contains(message.Body, message.Code) {
		t.Errorf("to %q, code %q, %+v", message.To, message.Code, message)
	}

	world.OK(t, w.BeginLogin(w.Ctx, "ada")) // an unconfirmed number does not count
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, world.WrongSMS(message.Code))
	world.WantTries(t, err, 4)
	login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, message.Code)
	world.OK(t, err)
	if login.Method != mfa.MethodSMS || login.Action != mfa.ActionEnroll || login.Proof == "" || login.FactorID != sent.FactorID {
		t.Errorf("%+v, confirmed what %+v was about", *login, sent)
	}
	w.WantEvents(mfa.EventPassed, mfa.EventRefused, mfa.EventEnrolled)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, message.Code)
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestALoginBySMSSendsOnRequest(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	w.NewEvents()
	challenge := w.Begin("ada")
	if n := len(w.Outbox.Messages()); n != 1 {
		t.Errorf("a message went out before it was asked for")
	}
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, "123456") // none was sent
	world.WantTries(t, err, 5)
	delivery, err := w.SendCode(w.Ctx, challenge.Token)
	world.OK(t, err)
	if now := w.Clock.Now(); delivery.Phone != "+23*****678" || !delivery.ExpiresAt.Equal(now.Add(5*time.Minute)) || !delivery.ResendAfter.Equal(now.Add(30*time.Second)) {
		t.Errorf("%+v", delivery)
	}
	if event := w.LastEvent(); event.FactorID != challenge.Factors[0].ID || event.Phone != delivery.Phone {
		t.Errorf("sent to %+v: %+v", challenge.Factors[0], event)
	}
	w.WantEvents(mfa.EventChallenged, mfa.EventCodeSent)
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

func TestASentCodeExpiresWithItsChallenge(t *testing.T) {
	w := world.New(t, func(c *mfa.Config) { c.SMSCodes.TTL = time.Minute })
	w.GiveSMS("ada", world.Phone)
	challenge := w.Begin("ada")
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

func TestAChallengeSendsThreeMessages(t *testing.T) {
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
	world.WantThrottled(t, err, 5*time.Minute-90*time.Second) // until the challenge expires
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, last)
	world.OK(t, err)
}

func TestAUserGetsFiveMessagesAnHourAndTenADay(t *testing.T) {
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

	// Neither a reset nor another kind of message evades the limit.
	world.OK(t, w.Reset(w.Ctx, "ada"))
	world.WantThrottled(t, send(), begin.Add(24*time.Hour).Sub(w.Clock.Now()))
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone2))
	_, err := w.SendCode(w.Ctx, w.Begin("ada").Token)
	world.WantThrottled(t, err, begin.Add(24*time.Hour).Sub(w.Clock.Now()))
	w.Clock.Set(begin.Add(24 * time.Hour))
	w.SentCode(w.Begin("ada").Token)
}

// TestTheWaitForAMessageIsTheTrueOne: whether it is due to the last message or to
// wrong codes, a message can be sent once it is over.
func TestTheWaitForAMessageIsTheTrueOne(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	for _, want := range []time.Duration{
		30 * time.Second, // between two messages; the five wrong codes alone would make it one second
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

func TestAFailedDeliveryVoidsItsCode(t *testing.T) {
	down := errors.New("provider is down")
	w := world.New(t)
	w.Outbox.FailWith(down)
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.WantErr(t, err, mfa.ErrDelivery)
	world.WantErr(t, err, down)
	w.WantEvents(mfa.EventEnrollmentStarted, mfa.EventDeliveryFailed)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "123456")
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)

	w.Outbox.FailWith(nil)
	w.GiveSMS("ada", world.Phone) // no cooldown applies
	challenge := w.Begin("ada")
	code := w.SentCode(challenge.Token)
	w.Clock.Advance(30 * time.Second)
	w.NewEvents()
	w.Outbox.FailWith(down)
	_, err = w.SendCode(w.Ctx, challenge.Token)
	world.WantErr(t, err, mfa.ErrDelivery)
	if event := w.LastEvent(); event.FactorID != challenge.Factors[0].ID || event.Phone != challenge.Factors[0].Phone {
		t.Errorf("failed to send to %+v: %+v", challenge.Factors[0], event)
	}
	w.WantEvents(mfa.EventDeliveryFailed)
	w.Outbox.FailWith(nil)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, code) // invalidated by the resend
	world.WantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, w.SentCode(challenge.Token))
	world.OK(t, err)
}

// TestAFailedDeliveryLiftsItsOwnCooldown, but not that of a message sent since.
func TestAFailedDeliveryLiftsItsOwnCooldown(t *testing.T) {
	slow := make(chan struct{})
	begun := make(chan struct{})
	w := world.New(t)
	w.Engine = w.Another(func(c *mfa.Config) {
		c.SMS = world.SenderFunc(func(ctx context.Context, message mfa.SMS) error {
			if message.To != world.Phone2 {
				return w.Outbox.SendSMS(ctx, message)
			}
			close(begun)
			<-slow
			return errors.New("timeout")
		})
		c.InsecureSkipProof = true
	})
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
	failed := make(chan error)
	go func() {
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2)
		failed <- err
	}()
	<-begun
	w.Clock.Advance(31 * time.Second)
	challenge := w.Begin("ada")
	w.SentCode(challenge.Token)
	close(slow)
	world.WantErr(t, <-failed, mfa.ErrDelivery)
	_, err := w.SendCode(w.Ctx, challenge.Token)
	world.WantThrottled(t, err, 30*time.Second)
}

func TestANumberGetsFiveMessagesAnHourAndTenADay(t *testing.T) {
	numbers := &world.SpyStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Numbers = numbers })
	begin := w.Clock.Now()
	for i := range 5 {
		_, err := w.EnrollSMS(w.Ctx, fmt.Sprint("user", i), "+234 801 234 5678")
		world.OK(t, err)
	}
	w.NewEvents()
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.WantThrottled(t, err, time.Hour)
	w.WantEvents(mfa.EventThrottled)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone2) // nothing was counted for this number
	world.OK(t, err)

	// Messages to a confirmed number count for its user only.
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

	// Records of numbers are named as documented, and do not reveal the number.
	for _, id := range numbers.IDs {
		if !regexp.MustCompile(`^mfa_number_[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("a record is named %q", id)
		}
	}
	if len(numbers.IDs) == 0 {
		t.Error("nothing was counted")
	}
}

// codeFor returns the code of the last message to that user.
func codeFor(w *world.World, user string) (code string) {
	for _, message := range w.Outbox.Messages() {
		if message.UserID == user {
			code = message.Code
		}
	}
	return code
}

// TestABurstOfEnrollmentsCountsOnceForTheNumber: only messages that are sent count.
func TestABurstOfEnrollmentsCountsOnceForTheNumber(t *testing.T) {
	const burst = 5
	var together sync.WaitGroup
	together.Add(burst)
	w := world.New(t, func(c *mfa.Config) {
		c.SMSCodes.Numbers = mfa.NewMemoryStore()
		c.SMSCodes.Allow = func(_ context.Context, userID, _ string) error {
			if userID == "mallory" {
				together.Done()
				together.Wait()
			}
			return nil
		}
	})
	var done sync.WaitGroup
	for range burst {
		done.Go(func() { w.EnrollSMS(w.Ctx, "mallory", world.Phone) })
	}
	done.Wait()
	if n := len(w.Outbox.Messages()); n != 1 {
		t.Fatalf("%d messages", n)
	}
	for i := range 4 {
		_, err := w.EnrollSMS(w.Ctx, fmt.Sprint("user", i), world.Phone)
		world.OK(t, err)
	}
	_, err := w.EnrollSMS(w.Ctx, "user4", world.Phone)
	world.WantThrottled(t, err, time.Hour)
}

// TestANumberHasNoCooldown: even if one server's clock is behind another's, or goes
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

func TestANumberThatCannotBeCountedGetsNoMessage(t *testing.T) {
	down := errors.New("store is down")
	w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Numbers = world.FailingStore{Err: down} })
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.WantErr(t, err, down)
	if n := len(w.Outbox.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestPhoneNumbersAreReadAsPeopleWriteThem(t *testing.T) {
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
				t.Errorf("a message was sent to %.40q", test.input)
			}
			continue
		}
		world.OK(t, err)
		world.OK(t, importErr)
		if got := w.Outbox.Messages()[0].To; got != test.number {
			t.Errorf("%q is read as %s, want %s", test.input, got, test.number)
		}
	}
}

func TestAnImportedNumberNeedsNoMessage(t *testing.T) {
	w := world.New(t)
	world.OK(t, w.ImportSMS(w.Ctx, "ada", "+234 801 234 5678"))
	w.WantEvents(mfa.EventEnrolled)
	if n := len(w.Outbox.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
	w.AnswerBySMS(w.Begin("ada"))
	if got := w.Outbox.Messages()[0].To; got != world.Phone {
		t.Errorf("to %s", got)
	}
}

func TestMasksHideTheMiddle(t *testing.T) {
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

// TestAMessageFitsOneSegment, and its last line is in the form that the WICG
// specification of origin-bound one-time codes defines.
func TestAMessageFitsOneSegment(t *testing.T) {
	const gsm = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz\n"
	host := "login.a-host-of-forty-characters.example"
	for _, domain := range []string{"", "example.com", host} {
		w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Domain = domain })
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
		world.OK(t, err)
		message := w.Outbox.Messages()[0]
		if n := len(message.Body); n > 160 || strings.Trim(message.Body, gsm) != "" {
			t.Errorf("%d characters, or some not in GSM-7: %q", n, message.Body)
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

// TestAMessageSaysWhatItsCodeIsFor: a login and a transfer must not look alike.
func TestAMessageSaysWhatItsCodeIsFor(t *testing.T) {
	w := world.New(t)
	login := w.GiveSMS("ada", world.Phone)
	token := map[string]string{mfa.ActionLogin: w.Begin("ada").Token}
	for _, action := range []string{mfa.ActionManage, "transfer"} {
		challenge, err := w.BeginStepUp(w.Ctx, "ada", action)
		world.OK(t, err)
		token[action] = challenge.Token
	}
	seen := make(map[string]string)
	for action, purpose := range map[string]string{
		mfa.ActionEnroll: "to confirm this phone number", mfa.ActionLogin: "to sign in",
		mfa.ActionManage: "to change your security settings", "transfer": "to confirm an action",
	} {
		if action == mfa.ActionEnroll {
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(login.Proof))
			world.OK(t, err)
		} else {
			_, err := w.SendCode(w.Ctx, token[action])
			world.OK(t, err)
		}
		messages := w.Outbox.Messages()
		body := messages[len(messages)-1].Body
		if !strings.Contains(body, purpose) || seen[body] != "" {
			t.Errorf("%s: %q", action, body)
		}
		seen[body] = action
		w.Clock.Advance(30 * time.Second)
	}
}
