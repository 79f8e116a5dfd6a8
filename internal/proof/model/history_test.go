package model

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
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
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/mfatest"
)

// A history is a few users of three engines on one store, and everything that was
// done so far.
type history struct {
	t          *rapid.T
	rules      Rules
	store      *world.FaultStore
	now        time.Time
	engines    []*mfa.Engine
	people     []*person
	serial     int
	ring       *seal.Ring
	tokens     map[int]string        // by serial
	ids        map[int]string        // of factors and devices, by serial
	serials    map[string]int        // by those IDs
	challenges map[string]int        // by ID
	apps       map[string]*App       // by URI
	numbers    map[string][]messages // all that are possible, by the name of the tally
	done       []deed
	counts     counts

	// How the host configures its engines:
	noSender   bool // the last engine has no sender
	noVerifier bool // the last engine has no verifier of passkeys
	noTally    bool // messages are not counted by number
	required   bool
	noPolicy   bool
	refuses    bool
	sending    sending
	cancel     context.CancelFunc // of the call under way
	told       strings.Builder    // events since it began
	message    *mfa.SMS
	toldOf     string

	upset upset // of one of the next calls
}

// A sending is the outcome of sending a message.
type sending int

const (
	arrives sending = iota
	fails
	failsLate // and the caller's context has ended by then
)

// A person is a user, as the model and as an attacker see them.
type person struct {
	id      string
	states  []User   // all that are possible
	tokens  []issued // the latest
	apps    []*App
	codes   []string // that were sent
	backups []string // that were ever generated
	keys    []*world.SecurityKey
	options []asked // the latest
}

// An asked holds the options that an authenticator is to answer, for the challenge
// or pending factor with that serial.
type asked struct {
	serial  int
	options json.RawMessage
}

func (p *person) ask(serial int, options json.RawMessage) {
	p.options = append(p.options, asked{serial, options})
	p.options = p.options[max(0, len(p.options)-maxIssued):]
}

type issued struct {
	serial int
	kind   string
}

const (
	maxIssued = 40
	maxDoubt  = 8 // possible states beyond which no more faults are injected
)

// A deed is a line of the history.
type deed struct {
	at     time.Time
	engine int
	user   string
	call   Call
	note   string // describes the token and the code
	got    Outcome
}

