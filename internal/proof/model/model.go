// Package model is a reference model of package mfa: what each operation must
// answer, and what a user's state is after it, written from the contract and
// from the documentation of the exported names, not from the engine's code. The
// tests beside it drive the engine and the model with the same calls, and
// compare.
//
// Without it, an order of calls that nobody has thought of could leave a user
// with too many rights or too few: every other suite plays the orders that
// somebody chose.
//
// A [User] is one state that a user may be in. [Rules.Play] takes one and a
// [Call], and returns every [Result] that the contract allows: mostly one. There
// are several where a store failed, which may have happened before or after the
// write, and where the contract leaves the matter open:
//
//   - whether what was over by the clock, or is dated in its future, is valid
//     again when the clock goes back, and what Unlock does about it then;
//   - which challenges end because there are too many, or with one that is over
//     and forgotten, when the clock went back between them;
//   - which of two refusals comes first where both are due;
//   - by how many minutes a failure outlasts its thirty days;
//   - the method in the events of wrong and delayed codes.
//
// A test keeps all the states that are possible so far; each answer of the
// engine leaves those that agree with it. When none is left, engine and model
// disagree.
package model

import (
	"slices"
	"time"
)

// Rules are the settings that all engines of a store have in common.
type Rules struct {
	Strict            bool // the current time step only
	InsecureSkipProof bool
	Codes             int // backup codes in a set
}

const (
	challengeTTL  = 5 * time.Minute
	enrollmentTTL = 15 * time.Minute
	proofTTL      = 15 * time.Minute
	deviceTTL     = 30 * 24 * time.Hour
	codeTTL       = 5 * time.Minute
	cooldown      = 30 * time.Second
	maxTries      = 5
)

const (
	passkey = "passkey"
	totp    = "totp"
	sms     = "sms"
	backup  = "backup_code"

	login  = "login"
	manage = "manage"
	enroll = "enroll"
)

// methods in the order in which they are offered.
var methods = []string{passkey, totp, sms, backup}

// most is how many factors of a method there may be.
var most = map[string]int{passkey: 8, totp: 5, sms: 3}

// look is the Status, with the Devices, after each call.
const look = "then Status"

// A Call is one call of an operation, with what the host said meanwhile, and
// what the engine drew at random.
type Call struct {
	Op     string
	Serial int       // tells calls apart: what this one makes, and its epochs, are named by it
	At     time.Time // by the engine's clock

	Token   int // the Serial of the call that made it; 0 for a forged one
	Code    string
	Passkey *Response // what Code is the JSON of
	Method  string
	Action  string
	Phone   string
	Label   string
	App     *App   // of ImportTOTP
	Bad     bool   // the account name, URI, number, label or action is none
	Keep    bool   // KeepOthers
	Only    int    // OnlyFactor, or the argument of Rename and ForgetDevice: the Serial that it names
	To      int    // ToFactor
	Expect  bool   // ExpectEnrolled
	Caller  string // who steps up with another's challenge, if so

	Sender    bool // the engine has one
	Verifier  bool // of passkeys
	SendFails bool
	Refused   bool // SMSConfig.Allow says no
	Required  bool
	NoPolicy  bool // Required fails
	Counted   bool // the engine has a store that counts messages by number

	Cancelled bool // before it began
	Fault     Fault

	NewApp   *App   // which EnrollTOTP made
	NewCode  string // which was sent
	NewCodes []string
}

// A Response is what an authenticator answers.
type Response struct {
	To       int // the Serial of the challenge's or the pending factor's call
	Key      string
	Counter  uint64
	Verified bool
}

// offers reports whether the engine has what a method takes.
func (c Call) offers(method string) bool {
	switch method {
	case passkey:
		return c.Verifier
	case sms:
		return c.Sender
	}
	return method == totp || method == backup
}

// A User is one state that a user may be in. Only the owner of a clone writes to
// its slices.
type User struct {
	exists bool // there is a record
	epoch  int  // of challenges, enrollment tokens and proofs; 0 until a first factor is confirmed

	factors []factor  // in the order of methods, then of enrollment
	lanes   [4]lane   // of each method
	pending []pending // at most one of a method, in the order in which they were begun
	devices []device  // in the order in which they were trusted

	sent     messages
	cooldown time.Time
	sets     messages // of backup codes
	number   messages // to the number that the call is about: not the user's own, they are lent for the call

	tokens []token   // by time of making
	latest time.Time // the latest time that an operation has seen
}

// A Result is one of the answers that are right, and what the record goes
// through meanwhile: the last of Then is what it is in the end; none, that
// nothing changes.
type Result struct {
	Outcome
	Then []User
}

