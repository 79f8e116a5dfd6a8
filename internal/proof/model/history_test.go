package model

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfatest"
)

// A history is a few users of three engines on one store, and all that was done
// so far.
type history struct {
	t       *rapid.T
	rules   Rules
	store   *world.FaultStore
	now     time.Time
	engines []*mfa.Engine
	people  []*person
	serial  int
	tokens  map[int]string        // by serial
	apps    map[string]*App       // by URI
	numbers map[string][]messages // all that are possible, by tally
	done    []deed
	counts  counts

	// What the host says:
	noSender bool // to the last of the engines
	noTally  bool // nobody counts messages by number
	required bool
	noPolicy bool
	refuses  bool
	sending  sending
	cancel   context.CancelFunc // of the call under way
	told     strings.Builder    // since it began
	message  *mfa.SMS
	toldOf   string

	upset upset // of one of the calls that follow
}

// look is the Status after each call, which is not counted as one of them.
const look = "then Status"

// sending is what becomes of messages.
type sending int

const (
	arrives sending = iota
	fails
	failsLate // and the caller has gone by then
)

// A person is a user, as the model and as an attacker sees them.
type person struct {
	id      string
	states  []User   // all that are possible
	tokens  []issued // the last ones
	apps    []*App
	codes   []string // that were sent
	backups []string // that were ever made
}

type issued struct {
	serial int
	kind   string
}

const (
	maxIssued = 40
	maxDoubt  = 8 // states: then nothing more goes wrong
)

// A deed is a line of the history.
type deed struct {
	at     time.Time
	engine int
	user   string
	call   Call
	note   string // what the token and the code are
	got    Outcome
}

func (d deed) String() string {
	c := d.call
	var b strings.Builder
	fmt.Fprintf(&b, "%s engine %d: %s(%s", d.at.Format("2006-01-02 15:04:05.999999999"), d.engine, c.Op, d.user)
	for _, arg := range []string{c.Method, c.Action, c.Phone, d.note} {
		if arg != "" {
			b.WriteString(", " + arg)
		}
	}
	b.WriteString(")")
	for _, flag := range []struct {
		on   bool
		text string
	}{
		{c.Bad, "bad input"}, {c.Refused, "Allow refuses"}, {c.NoPolicy, "policy fails"}, {c.Required, "required"},
		{c.Cancelled, "cancelled"}, {c.Fault != "", "store " + string(c.Fault)}, {c.SendFails, "sender fails"},
	} {
		if flag.on {
			b.WriteString("; " + flag.text)
		}
	}
	return b.String() + "\n\t" + d.got.String()
}

func (o Outcome) String() string {
	text := o.Result
	if o.Told != "" {
		text += " | told " + o.Told
	}
	if o.Sent != "" {
		text += " | message to " + o.Sent
	}
	return text
}

var names = []string{"ada", "bob", "eve"}

func newHistory(t *rapid.T, s setting) *history {
	h := &history{
		t:        t,
		rules:    Rules{Strict: s.strict, InsecureSkipProof: s.skipProof, Codes: 1},
		store:    world.NewFaultStore(),
		now:      time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC),
		tokens:   make(map[int]string),
		apps:     make(map[string]*App),
		numbers:  make(map[string][]messages),
		noSender: s.noSender,
		noTally:  s.noTally,
		cancel:   func() {},
		counts:   make(counts),
	}
	for i, keys := range [][][]byte{{world.Key(1), world.Key(2)}, {world.Key(2), world.Key(1)}, {world.Key(1), world.Key(2)}} {
		config := mfa.Config{
			Issuer:            "ACME",
			Store:             h.store,
			Keys:              keys,
			SMS:               h,
			Required:          func(context.Context, string) (bool, error) { return h.policy() },
			OnEvent:           h.tell,
			Now:               func() time.Time { return h.now },
			TOTP:              mfa.TOTPConfig{Strict: s.strict, Digits: s.digits, Period: s.period, Algorithm: s.algorithm},
			SMSCodes:          mfa.SMSConfig{Allow: h.allow},
			BackupCodes:       mfa.BackupCodeConfig{Count: h.rules.Codes},
			InsecureSkipProof: s.skipProof,
		}
		if i == 2 && s.noSender {
			config.SMS = nil
		}
		if !s.noTally {
			config.SMSCodes.Numbers = h.store // no user's name is a number's, and faults meet both
		}
		engine, err := mfa.New(config)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		h.engines = append(h.engines, engine)
	}
	for _, name := range names {
		h.people = append(h.people, &person{id: name, states: []User{{}}})
	}
	return h
}

var errHost = errors.New("the host's own trouble")

