package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// A setting is how the engines of a history are configured.
type setting struct {
	strict, skipProof, noSender, noVerifier, noTally bool

	digits    int
	period    time.Duration
	algorithm mfa.Algorithm
}

func drawSetting(t *rapid.T) setting {
	s := setting{digits: 6, period: 30 * time.Second, algorithm: mfa.SHA1}
	switch rapid.IntRange(0, 10).Draw(t, "setting") {
	case 5:
		s.noTally = true
	case 6:
		s.strict = true
	case 7:
		s.skipProof = true
	case 8:
		s.noSender = true
	case 9:
		s.digits, s.period, s.algorithm = 8, time.Minute, mfa.SHA256
	case 10:
		s.noVerifier = true
	}
	return s
}

// An upset is a fault in one of the calls of a step.
type upset struct {
	after     int // number of calls before the one it hits
	store     world.Fault
	at        int // the call of the store that fails
	cancelled bool
}

// now returns the upset of this call.
func (u *upset) now() upset {
	u.after--
	if u.after != -1 {
		return upset{}
	}
	return *u
}

// A step is an operation, or a few that make sense together, with everything that
// was drawn for it. Zeros are the plain case, so that shrinking leads there.
type step struct {
	op            string
	user, other   int
	engine        int
	pick          int // how far back in the list of candidates
	token         tokenChoice
	stranger      bool // steps up with the user's challenge
	code          codeChoice
	method        int
	action, phone int
	bad           bool
	choice        choice
	times         int
	move          move
	by            int
	upset         upset
}

// A choice selects among a user's factors.
type choice int

const (
	all choice = iota
	keepOthers
	oneOfMethod
	anyOne
	contradiction
)

type tokenChoice int

const (
	right tokenChoice = iota
	older
	ofAnotherKind
	ofAnotherUser
	forged
	none
)

type codeChoice int

const (
	appNow codeChoice = iota
	appNext
	appBefore
	appTwoBefore
	appTwoAhead
	appSpent
	appPending
	thisMessage
	lastMessage
	olderMessage
	othersApp
	othersMessage
	wrongDigits
	shortDigits
	misspelled
	neither
	tooLong
	appSpaced
	backupUnspent
	backupAny
	backupSpaced
	othersBackup
	wrongBackup
	key
	otherKey
	copiedKey
	keyForAnother
	keyNonsense
	keyMalformed
)

var codeNames = []string{
	"the app's code", "the app's next code", "the app's last code", "the app's code of two steps before", "the app's code of two steps ahead",
	"a spent code of the app", "the code of the app that is pending", "the code sent for this", "the code sent last", "a code sent before",
	"another user's app's code", "the code sent to another user last", "wrong digits", "too few digits", "letters that are no code", "neither digits nor letters",
	"a very long code", "the app's code with spaces", "a backup code", "a backup code, perhaps spent", "a backup code as people write it", "another user's backup code", "a wrong backup code",
	"a passkey", "a passkey that the user does not have", "a copy of a passkey", "a passkey asked for another", "an object that no passkey is", "what is no JSON",
}

type move int

const (
	stay move = iota
	second
	period
	boundary
	hour
	day
	month
	backSecond
	backPeriod
	backMinutes
	backHour
	backMonth
)

var jumps = map[move]time.Duration{
	second: time.Second, period: 30 * time.Second, hour: time.Hour, day: 24 * time.Hour, month: 31 * 24 * time.Hour,
	backSecond: -time.Second, backPeriod: -31 * time.Second, backMinutes: -4 * time.Minute, backHour: -time.Hour, backMonth: -32 * 24 * time.Hour,
}

// A profile sets what a history is mostly about.
type profile struct {
	name   string
	ops    []string // each repeated as often as its weight
	codes  []codeChoice
	moves  []move
	upsets int // one step in this many has an upset; 0 for none
	most   int // how often hammer, flood and crowd repeat
}

func weighted(weights map[string]int, order ...string) (list []string) {
	for _, op := range order {
		for range weights[op] {
			list = append(list, op)
		}
	}
	return list
}