func (d deed) String() string {
	c := d.call
	var b strings.Builder
	fmt.Fprintf(&b, "%s engine %d: %s(%s", d.at.Format("2006-01-02 15:04:05.999999999"), d.engine, c.Op, d.user)
	for _, arg := range []string{c.Method, c.Action, c.Phone, c.Label, c.Caller, d.note} {
		if arg != "" {
			b.WriteString(", " + arg)
		}
	}
	if serial := c.Only + c.To; serial != 0 { // no call has both
		fmt.Fprintf(&b, ", #%d alone", serial)
	}
	b.WriteString(")")
	for _, flag := range []struct {
		on   bool
		text string
	}{
		{c.Bad, "bad input"}, {c.Keep, "keep others"}, {c.Expect, "expect enrolled"}, {c.Refused, "Allow refuses"}, {c.NoPolicy, "policy fails"}, {c.Required, "required"},
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
		t:          t,
		rules:      Rules{Strict: s.strict, InsecureSkipProof: s.skipProof, Codes: 1},
		store:      world.NewFaultStore(),
		now:        time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC),
		tokens:     make(map[int]string),
		ids:        make(map[int]string),
		serials:    make(map[string]int),
		challenges: make(map[string]int),
		apps:       make(map[string]*App),
		numbers:    make(map[string][]messages),
		noSender:   s.noSender,
		noVerifier: s.noVerifier,
		noTally:    s.noTally,
		cancel:     func() {},
		counts:     make(counts),
	}
	var err error
	if h.ring, err = seal.New([][]byte{world.Key(1), world.Key(2)}); err != nil {
		t.Fatalf("%v", err)
	}
	for i, keys := range [][][]byte{{world.Key(1), world.Key(2)}, {world.Key(2), world.Key(1)}, {world.Key(1), world.Key(2)}} {
		config := mfa.Config{
			Issuer:            "ACME",
			Store:             h.store,
			Keys:              keys,
			SMS:               h,
			Passkeys:          world.Verifier{},
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
		if i == 2 && s.noVerifier {
			config.Passkeys = nil
		}
		if config.SMSCodes.InsecureNoNumberLimits = s.noTally; !s.noTally {
			config.SMSCodes.Numbers = h.store // no user ID looks like a tally's name, and faults hit both
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

// tell records an event. The contract leaves open the method of a refusal.
func (h *history) tell(_ context.Context, e mfa.Event) {
	told := event{
		kind: string(e.Type), method: string(e.Method), action: e.Action, factor: h.serialOf(e.FactorID),
		phone: e.Phone, replaced: e.ReplacedPhone, failures: e.Failures,
	}
	switch e.Type {
	case mfa.EventChallenged:
		h.challenges[e.ChallengeID] = h.serial
	case mfa.EventThrottled:
		told.method, told.phone, told.failures = "", "", 0
	case mfa.EventRefused:
		told.method = ""
	}
	told.challenge = h.challenges[e.ChallengeID]
	h.told.WriteString(told.String())
	if e.UserID != h.toldOf || !e.Time.Equal(h.now) {
		fmt.Fprintf(&h.told, "of %s at %s ", e.UserID, timeText(e.Time))
	}
}

// do makes one call and compares its effects with the model's.
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
	c.Sender, c.Verifier = !(engine == 2 && h.noSender), !(engine == 2 && h.noVerifier)

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
	h.learn(p)
	h.done = append(h.done, deed{h.now, engine, p.id, c, note, got})
	h.judge(p, c, got, tally)
	if c.Op != look && c.Fault == "" && !h.noPolicy {
		h.do(engine, p, Call{Op: look}, "", "")
	}
	return got
}

// tally returns the name of the count of messages to the number that a call is
// about, which the engines with the same first key share, or "" if there is none.
func (h *history) tally(engine int, c Call) string {
	if !c.Counted {
		return ""
	}
	return fmt.Sprintf("%s under key %d", c.Phone, engine%2)
}

// tallied returns the possible counts of a tally.
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
			h.counts["challenges evicted"]++
		}
	}
	h.countThrottled(p, c, got, tally)
	p.states = next
	if tally != "" {
		h.numbers[tally] = numbers
	}
}