func (h *history) policy() (bool, error) {
	if h.noPolicy {
		return false, errHost
	}
	return h.required, nil
}

func (h *history) allow(context.Context, string, string) error {
	if h.refuses {
		return errHost
	}
	return nil
}

// SendSMS implements mfa.SMSSender.
func (h *history) SendSMS(_ context.Context, message mfa.SMS) error {
	if h.message != nil {
		return errors.New("a second message")
	}
	h.message = &message
	switch h.sending {
	case fails:
		return errHost
	case failsLate:
		h.cancel()
		return context.Canceled
	}
	return nil
}

// tell notes an event. The method of a refusal is left open.
func (h *history) tell(_ context.Context, e mfa.Event) {
	h.told.WriteString(string(e.Type))
	switch e.Type {
	case mfa.EventRefused, mfa.EventThrottled:
		h.told.WriteString(":" + e.Action)
	default:
		if e.Method != "" {
			h.told.WriteString(":" + string(e.Method) + ":" + e.Action)
		} else if e.Action != "" {
			h.told.WriteString(":" + e.Action)
		}
	}
	if e.UserID != h.toldOf || !e.Time.Equal(h.now) {
		fmt.Fprintf(&h.told, " of %s at %s", e.UserID, timeText(e.Time))
	}
	h.told.WriteString(" ")
}

// do makes one call, and compares.
func (h *history) do(engine int, p *person, c Call, text, note string) Outcome {
	h.serial++
	f := h.upset.now()
	c.Counted = c.Op == "EnrollSMS" && !h.noTally
	tally := h.tally(engine, c)
	if len(p.states)*len(h.tallied(tally)) >= maxDoubt {
		f = upset{}
	}
	c.Cancelled = f.cancelled
	c.Serial, c.At = h.serial, h.now
	c.Required, c.NoPolicy, c.Refused = h.required, h.noPolicy, h.refuses
	c.SendFails = h.sending != arrives
	c.Sender = !(engine == 2 && h.noSender)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h.cancel = cancel
	if c.Cancelled {
		cancel()
	}
	h.told.Reset()
	h.message, h.toldOf = nil, p.id
	if f.store != "" {
		h.store.Arm(h.store.Records, f.at, f.store)
	}
	got := h.call(ctx, h.engines[engine], p, &c, text)
	if f.store != "" && h.store.Met {
		c.Fault = f.store
	}
	h.store.At = 0
	got.Told = h.told.String()
	if h.message != nil {
		c.NewCode = h.message.Code
		got.Sent = messageText(h.message.To, h.message.Action, h.message.ExpiresAt)
		if h.message.UserID != p.id {
			got.Sent += " of " + h.message.UserID
		}
		p.codes = append(p.codes, h.message.Code)
	}
	h.done = append(h.done, deed{h.now, engine, p.id, c, note, got})
	h.judge(p, c, got, tally)
	if c.Op != look && c.Fault == "" && !h.noPolicy {
		h.do(engine, p, Call{Op: look}, "", "")
	}
	return got
}

// tally names the count of messages to the number that a call is about: one that
// the engines with that first key share. "" where there is none.
func (h *history) tally(engine int, c Call) string {
	if !c.Counted {
		return ""
	}
	return fmt.Sprintf("%s under key %d", c.Phone, engine%2)
}

// tallied returns what a tally may say.
func (h *history) tallied(tally string) []messages {
	if known := h.numbers[tally]; known != nil {
		return known
	}
	return []messages{nil}
}

// judge keeps the states that agree with what the engine did.
func (h *history) judge(p *person, c Call, got Outcome, tally string) {
	var next []User
	var numbers []messages
	var wanted []Outcome
	for _, u := range p.states {
		for _, u.number = range h.tallied(tally) {
			begin, results := h.rules.Play(u, c)
			for _, r := range results {
				if r.Outcome != got {
					wanted = append(wanted, r.Outcome)
					continue
				}
				after := begin
				if n := len(r.Then); n > 0 {
					after = r.Then[n-1]
				}
				if !has(numbers, after.number) {
					numbers = append(numbers, after.number)
				}
				after.number = nil
				if !has(next, after) {
					next = append(next, after)
				}
			}
		}
	}
	if len(next) == 0 {
		h.disagree(wanted)
	}
	h.counts.add(c, got, len(p.states), len(next))
	for i, t := range next[0].tokens {
		if t.gone && i < len(p.states[0].tokens) && !p.states[0].tokens[i].gone {
			h.counts["challenges of too many died"]++
		}
	}
	h.countThrottled(p, c, got, tally)
	p.states = next
	if tally != "" {
		h.numbers[tally] = numbers
	}
}