var operations = []string{
	"BeginLogin", "VerifyLogin", "SendCode", "Status", "VerifyEnrollment", "EnrollSMS", "BeginStepUp", "VerifyStepUp",
	"TrustDevice", "Devices", "ForgetDevice", "ForgetDevices", "EnrollmentUser", "PasskeyOptions", "EnrollPasskey", "Revoke", "Rename", "Unenroll", "ImportTOTP", "ImportSMS", "Reset", "Unlock", "PasswordChanged", "Reseal", "DeleteUser",
	"EnrollTOTP", "GenerateBackupCodes",
}

var scenes = []string{"log in", "enroll app", "enroll phone", "enroll passkey", "begin several", "step up", "trust", "must enroll", "change", "add", "backup codes", "hammer", "flood", "crowd", "devices", "policy", "sender", "allow"}

var everything = append(append([]string{}, scenes...), operations...)

var common = map[string]int{
	"BeginLogin": 10, "VerifyLogin": 16, "SendCode": 8, "Status": 3, "VerifyEnrollment": 8, "EnrollSMS": 4, "BeginStepUp": 6, "VerifyStepUp": 10,
	"TrustDevice": 5, "Devices": 1, "ForgetDevice": 4, "ForgetDevices": 3, "EnrollmentUser": 6, "PasskeyOptions": 4, "EnrollPasskey": 3, "Revoke": 3, "Rename": 4, "Unenroll": 6, "ImportTOTP": 3, "ImportSMS": 3, "Reset": 2, "Unlock": 3,
	"PasswordChanged": 2, "Reseal": 3, "DeleteUser": 2, "EnrollTOTP": 2,
	"log in": 30, "enroll app": 3, "enroll phone": 6, "enroll passkey": 4, "begin several": 3, "add": 6, "step up": 10, "trust": 6, "must enroll": 5, "change": 10, "hammer": 5, "flood": 1, "crowd": 1, "devices": 1, "policy": 6, "sender": 4, "allow": 3,
}

// with returns the common weights with some of them changed.
func with(changes map[string]int) []string {
	weights := make(map[string]int)
	for op, n := range common {
		weights[op] = n
	}
	for op, n := range changes {
		weights[op] = n
	}
	return weighted(weights, everything...)
}

// repeat returns the choices, each repeated weight times.
func repeat[T any](n int, choices ...T) (list []T) {
	for range n {
		list = append(list, choices...)
	}
	return list
}

var cheapCodes = append(repeat(8, appNow, thisMessage), appNext, appBefore, appTwoBefore, appTwoAhead, appSpent, appSpent, appPending, lastMessage,
	olderMessage, othersApp, othersMessage, wrongDigits, wrongDigits, shortDigits, misspelled, neither, tooLong, appSpaced,
	key, key, key, key, otherKey, copiedKey, keyForAnother, keyNonsense, keyMalformed)

var onward = append(repeat(4, stay, second, period, boundary), hour, day)