// countThrottled counts refusals that are due to the number's limits alone, and
// those among them that are due to the limit per day, not per hour.
func (h *history) countThrottled(p *person, c Call, got Outcome, tally string) {
	if tally == "" || !strings.HasPrefix(got.Result, "too_many_messages") || c.At.Before(p.states[0].nextSend()) {
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

// disagree fails the test and prints the whole history.
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

// call makes a call and describes its effects as text.
func (h *history) call(ctx context.Context, e *mfa.Engine, p *person, c *Call, text string) (got Outcome) {
	opts := []mfa.ChangeOption{mfa.WithProof(text), mfa.WithLabel(c.Label)}
	if c.Keep {
		opts = append(opts, mfa.KeepOthers())
	}
	if c.Only != 0 {
		opts = append(opts, mfa.OnlyFactor(h.factorID(c.Only)))
	}
	account, label := "ada@example.com", c.Label
	if c.Bad {
		account, label = "a\nb", "a\nb"
	}
	method, ok := mfa.Method(c.Method), "ok"
	var err error
	switch c.Op {
	case "EnrollTOTP":
		var enrollment *mfa.TOTPEnrollment
		if enrollment, err = e.EnrollTOTP(ctx, p.id, account, opts...); err == nil {
			ok = "ok until " + timeText(enrollment.ExpiresAt)
			c.NewApp = h.scan(enrollment.URI)
			p.apps = append(p.apps, c.NewApp)
		}
	case "EnrollSMS":
		var delivery *mfa.SMSDelivery
		if delivery, err = e.EnrollSMS(ctx, p.id, number(c), opts...); err == nil {
			ok = deliveryText(c.Phone, delivery.ExpiresAt, delivery.ResendAfter)
			if delivery.Phone != mask(c.Phone) {
				ok += " shown as " + delivery.Phone
			}
		}
	case "EnrollPasskey":
		var enrollment *mfa.PasskeyEnrollment
		if enrollment, err = e.EnrollPasskey(ctx, p.id, account, opts...); err == nil {
			ok = "ok until " + timeText(enrollment.ExpiresAt)
			p.ask(c.Serial, enrollment.Options)
		}
	case "VerifyEnrollment":
		var l *mfa.Login
		if l, err = e.VerifyEnrollment(ctx, p.id, method, c.Code); err == nil {
			ok = h.login(p, c, l)
		}
	case "GenerateBackupCodes":
		var codes []string
		if codes, err = e.GenerateBackupCodes(ctx, p.id, opts...); err == nil {
			c.NewCodes = make([]string, len(codes))
			for i, code := range codes {
				_, c.NewCodes[i] = read(Call{Code: code})
			}
			p.backups = append(p.backups, codes...)
		}
	case "Unenroll":
		err = e.Unenroll(ctx, p.id, method, opts...)
	case "Revoke":
		err = e.Revoke(ctx, p.id, method, opts...)
	case "Rename":
		err = e.Rename(ctx, p.id, h.factorID(c.Only), label)
	case "Status", look:
		var status *mfa.Status
		var devices []mfa.TrustedDevice
		if status, err = e.Status(ctx, p.id); err == nil {
			ok = h.status(status)
		}
		if err == nil && c.Op == look {
			devices, err = e.Devices(ctx, p.id)
			ok += h.devices(devices)
		}
	case "BeginLogin":
		opts := []mfa.LoginOption{mfa.WithTrustedDevice(text)}
		if c.Expect {
			opts = append(opts, mfa.ExpectEnrolled())
		}
		err = e.BeginLogin(ctx, p.id, opts...)
	case "SendCode":
		var opts []mfa.SendOption
		if c.To != 0 {
			opts = append(opts, mfa.ToFactor(h.factorID(c.To)))
		}
		var delivery *mfa.SMSDelivery
		if delivery, err = e.SendCode(ctx, text, opts...); err == nil && h.message != nil {
			ok = deliveryText(h.message.To, delivery.ExpiresAt, delivery.ResendAfter)
		}
	case "PasskeyOptions":
		var options json.RawMessage
		if options, err = e.PasskeyOptions(ctx, text); err == nil {
			p.ask(c.Token, options)
		}
	case "VerifyLogin":
		var l *mfa.Login
		if l, err = e.VerifyLogin(ctx, text, c.Code); err == nil {
			ok = h.login(p, c, l)
		}
	case "EnrollmentUser":
		var user string
		if user, err = e.EnrollmentUser(ctx, text); err == nil && user != p.id {
			ok = "user " + user
		}
	case "BeginStepUp":
		action := c.Action
		if c.Bad {
			action = "a\x00"
		}
		var challenge *mfa.Challenge
		if challenge, err = e.BeginStepUp(ctx, p.id, action); err == nil {
			ok = h.challenged(p, c, "ok", challenge)
		}
	case "VerifyStepUp":
		var l *mfa.Login
		if l, err = e.VerifyStepUp(ctx, cmp.Or(c.Caller, p.id), text, c.Action, c.Code); err == nil {
			ok = h.login(p, c, l)
		}
	case "TrustDevice":
		var device *mfa.TrustedDevice
		if device, err = e.TrustDevice(ctx, p.id, text, label); err == nil {
			ok = "ok until " + timeText(device.ExpiresAt)
			h.issued(p, c, deviceToken, device.Token)
		}
	case "Devices":
		var devices []mfa.TrustedDevice
		devices, err = e.Devices(ctx, p.id)
		ok += h.devices(devices)
	case "ForgetDevice":
		err = e.ForgetDevice(ctx, p.id, h.deviceID(c.Only))
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
		return Outcome{Result: h.failure(p, c, err)}
	}
	return Outcome{Result: ok}
}

func number(c *Call) string {
	if c.Bad {
		return "0" + c.Phone[1:]
	}
	return c.Phone
}

// failure describes an error as text.
func (h *history) failure(p *person, c *Call, err error) string {
	var (
		challenge  *mfa.ChallengeError
		enrollment *mfa.EnrollmentError
	)
	switch {
	case errors.As(err, &challenge):
		return h.challenged(p, c, mfa.ErrorCode(err), &challenge.Challenge)
	case errors.As(err, &enrollment):
		h.issued(p, c, enrollmentToken, enrollment.Token)
		return challengeText(mfa.ErrorCode(err), "", texts(enrollment.Methods), nil, enrollment.ExpiresAt)
	}
	return inWords(err)
}

func inWords(err error) string {
	var throttled *mfa.ThrottledError
	var wrong *mfa.CodeError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &throttled):
		return throttledText(throttled.RetryAfter, throttled.Sending)
	case errors.Is(err, mfa.ErrClonedPasskey) && errors.As(err, &wrong):
		return wrongText(wrong.TriesLeft, cloned)
	case errors.As(err, &wrong) && wrong.Spent:
		return wrongText(wrong.TriesLeft, spent)
	case errors.As(err, &wrong):
		return wrongText(wrong.TriesLeft, "")
	}
	return mfa.ErrorCode(err)
}

