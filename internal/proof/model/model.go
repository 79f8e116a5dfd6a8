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
// [Call], and gives every [Result] that the contract allows: mostly one. There
// are several where a store failed, which may have happened before or after the
// write, and where the contract leaves the matter open:
//
//   - whether what was over by the clock, or is dated in its future, lives again
//     when the clock goes back, and what Unlock does about it then;
//   - which challenges die of too many, or with one that is over and forgotten,
//     when the clock went back between them;
//   - whether letters are a wrong code to a pending factor, or none;
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
	totp   = "totp"
	sms    = "sms"
	backup = "backup_code"

	login  = "login"
	manage = "manage"
	enroll = "enroll"
)

// A Call is one call of an operation, with what the host said meanwhile, and
// what chance gave the engine.
type Call struct {
	Op     string
	Serial int       // tells calls apart: the token and the epochs that this one makes are named by it
	At     time.Time // by the engine's clock

	Token  int // the Serial of the call that made it; 0 for a forged one
	Code   string
	Method string
	Action string
	Phone  string
	Bad    bool // the account name, URI, number or action is none
	App    *App // of ImportTOTP

	Sender    bool // the engine has one
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

// A User is one state that a user may be in. Its slices are never written to,
// but by the owner of a clone.
type User struct {
	epoch   int // of challenges, enrollment tokens and proofs; 0 until a first factor is confirmed
	devices int // of trusted devices

	totp   authenticator
	sms    phone
	backup backupCodes

	pendingTOTP pending
	pendingSMS  pending

	sent     messages
	cooldown time.Time
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

func refused(why string) []Result { return []Result{{Outcome: Outcome{Result: why}}} }

func done(u User, result, told string) []Result {
	return []Result{{Outcome: Outcome{Result: result, Told: told}, Then: []User{u}}}
}

// Play returns the results that are right. What u knows of the clock is noted in
// the state that they begin with.
func (r Rules) Play(u User, c Call) (begin User, results []Result) {
	begin = u.clone()
	begin.see(c.At)
	if c.NewCode == "" {
		c.NewCode = "lost" // with the answer, if there was one
	}
	results = r.play(begin, c)
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
	case "EnrollTOTP":
		return r.enrollTOTP(u, c)
	case "EnrollSMS":
		return r.enrollSMS(u, c)
	case "VerifyEnrollment":
		return r.verifyEnrollment(u, c)
	case "GenerateBackupCodes":
		return r.generate(u, c)
	case "Unenroll":
		return r.unenroll(u, c)
	case "Status", "then Status":
		return r.status(u, c)
	case "BeginLogin":
		return r.beginLogin(u, c)
	case "SendCode":
		return r.sendCode(u, c)
	case "VerifyLogin":
		return r.answer(u, c, login)
	case "EnrollmentUser":
		return r.enrollmentUser(u, c)
	case "BeginStepUp":
		return r.beginStepUp(u, c)
	case "VerifyStepUp":
		if c.Action == login || c.Action == enroll {
			return refused("invalid_token")
		}
		return r.answer(u, c, c.Action)
	case "TrustDevice":
		return r.trustDevice(u, c)
	case "ForgetDevices":
		if u.exists() {
			u.devices = c.Serial
		}
		return done(u, "ok", "devices_forgotten ")
	case "ImportTOTP":
		return r.importTOTP(u, c)
	case "ImportSMS":
		return r.importSMS(u, c)
	case "Reset":
		return done(User{epoch: c.Serial, devices: c.Serial, sent: u.sent, cooldown: u.cooldown, tokens: u.tokens, latest: u.latest}, "ok", "reset ")
	case "Unlock":
		return r.unlock(u, c)
	case "PasswordChanged":
		u.pendingTOTP, u.pendingSMS = pending{}, pending{}
		u.renew(c.Serial)
		return done(u, "ok", "password_changed ")
	case "Reseal":
		return done(u, "ok", "")
	case "DeleteUser":
		return done(User{tokens: u.tokens, latest: u.latest}, "ok", "")
	}
	panic("model: no such operation: " + c.Op)
}

func (u User) clone() User {
	u.tokens = slices.Clone(u.tokens)
	return u
}

// see notes what is over by the clock: whether it lives again when the clock
// goes back is left open.
func (u *User) see(now time.Time) {
	for i := range u.tokens {
		u.tokens[i].over = u.tokens[i].over || !now.Before(u.tokens[i].expires)
	}
	for _, p := range []*pending{&u.pendingTOTP, &u.pendingSMS} {
		p.over = p.over || p.on && !now.Before(p.expires)
	}
	u.latest = later(u.latest, now)
}

func (u User) enrolled() bool { return u.totp.on || u.sms.on }

// exists reports whether there can be something that ForgetDevices ends.
func (u User) exists() bool { return u.epoch > 0 }

// renew ends every challenge, enrollment token, proof and trusted device.
func (u *User) renew(serial int) { u.epoch, u.devices = serial, serial }

// unlock forgets failures, and what a clock that ran ahead has left.
func (r Rules) unlock(u User, c Call) []Result {
	u.totp.lane, u.sms.lane, u.backup.lane = lane{}, lane{}, lane{}
	n := len(u.sent)
	for n > 0 && u.sent[n-1].After(c.At) {
		n--
	}
	if n < len(u.sent) {
		u.sent, u.cooldown = u.sent[:n:n], time.Time{}
	}
	states := []User{u}
	if kept, ahead := u.totp.ahead(c.At); ahead > 0 {
		states[0].totp.spent = kept
		if u.totp.taken >= 4 { // a record is small: it may not know the steps before those
			u.totp.spent = append(slices.Clip(kept), u.totp.app.Step(c.At)+1)
			states = append(states, u)
		}
	}
	var results []Result
	for _, u := range states {
		results = append(results, done(u, "ok", "unlocked ")...)
		if u.latest.After(c.At) { // challenges that the clock was ahead for may end
			renewed := u.clone()
			renewed.renew(c.Serial)
			results = append(results, done(renewed, "ok", "unlocked ")...)
		}
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