var profiles = []profile{
	{name: "everything", ops: with(map[string]int{"GenerateBackupCodes": 1}), codes: append(repeat(20, cheapCodes...), backupUnspent, backupAny), moves: onward, upsets: 8, most: 8},
	{name: "logins", ops: with(map[string]int{"log in": 80, "Reset": 1, "DeleteUser": 1, "enroll app": 5}), codes: cheapCodes, moves: repeat(1, stay, stay, second, period, period, boundary), most: 8},
	{name: "guessing", ops: with(map[string]int{"hammer": 25, "GenerateBackupCodes": 1}), codes: append(repeat(6, wrongDigits, wrongDigits, shortDigits, misspelled, otherKey), appNow, thisMessage, appSpent, key), moves: append(repeat(6, onward...), month), most: 40},
	{name: "many challenges", ops: with(map[string]int{"flood": 30, "Reset": 1, "DeleteUser": 1, "PasswordChanged": 1, "policy": 1}), codes: cheapCodes, moves: repeat(1, stay, stay, second, second, boundary), most: 40},
	{name: "factors", ops: with(map[string]int{"GenerateBackupCodes": 1, "add": 60, "enroll passkey": 10, "Revoke": 8, "Unenroll": 10, "Rename": 10, "devices": 6, "ForgetDevice": 10, "Reset": 1, "DeleteUser": 1, "PasswordChanged": 1, "ForgetDevices": 1}), codes: cheapCodes, moves: repeat(1, stay, second, period, boundary), most: 24},
	{name: "faults", ops: with(map[string]int{"sender": 8, "GenerateBackupCodes": 1}), codes: cheapCodes, moves: onward, upsets: 2, most: 4},
	{name: "clock", ops: with(map[string]int{"Unlock": 10}), codes: cheapCodes, moves: append(repeat(3, stay, second, period, boundary, backSecond, backPeriod, backMinutes), hour, backHour, month, backMonth), upsets: 12, most: 8},
	{name: "messages", ops: with(map[string]int{"SendCode": 40, "EnrollSMS": 30, "enroll phone": 20, "crowd": 8, "sender": 10, "Unlock": 1}), codes: append(repeat(6, thisMessage, lastMessage, olderMessage), cheapCodes...), moves: append(repeat(2, onward...), boundary, boundary), upsets: 12, most: 4},
	{name: "backup codes", ops: with(map[string]int{"GenerateBackupCodes": 1, "backup codes": 3, "hammer": 3}), codes: append(repeat(3, cheapCodes...), backupUnspent, backupUnspent, backupAny, backupSpaced, othersBackup, wrongBackup), moves: onward, upsets: 12, most: 12},
}

var (
	three   = rapid.IntRange(0, 2)
	twelve  = rapid.IntRange(0, 11)
	tokens  = rapid.SampledFrom([]tokenChoice{right, right, right, right, right, right, older, older, ofAnotherKind, ofAnotherUser, forged, none})
	choices = rapid.SampledFrom([]choice{all, all, all, all, keepOthers, keepOthers, oneOfMethod, oneOfMethod, anyOne, contradiction})
	faults  = rapid.SampledFrom([]world.Fault{world.Fails, world.FailsLate, world.Conflicts, world.Cancelled, world.FailsLate, world.Conflicts, world.EverTooLate, ""})
)

// draw draws a step. Values that the step does not use are drawn too, and shrink to
// zero at once.
func (p profile) draw(t *rapid.T) step {
	s := step{
		op:     rapid.SampledFrom(p.ops).Draw(t, "op"),
		user:   three.Draw(t, "user"),
		engine: three.Draw(t, "engine"),
		token:  tokens.Draw(t, "token"),
		pick:   twelve.Draw(t, "pick"),
		code:   rapid.SampledFrom(p.codes).Draw(t, "code"),
		move:   rapid.SampledFrom(p.moves).Draw(t, "move"),
		by:     twelve.Draw(t, "by"),
	}
	s.other = (s.user + 1 + s.pick%2) % 3
	s.stranger = s.token == ofAnotherUser
	odd := rapid.IntRange(0, 359).Draw(t, "odd")
	s.method, s.action, s.phone = odd%4, odd/4%4, odd/16%5
	s.bad = odd/60 == 5
	s.choice = choices.Draw(t, "choice")
	if s.op == "hammer" || s.op == "flood" || s.op == "crowd" || s.op == "devices" {
		s.times = rapid.IntRange(1, p.most).Draw(t, "times")
	}
	if p.upsets > 0 && rapid.IntRange(0, p.upsets-1).Draw(t, "upset") == p.upsets-1 {
		s.upset = upset{after: three.Draw(t, "after"), store: faults.Draw(t, "fault"), at: 1 + rapid.IntRange(0, 6).Draw(t, "at")}
		s.upset.cancelled = s.upset.store == ""
	} else {
		s.upset.after = -1
	}
	return s
}

var (
	phones  = []string{"+2348012345678", "+14155552671", "+447700900123", "+4915123456789", "+5511987654321"}
	actions = []string{manage, "pay", login, "export"}
	kinds   = []string{totp, sms, passkey, backup}
	labels  = []string{"", "phone", "work"}
)