func refused(why string, told ...event) []Result {
	return []Result{{Outcome: outcome(why, told...)}}
}

func done(u User, result string, told ...event) []Result {
	return []Result{{Outcome: outcome(result, told...), Then: []User{u}}}
}

// Play returns the results that are right. What u knows of the clock is noted in
// the state that they begin with.
func (r Rules) Play(u User, c Call) (begin User, results []Result) {
	begin = u.clone()
	begin.see(c.At)
	if c.NewCode == "" {
		c.NewCode = "lost" // with the answer, if there was one
	}
	if c.Op == look { // which changes nothing
		results = r.play(begin, c)
	} else {
		results = r.play(begin.clone(), c)
	}
	switch {
	case c.Cancelled:
		return begin, cancelled(results)
	case c.Fault != "":
		return begin, faulted(begin, results, c.Fault)
	}
	return begin, results
}

func (r Rules) play(u User, c Call) []Result {
	switch c.Op {
	case "EnrollTOTP", "EnrollSMS", "EnrollPasskey":
		return r.enroll(u, c)
	case "VerifyEnrollment":
		return r.verifyEnrollment(u, c)
	case "GenerateBackupCodes":
		return r.generate(u, c)
	case "Unenroll":
		return r.unenroll(u, c)
	case "Revoke":
		return r.revoke(u, c)
	case "Rename":
		return r.rename(u, c)
	case "ImportTOTP", "ImportSMS":
		return r.importFactor(u, c)
	case "Status", look:
		return r.status(u, c)
	case "BeginLogin":
		return r.beginLogin(u, c)
	case "SendCode":
		return u.withToken(challengeToken, c, r.send)
	case "PasskeyOptions":
		return u.withToken(challengeToken, c, r.passkeyOptions)
	case "VerifyLogin", "VerifyStepUp":
		return r.answer(u, c)
	case "EnrollmentUser":
		return r.enrollmentUser(u, c)
	case "BeginStepUp":
		return r.beginStepUp(u, c)
	case "TrustDevice":
		return r.trustDevice(u, c)
	case "Devices":
		return refused("ok" + u.devicesText(c.At))
	case "ForgetDevice":
		return r.forgetDevice(u, c)
	case "ForgetDevices":
		if u.exists {
			u.renew(c.Serial)
		}
		return done(u, "ok", event{kind: "devices_forgotten"})
	case "Reset":
		u = User{sent: u.sent, cooldown: u.cooldown, sets: u.sets, tokens: u.tokens, latest: u.latest}
		u.renew(c.Serial)
		return done(u, "ok", event{kind: "reset"})
	case "Unlock":
		return r.unlock(u, c)
	case "PasswordChanged":
		u.renew(c.Serial)
		return done(u, "ok", event{kind: "password_changed"})
	case "Reseal":
		return done(u, "ok")
	case "DeleteUser":
		return done(User{tokens: u.tokens, latest: u.latest}, "ok", event{kind: "deleted"})
	}
	panic("model: no such operation: " + c.Op)
}

func (u User) clone() User {
	u.factors = slices.Clone(u.factors)
	u.pending = slices.Clone(u.pending)
	u.devices = slices.Clone(u.devices)
	u.tokens = slices.Clone(u.tokens)
	return u
}

// see notes what is over by the clock: whether it is valid again when the clock
// goes back is left open.
func (u *User) see(now time.Time) {
	for i := range u.tokens {
		u.tokens[i].over = u.tokens[i].over || !now.Before(u.tokens[i].expires)
	}
	for i := range u.pending {
		u.pending[i].over = u.pending[i].over || !now.Before(u.pending[i].expires)
	}
	u.latest = later(u.latest, now)
}

// renew ends every challenge, enrollment token, proof, trusted device and pending
// factor.
func (u *User) renew(serial int) {
	u.exists, u.epoch, u.devices, u.pending = true, serial, nil, nil
}

// unlock forgets failures, messages sent, and what a clock that ran ahead has
// left.
func (r Rules) unlock(u User, c Call) []Result {
	u.lanes, u.pending = [4]lane{}, nil
	u.sent, u.cooldown, u.sets = nil, time.Time{}, nil
	for i := range u.factors {
		if f := &u.factors[i]; f.method == totp {
			f.clockWas(f.app.Step(c.At) + 1)
		}
	}
	results := done(u, "ok", event{kind: "unlocked"})
	if u.latest.After(c.At) { // challenges that the clock was ahead for may end
		renewed := u.clone()
		renewed.renew(c.Serial)
		results = append(results, done(renewed, "ok", event{kind: "unlocked"})...)
	}
	return results
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