// countThrottled counts refusals for the number's sake alone, and those of them
// for the day's limit, not the hour's.
func (h *history) countThrottled(p *person, c Call, got Outcome, tally string) {
	if tally == "" || !strings.HasPrefix(got.Result, "too_many_attempts") || c.At.Before(p.states[0].nextSend()) {
		return
	}
	h.counts["throttled by number"]++
	if known := h.tallied(tally)[0]; len(known) == 10 && c.At.After(known[5].Add(time.Hour)) {
		h.counts["throttled by number for a day"]++
	}
}

func has[T any](states []T, state T) bool {
	for _, other := range states {
		if reflect.DeepEqual(other, state) {
			return true
		}
	}
	return false
}

// disagree ends the test with the whole history.
func (h *history) disagree(wanted []Outcome) {
	var b strings.Builder
	for i, d := range h.done {
		if d.call.Op != look || i == len(h.done)-1 {
			b.WriteString(d.String() + "\n")
		}
	}
	b.WriteString("the model says:\n")
	for _, o := range wanted {
		b.WriteString("\t" + o.String() + "\n")
	}
	h.t.Fatalf("engine and model disagree about the last of these calls:\n%s", b.String())
}

// call makes a call and puts what it showed into words.
func (h *history) call(ctx context.Context, e *mfa.Engine, p *person, c *Call, text string) (got Outcome) {
	proof := mfa.WithProof(text)
	var err error
	switch c.Op {
	case "EnrollTOTP":
		account := "ada@example.com"
		if c.Bad {
			account = "a:b"
		}
		var enrollment *mfa.TOTPEnrollment
		if enrollment, err = e.EnrollTOTP(ctx, p.id, account, proof); err == nil {
			got.Result = "ok until " + timeText(enrollment.ExpiresAt)
			c.NewApp = h.scan(enrollment.URI)
			p.apps = append(p.apps, c.NewApp)
		}
	case "EnrollSMS":
		var delivery *mfa.SMSDelivery
		if delivery, err = e.EnrollSMS(ctx, p.id, number(c), proof); err == nil {
			got.Result = deliveryText(c.Phone, delivery.ExpiresAt, delivery.ResendAfter)
			if delivery.Phone != mask(c.Phone) {
				got.Result += " shown as " + delivery.Phone
			}
		}
	case "VerifyEnrollment":
		var l *mfa.Login
		l, err = e.VerifyEnrollment(ctx, p.id, mfa.Method(c.Method), c.Code)
		got.Result = h.login(p, c, l)
	case "GenerateBackupCodes":
		var codes []string
		if codes, err = e.GenerateBackupCodes(ctx, p.id, proof); err == nil {
			got.Result = "ok"
			c.NewCodes = make([]string, len(codes))
			for i, code := range codes {
				_, c.NewCodes[i] = sort(code)
			}
			p.backups = append(p.backups, codes...)
		}
	case "Unenroll":
		err = e.Unenroll(ctx, p.id, mfa.Method(c.Method), proof)
	case "Status", look:
		var status *mfa.Status
		if status, err = e.Status(ctx, p.id); err == nil {
			got.Result = shown(status)
		}
	case "BeginLogin":
		err = e.BeginLogin(ctx, p.id, mfa.WithTrustedDevice(text))
	case "SendCode":
		var delivery *mfa.SMSDelivery
		if delivery, err = e.SendCode(ctx, text); err == nil && h.message != nil {
			got.Result = deliveryText(h.message.To, delivery.ExpiresAt, delivery.ResendAfter)
		}
	case "VerifyLogin":
		var l *mfa.Login
		l, err = e.VerifyLogin(ctx, text, c.Code)
		got.Result = h.login(p, c, l)
	case "EnrollmentUser":
		var user string
		if user, err = e.EnrollmentUser(ctx, text); err == nil && user != p.id {
			got.Result = "user " + user
		}
	case "BeginStepUp":
		action := c.Action
		if c.Bad {
			action = "a\x00"
		}
		var challenge *mfa.Challenge
		if challenge, err = e.BeginStepUp(ctx, p.id, action); err == nil {
			got.Result = h.challenged(p, c, "ok", challenge)
		}
	case "VerifyStepUp":
		var l *mfa.Login
		l, err = e.VerifyStepUp(ctx, text, c.Action, c.Code)
		got.Result = h.login(p, c, l)
	case "TrustDevice":
		var device *mfa.TrustedDevice
		if device, err = e.TrustDevice(ctx, p.id, text); err == nil {
			got.Result = "ok until " + timeText(device.ExpiresAt)
			h.issued(p, c, deviceToken, device.Token)
		}
	case "ForgetDevices":
		err = e.ForgetDevices(ctx, p.id)
	case "ImportTOTP":
		uri := "otpauth://hotp/x"
		if !c.Bad {
			uri = c.App.URI
		}
		err = e.ImportTOTP(ctx, p.id, uri)
	case "ImportSMS":
		err = e.ImportSMS(ctx, p.id, number(c))
	case "Reset":
		err = e.Reset(ctx, p.id)
	case "Unlock":
		err = e.Unlock(ctx, p.id)
	case "PasswordChanged":
		err = e.PasswordChanged(ctx, p.id)
	case "Reseal":
		err = e.Reseal(ctx, p.id)
	case "DeleteUser":
		err = e.DeleteUser(ctx, p.id)
	default:
		panic("no such operation: " + c.Op)
	}
	if err != nil {
		got.Result = h.failure(p, c, err)
	} else if got.Result == "" {
		got.Result = "ok"
	}
	return got
}