// run does a step.
func (h *history) run(s step) {
	h.upset = s.upset
	p := h.people[s.user]
	h.move(s, p)
	switch s.op {
	case "policy":
		h.required, h.noPolicy = s.pick%3 == 2, s.pick > 9
	case "sender":
		h.sending = sending(max(0, s.pick%6-3))
	case "allow":
		h.refuses = s.pick%3 == 2
	case "log in":
		h.provide(s, p)
		h.logIn(s, p, "BeginLogin", "VerifyLogin")
	case "step up":
		h.provide(s, p)
		h.logIn(s, p, "BeginStepUp", "VerifyStepUp")
	case "enroll app":
		h.enroll(s, p, 0)
	case "enroll phone":
		h.enroll(s, p, 1)
	case "enroll passkey":
		h.enroll(s, p, 2)
	case "begin several":
		if s.by%2 == 0 {
			h.one(s, p, "Reset")
		} else {
			h.prove(s, p)
		}
		order := [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}, {2, 1}}[s.by%4]
		for _, i := range order {
			h.one(s, p, begins[i])
		}
		if s.by%3 == 0 {
			h.one(s, p, ends[s.pick%len(ends)])
		}
		for range order {
			s.method = s.pick % 5 // possibly none
			begun := p.states[0].pending
			if s.pick++; s.method == 4 && len(begun) > 0 {
				s.code = confirms[slices.Index(kinds, begun[len(begun)-1].method)]
			} else {
				s.code = confirms[s.method%3]
			}
			h.one(s, p, "VerifyEnrollment")
		}
	case "add":
		h.prove(s, p)
		s.bad, s.method = false, s.method%3
		if s.choice == all {
			s.choice = keepOthers
		}
		guess := s
		guess.code = wrongDigits
		if s.by%4 == 0 { // shows whether failures are still counted afterwards
			h.logIn(guess, p, "BeginLogin", "VerifyLogin")
		}
		h.enroll(s, p, s.method)
		for range s.by / 11 * most[kinds[s.method]] { // more than the maximum
			s.choice, h.now = keepOthers, h.now.Add(cooldown)
			h.enroll(s, p, s.method)
		}
		if s.by%4 == 0 {
			h.logIn(guess, p, "BeginLogin", "VerifyLogin")
		}
	case "devices":
		h.prove(s, p)
		s.bad, s.token = false, right
		for range 2 * s.times {
			h.one(s, p, "TrustDevice")
		}
		for range 2 { // an old one, then another
			s.token = older
			h.one(s, p, "BeginLogin")
			h.one(s, p, "ForgetDevice")
			s.pick = s.times - 1
		}
	case "trust":
		h.one(s, p, "TrustDevice")
		h.one(s, p, "BeginLogin")
	case "must enroll":
		if s.by%3 > 0 {
			h.required = true
			h.one(s, p, []string{"", "Reset", "DeleteUser"}[s.by%3]) // as if new
		}
		h.one(s, p, "BeginLogin")
		h.one(s, p, "EnrollmentUser")
	case "change":
		h.prove(s, p)
		h.one(s, p, changes[s.by%len(changes)])
	case "backup codes":
		h.prove(s, p)
		s.token = right
		for range 1 + s.by/10*5 { // more than an hour allows
			h.one(s, p, "GenerateBackupCodes")
		}
		s.code = backupUnspent
		h.logIn(s, p, "BeginLogin", "VerifyLogin")
	case "hammer":
		h.provide(s, p)
		h.hammer(s, p)
	case "flood":
		s.action = slices.Index(actions, "pay") // which gives no proof: the history keeps few tokens
		h.flood(s, p)
		s.token = older
		for _, s.pick = range []int{s.times - 1, s.times / 2} { // the first of them and one from the middle
			h.one(s, p, "VerifyStepUp")
		}
	case "crowd":
		h.crowd(s)
	default:
		h.one(s, p, s.op)
	}
}

// How each of kinds is enrolled.
var (
	begins   = []string{"EnrollTOTP", "EnrollSMS", "EnrollPasskey"}
	confirms = []codeChoice{appPending, lastMessage, key}
)