func (h *history) challenged(p *person, c *Call, result string, challenge *mfa.Challenge) string {
	h.issued(p, c, challengeToken, challenge.Token)
	return challengeText(result, challenge.Action, texts(challenge.Methods), h.factors(challenge.Factors), challenge.ExpiresAt)
}

// login describes a login as text, and keeps its proof.
func (h *history) login(p *person, c *Call, l *mfa.Login) string {
	if l.Proof != "" {
		h.issued(p, c, proofToken, l.Proof)
	}
	text := loginText(string(l.Method), l.Action, h.serialOf(l.FactorID), l.AMR, l.Time, l.BackupCodesLeft, l.Proof != "")
	if l.UserID != p.id {
		text += " of " + l.UserID
	}
	return text
}

// issued keeps a token under the serial of the call that issued it.
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

// status describes a status as text.
func (h *history) status(s *mfa.Status) string {
	return statusText(h.factors(s.Factors), s.BackupCodesLeft, s.Required)
}

func (h *history) factors(factors []mfa.Factor) (list []shown) {
	for _, f := range factors {
		list = append(list, shown{
			serial: h.serialOf(f.ID), method: string(f.Method), label: f.Label, phone: f.Phone,
			since: f.EnrolledAt, used: f.LastUsedAt, disabled: f.Disabled, retryAt: f.RetryAt,
		})
	}
	return list
}

func (h *history) devices(devices []mfa.TrustedDevice) string {
	var list []shown
	for _, d := range devices {
		list = append(list, shown{serial: h.serialOf(d.ID), label: d.Label, since: d.TrustedAt, used: d.LastUsedAt, until: d.ExpiresAt})
	}
	return devicesText(list)
}

// serialOf returns the Serial of the call that created a factor or device. A new
// ID belongs to the call under way.
func (h *history) serialOf(id string) int {
	if id == "" {
		return 0
	}
	serial, known := h.serials[id]
	if !known {
		serial = h.serial
		h.serials[id] = serial
		if h.ids[serial] != "" {
			h.t.Fatalf("call %d made %s and %s", serial, h.ids[serial], id)
		}
		h.ids[serial] = id
	}
	return serial
}

// learn finds IDs in a user's record that no answer has shown.
func (h *history) learn(p *person) {
	var u record.User
	if stored, ok := h.store.Records[p.id]; ok {
		binding := append(binary.BigEndian.AppendUint64(nil, uint64(stored.Version)), p.id...)
		plain, err := h.ring.Open(seal.Record, stored.Data, binding)
		if err == nil {
			err = u.Decode(plain)
		}
		if err != nil {
			h.t.Fatalf("the record of %s: %v", p.id, err)
		}
	}
	for _, f := range u.Factors() {
		if f.Method != mfa.MethodBackupCode {
			h.serialOf(fmt.Sprintf("fac_%x", f.ID))
		}
	}
	for _, pending := range u.Pending {
		h.serialOf(fmt.Sprintf("fac_%x", pending.ID))
	}
	for _, d := range u.Devices {
		h.serialOf(fmt.Sprintf("dev_%x", d.ID))
	}
}

// factorID returns the ID of the factor that a call created, or an unused ID if it
// created none.
func (h *history) factorID(serial int) string { return cmp.Or(h.ids[serial], "fac_0000000000000000") }

func (h *history) deviceID(serial int) string { return cmp.Or(h.ids[serial], "dev_0000000000000000") }

// scan returns the app that holds the key of a URI, the same app for the same URI.
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