func number(c *Call) string {
	if c.Bad {
		return "0" + c.Phone[1:]
	}
	return c.Phone
}

// failure puts an error into words.
func (h *history) failure(p *person, c *Call, err error) string {
	var (
		challenge  *mfa.ChallengeError
		enrollment *mfa.EnrollmentError
		throttled  *mfa.ThrottledError
		wrong      *mfa.CodeError
	)
	code := mfa.ErrorCode(err)
	switch {
	case errors.As(err, &challenge):
		return h.challenged(p, c, code, &challenge.Challenge)
	case errors.As(err, &enrollment):
		h.issued(p, c, enrollmentToken, enrollment.Token)
		return challengeText(code, "", texts(enrollment.Methods), "", enrollment.ExpiresAt)
	case errors.As(err, &throttled):
		return throttledText(throttled.RetryAfter)
	case errors.As(err, &wrong):
		return wrongText(wrong.TriesLeft)
	}
	return code
}

func (h *history) challenged(p *person, c *Call, result string, challenge *mfa.Challenge) string {
	h.issued(p, c, challengeToken, challenge.Token)
	text := challengeText(result, challenge.Action, texts(challenge.Methods), "", challenge.ExpiresAt)
	return strings.Replace(text, "  until", " "+challenge.Phone+" until", 1)
}

// login puts a login into words, and keeps its proof.
func (h *history) login(p *person, c *Call, l *mfa.Login) string {
	if l == nil {
		return ""
	}
	if l.Proof != "" {
		h.issued(p, c, proofToken, l.Proof)
	}
	text := loginText(string(l.Method), l.Action, l.Time, l.BackupCodesLeft, l.Proof != "")
	amr := map[mfa.Method]string{mfa.MethodTOTP: "[otp mfa]", mfa.MethodSMS: "[sms mfa]", mfa.MethodBackupCode: "[mfa]"}
	if l.UserID != p.id || fmt.Sprint(l.AMR) != amr[l.Method] {
		text += fmt.Sprint(" of ", l.UserID, l.AMR)
	}
	return text
}

// issued keeps a token under the serial of the call that made it.
func (h *history) issued(p *person, c *Call, kind, text string) {
	if !strings.HasPrefix(text, kind) {
		panic("not a token of kind " + kind)
	}
	h.tokens[c.Serial] = text
	p.tokens = append(p.tokens, issued{c.Serial, kind})
	p.tokens = p.tokens[max(0, len(p.tokens)-maxIssued):]
}

func texts(methods []mfa.Method) (list []string) {
	for _, m := range methods {
		list = append(list, string(m))
	}
	return list
}

// shown puts a status into words.
func shown(s *mfa.Status) string {
	text := "ok: "
	for _, f := range s.Factors {
		text += factorText(string(f.Method), f.Phone, f.EnrolledAt, f.LastUsedAt, f.Disabled, f.RetryAt)
	}
	return text + strconv.Itoa(s.BackupCodesLeft) + " backup codes left, required: " + strconv.FormatBool(s.Required)
}

// scan returns the app that holds the key of a URI, the same for the same.
func (h *history) scan(uri string) *App {
	if app := h.apps[uri]; app != nil {
		return app
	}
	authenticator, err := mfatest.NewAuthenticator(uri)
	if err != nil {
		h.t.Fatalf("the engine's URI: %v", err)
	}
	app := &App{Authenticator: authenticator, URI: uri, Period: 30, codes: make(map[int64]string)}
	parsed, err := url.Parse(uri)
	if err != nil {
		h.t.Fatalf("the engine's URI: %v", err)
	}
	if period := parsed.Query().Get("period"); period != "" {
		app.Period, _ = strconv.ParseInt(period, 10, 64)
	}
	h.apps[uri] = app
	return app
}