func (h *history) enroll(s step, p *person, method int) {
	h.one(s, p, begins[method])
	s.method, s.code = method, confirms[method]
	if s.code == key && s.by%4 == 1 { // first with a passkey that is already enrolled
		again := s
		again.code = otherKey
		h.one(again, p, "VerifyEnrollment")
	}
	h.one(s, p, "VerifyEnrollment")
}

// changes are the operations that need a proof. Those that generate keys or backup
// codes are slow.
var changes = append(repeat(3, "TrustDevice", "Unenroll", "EnrollSMS", "EnrollPasskey", "BeginLogin", "PasswordChanged"), "EnrollTOTP")

// ends are the operations that may end a pending enrollment.
var ends = []string{"ImportTOTP", "ImportSMS", "Unlock", "ForgetDevices", "PasswordChanged", "Revoke", "TrustDevice", "Rename"}

// provide enrolls a factor for a user without one.
func (h *history) provide(s step, p *person) {
	if p.states[0].enrolled() {
		return
	}
	s.bad = false
	if s.by%3 == 2 {
		h.one(s, p, "ImportSMS")
	} else {
		h.one(s, p, "ImportTOTP")
	}
}

func (h *history) providePasskey(s step, p *person) {
	if !p.states[0].has(passkey) {
		h.one(s, p, "Reset")
		h.enroll(s, p, 2)
	}
}

// prove logs a user in for a proof.
func (h *history) prove(s step, p *person) {
	h.provide(s, p)
	s.code = p.states[0].usual()
	h.logIn(s, p, "BeginLogin", "VerifyLogin")
}

// usual returns the answer that a user with these factors usually gives.
func (u User) usual() codeChoice {
	switch {
	case u.has(passkey):
		return key
	case u.has(totp):
		return appNow
	}
	return thisMessage
}

// hammer guesses again and again, usually as soon as the delay has passed.
func (h *history) hammer(s step, p *person) {
	if s.by == 0 { // until the factor is disabled
		s.times, s.code = 3*s.times, wrongDigits
	}
	if s.code == otherKey {
		h.providePasskey(s, p)
	}
	for range s.times {
		s.token, s.pick = none, 0
		h.one(s, p, "BeginLogin")
		s.token = right
		if s.code == otherKey {
			h.one(s, p, "PasskeyOptions")
		} else if s.by%2 == 1 {
			h.one(s, p, "SendCode")
		}
		for range 1 + s.by/2 {
			h.one(s, p, "VerifyLogin")
		}
		u := p.states[0]
		for _, method := range kinds {
			if next := u.lane(method).retryAt(method); s.by < 10 && next.After(h.now) {
				h.now = next
			}
		}
	}
}

// flood uses up many challenges with a passkey: each must be remembered, and none
// is delayed.
func (h *history) flood(s step, p *person) {
	h.providePasskey(s, p)
	for i := range s.times {
		s.code = key
		if i%8 == s.by%8 {
			s.code = otherKey
		}
		h.logIn(s, p, "BeginStepUp", "VerifyStepUp")
		h.now = h.now.Add(time.Duration(s.by%4) * time.Second)
	}
}

// crowd has all users, as if new, enroll one number in turn. When no more messages
// may be sent to it, time passes until one may, or until just before.
func (h *history) crowd(s step) {
	s.bad = false
	for i := range s.times * len(h.people) {
		p := h.people[(s.user+i)%len(h.people)]
		if p.states[0].enrolled() {
			h.one(s, p, "DeleteUser")
		}
		h.one(s, p, "EnrollSMS")
		h.now = h.now.Add(time.Duration(s.by) * 10 * time.Second)
		if next := h.nextTo(s); s.by%3 < 2 && next.After(h.now) {
			h.now = next.Add(time.Duration(-s.by % 3))
		}
	}
}

// nextTo returns when another message may be sent to the step's number.
func (h *history) nextTo(s step) time.Time {
	tally := h.tally(s.engine, Call{Phone: phones[s.phone], Counted: !h.noTally})
	return h.tallied(tally)[0].next()
}

// logIn begins a login, has a code sent if the answer is to be one, and answers.
func (h *history) logIn(s step, p *person, begin, verify string) {
	s.pick = 0
	if s.token == ofAnotherKind || s.token == forged {
		s.token = none
	}
	h.one(s, p, begin)
	s.token = right
	u := p.states[0]
	if s.code == thisMessage && !u.has(sms) || s.code == appNow && !u.has(totp) {
		s.code = u.usual()
	}
	switch s.code {
	case thisMessage:
		h.one(s, p, "SendCode")
	case key, otherKey, copiedKey:
		h.one(s, p, "PasskeyOptions")
	}
	h.one(s, p, verify)
}

// one makes one call.
func (h *history) one(s step, p *person, op string) Outcome {
	c := Call{Op: op, Bad: s.bad, Label: labels[s.by%3]}
	var text, note string
	switch op {
	case "EnrollTOTP", "EnrollSMS", "EnrollPasskey":
		c.Method = kinds[slices.Index(begins, op)]
		c.Token, text, note = h.token(s, p, proofToken)
		h.choose(s, p, &c)
		if op == "EnrollSMS" {
			c.Phone = phones[s.phone]
		}
	case "VerifyEnrollment":
		if s.method < len(kinds) {
			c.Method = kinds[s.method]
		}
		note = h.code(s, p, &c)
	case "GenerateBackupCodes":
		c.Token, text, note = h.token(s, p, proofToken)
	case "Unenroll", "Revoke":
		c.Method = kinds[s.method]
		c.Token, text, note = h.token(s, p, proofToken)
		h.choose(s, p, &c)
	case "Rename":
		s.choice = max(s.choice, oneOfMethod)
		c.Method = kinds[s.method]
		h.choose(s, p, &c)
	case "BeginLogin":
		c.Token, text, note = h.token(s, p, deviceToken)
		c.Expect = s.by == 11
	case "SendCode":
		c.Token, text, note = h.token(s, p, challengeToken)
		to := Call{Method: sms}
		h.choose(s, p, &to)
		c.To = to.Only
	case "VerifyLogin", "VerifyStepUp":
		c.Token, text, note = h.token(s, p, challengeToken)
		note += ", " + h.code(s, p, &c)
		if op == "VerifyStepUp" {
			c.Action = actions[s.action]
			if s.stranger {
				c.Caller = h.people[s.other].id
			}
		}
	case "PasskeyOptions":
		c.Token, text, note = h.token(s, p, challengeToken)
	case "EnrollmentUser":
		c.Token, text, note = h.token(s, p, enrollmentToken)
	case "BeginStepUp":
		c.Action = actions[s.action]
	case "TrustDevice":
		c.Token, text, note = h.token(s, p, proofToken)
	case "ForgetDevice":
		c.Only = -1
		if devices := p.states[0].devices; len(devices) > 0 && s.pick < 10 {
			c.Only = devices[s.pick%len(devices)].serial
		}
	case "ImportTOTP":
		c.App, note = h.app(s, p)
	case "ImportSMS":
		c.Phone = phones[s.phone]
	}
	return h.do(h.engineOf(s, op), p, c, text, note)
}

// engineOf returns the engine that a call goes to. For every other step it
// alternates between engines. Those with the same first key share the counts of
// messages by number.
func (h *history) engineOf(s step, op string) int {
	if s.by%2 == 1 && op != "EnrollSMS" {
		return (s.engine + h.serial) % len(h.engines)
	}
	return s.engine
}

// choose chooses what to do about other factors.
func (h *history) choose(s step, p *person, c *Call) {
	u := p.states[0]
	c.Keep = s.choice == keepOthers || s.choice == contradiction
	if s.choice < oneOfMethod {
		return
	}
	var serials []int
	for _, f := range u.factors {
		if f.serial > 0 && (f.method == c.Method || s.choice == anyOne) {
			serials = append(serials, f.serial)
		}
	}
	c.Only = -1
	if len(serials) > 0 {
		c.Only = serials[s.pick%len(serials)]
	}
}

// token chooses a token. The token of a challenge or an enrollment names its user:
// it is always one of p's.
func (h *history) token(s step, p *person, kind string) (serial int, text, note string) {
	owner := p
	var found []issued
	wanted := func(t issued) bool { return t.kind == kind }
	skip := 0
	switch s.token {
	case older:
		skip = s.pick
	case ofAnotherKind:
		wanted = func(t issued) bool { return t.kind != kind }
	case ofAnotherUser:
		if kind == proofToken || kind == deviceToken {
			owner = h.people[s.other]
		}
	case none:
		if kind == proofToken || kind == deviceToken {
			return 0, "", "no " + kind
		}
	}
	for _, t := range owner.tokens {
		if wanted(t) {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return 0, kind + "AAAA", "a forged " + kind
	}
	chosen := found[len(found)-1-min(skip, len(found)-1)]
	text = h.tokens[chosen.serial]
	if s.token == forged {
		middle := len(text) / 2
		other := "A"
		if text[middle] == 'A' {
			other = "B"
		}
		return 0, text[:middle] + other + text[middle+1:], "a forged " + kind
	}
	note = fmt.Sprintf("%s#%d", chosen.kind, chosen.serial)
	return chosen.serial, text, note
}

// app returns one of the user's apps, or nil if there is none.
func (u User) app(pick int) *App {
	apps := u.of(totp, 0)
	if len(apps) == 0 {
		return nil
	}
	return u.factors[apps[pick%len(apps)]].app
}

// app chooses a key to import.
func (h *history) app(s step, p *person) (*App, string) {
	apps, whose := p.apps, "a key of the user's"
	if current := p.states[0].app(s.by); s.pick < 4 && current != nil {
		return current, "the key that the user has"
	}
	if s.pick > 8 {
		apps, whose = h.people[s.other].apps, "another user's key"
	}
	if len(apps) == 0 || s.pick == 8 {
		uri := fmt.Sprintf("otpauth://totp/Old:ada?secret=%s&issuer=Old&digits=%d&period=%d",
			strings.Repeat("ABCDEFGH", 2+s.by%3), 6+s.by%3, 30+30*(s.by%2))
		app := h.scan(uri)
		p.apps = append(p.apps, app)
		return app, "a foreign key"
	}
	return apps[len(apps)-1-s.by%len(apps)], whose
}

// code chooses an answer. A backup code may be spelled as people write it.
func (h *history) code(s step, p *person, c *Call) (note string) {
	u := p.states[0]
	app := u.app(s.by)
	var begun pending
	for _, other := range u.pending {
		if c.Op == "VerifyEnrollment" && (c.Method == other.method || c.Method == "") {
			begun = other
		}
		if other.app != nil && (c.Op == "VerifyEnrollment" || s.code == appPending) {
			app = other.app
		}
	}
	ofApp := func(app *App, steps int64) string {
		if app == nil {
			return "123456"
		}
		return app.At(app.Step(h.now) + steps)
	}
	ofSent := func(codes []string, back int) string {
		if len(codes) == 0 {
			return "654321"
		}
		return codes[len(codes)-1-min(back, len(codes)-1)]
	}
	ofBackup := func(codes []string, back int) string {
		if len(codes) == 0 {
			return "no-code!"
		}
		return codes[len(codes)-1-back%len(codes)]
	}
	other := h.people[s.other]
	switch s.code {
	case appNow, appPending:
		c.Code = ofApp(app, 0)
	case appNext:
		c.Code = ofApp(app, 1)
	case appBefore:
		c.Code = ofApp(app, -1)
	case appTwoBefore:
		c.Code = ofApp(app, -2)
	case appTwoAhead:
		c.Code = ofApp(app, 2)
	case appSpent:
		c.Code = "234567"
		for _, i := range u.of(totp, 0) {
			if f := u.factors[i]; f.app == app && len(f.taken) > 0 {
				c.Code = app.At(f.taken[len(f.taken)-1-min(s.by%3, len(f.taken)-1)])
			}
		}
	case thisMessage:
		c.Code = begun.code
		if i := u.find(challengeToken, c.Token); i >= 0 {
			c.Code = u.tokens[i].code
		}
		if c.Code == "" {
			c.Code = ofSent(p.codes, 0)
		}
	case lastMessage:
		c.Code = ofSent(p.codes, 0)
	case olderMessage:
		c.Code = ofSent(p.codes, 1+s.by%3)
	case othersApp:
		c.Code = ofApp(other.states[0].app(s.by), 0)
	case othersMessage:
		c.Code = ofSent(other.codes, 0)
	case wrongDigits:
		c.Code = "000000"
	case shortDigits:
		c.Code = "12345"
	case misspelled:
		c.Code = "no-code!"
	case neither:
		c.Code = " - !"
	case tooLong:
		c.Code = strings.Repeat("1", 65)
	case appSpaced:
		code := ofApp(app, 0)
		c.Code = " " + code[:3] + "\u2013" + code[3:] + "\t"
	case backupUnspent:
		c.Code = "no-code!"
		for _, i := range u.of(backup, 0) {
			for _, unspent := range u.factors[i].codes {
				c.Code = cmp.Or(unspent, c.Code)
			}
		}
	case backupAny:
		c.Code = ofBackup(p.backups, s.by)
	case backupSpaced:
		c.Code = strings.ToUpper(strings.NewReplacer("-", " ", "0", "o", "1", "l").Replace(ofBackup(p.backups, 0)))
	case othersBackup:
		c.Code = ofBackup(other.backups, s.by)
	case wrongBackup:
		c.Code = "aaaa-aaaa"
	case keyNonsense:
		c.Code, c.Passkey = `{"id":""}`, &Response{}
	case keyMalformed:
		c.Code = `{"id":`
	default:
		h.answer(s, p, c, begun.serial)
	}
	return codeNames[s.code]
}

// answer has an authenticator answer a challenge or a pending enrollment.
func (h *history) answer(s step, p *person, c *Call, begun int) {
	u := p.states[0]
	options := -1
	for i, o := range p.options {
		if mine := o.serial == c.Token+begun; mine != (s.code == keyForAnother) {
			options = i
		}
	}
	if options < 0 { // no options were requested
		c.Code, c.Passkey = `{"challenge":""}`, &Response{}
		return
	}
	var enrolled []*world.SecurityKey
	for _, k := range p.keys {
		if u.passkey(k.ID) != nil {
			enrolled = append(enrolled, k)
		}
	}
	anew := s.code == otherKey
	if c.Op == "VerifyEnrollment" {
		anew = s.code != otherKey
	}
	var k *world.SecurityKey
	if anew || len(enrolled) == 0 {
		k = &world.SecurityKey{ID: fmt.Sprintf("key %d of %s", len(p.keys), p.id), Verified: s.by%2 == 0}
		p.keys = append(p.keys, k)
	} else {
		k = enrolled[s.by%len(enrolled)]
	}
	if s.code == copiedKey {
		k = &world.SecurityKey{ID: k.ID, Counter: k.Counter - 1, Verified: k.Verified}
	}
	asked := p.options[options]
	c.Code = k.Answers(asked.options)
	c.Passkey = &Response{To: asked.serial, Key: k.ID, Counter: k.Counter, Verified: k.Verified}
}

// move moves the clock.
func (h *history) move(s step, p *person) {
	if s.move != boundary {
		h.now = h.now.Add(jumps[s.move])
		return
	}
	ahead := func(t time.Time) bool { return t.After(h.now) && t.Before(h.now.Add(31*24*time.Hour)) }
	var found []time.Time
	for _, t := range append(p.states[0].deadlines(h.now), h.nextTo(s)) {
		if ahead(t) {
			found = append(found, t)
		}
	}
	if len(found) > 0 {
		h.now = found[s.pick%len(found)].Add(time.Duration(s.by%3 - 1))
	}
}

// deadlines returns the times at which something changes by itself.
func (u User) deadlines(now time.Time) (times []time.Time) {
	for _, method := range methods {
		times = append(times, u.lane(method).retryAt(method))
	}
	times = append(times, u.nextSend(), u.sets.next())
	for _, p := range u.pending {
		times = append(times, p.expires)
	}
	if app := u.app(0); app != nil {
		times = append(times, time.Unix((app.Step(now)+1)*app.Period, 0).UTC())
	}
	for _, t := range u.tokens[max(0, len(u.tokens)-8):] {
		times = append(times, t.expires, t.codeExpires)
	}
	return times
}
