// Package model is a reference model of package mfa. It defines what each
// operation must return and the user's state afterwards. It was written from the
// contract and from the documentation of the exported names, not from the
// engine's code. Its tests make the same calls to the engine and to the model,
// and compare the results.
//
// Without it, an order of calls that nobody has thought of could leave a user
// with too many rights or too few: every other suite plays the orders that
// somebody chose.
//
// A [User] is one state that a user may be in. [Rules.Play] takes one and a
// [Call], and returns every [Result] that the contract allows, usually one. There
// are several if a store failed, which may have happened before or after the
// write, and if the contract leaves the matter open:
//
//   - whether something that has expired, or is dated in the future, is valid
//     again when the clock goes back, and what Unlock does about it then;
//   - which challenges are evicted because there are too many, or along with an
//     expired one that is forgotten, when the clock went back between them;
//   - which of two refusals comes first if both apply;
//   - by how many minutes a failure outlasts its thirty days;
//   - the method in the events of wrong and delayed codes.
//
// A test keeps all the states that are possible so far. Each answer of the engine
// rules out those that disagree with it. When none is left, engine and model
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

// methods are in the order in which they are offered.
var methods = []string{passkey, totp, sms, backup}

// most is the maximum number of factors of each method.
var most = map[string]int{passkey: 8, totp: 5, sms: 3}

// look is the operation that compares Status and Devices after each call.
const look = "then Status"

// A Call is one call of an operation, with what the host answered during it and
// what the engine generated at random.
type Call struct {
	Op     string
	Serial int       // unique: whatever this call creates, and its epochs, are named by it
	At     time.Time // by the engine's clock

	Token   int // the Serial of the call that issued it; 0 for a forged one
	Code    string
	Passkey *Response // whose JSON is Code
	Method  string
	Action  string
	Phone   string
	Label   string
	App     *App   // of ImportTOTP
	Bad     bool   // the account name, URI, number, label or action is invalid
	Keep    bool   // KeepOthers
	Only    int    // OnlyFactor, or the argument of Rename and ForgetDevice: the Serial of what it names
	To      int    // ToFactor
	Expect  bool   // ExpectEnrolled
	Caller  string // the other user who steps up with this user's challenge, if any

	Sender    bool // the engine has one
	Verifier  bool // of passkeys
	SendFails bool
	Refused   bool // SMSConfig.Allow says no
	Required  bool
	NoPolicy  bool // Required fails
	Counted   bool // the engine has a store that counts messages by number

	Cancelled bool // the context ended before the call began
	Fault     Fault

	NewApp   *App   // that EnrollTOTP created
	NewCode  string // that was sent
	NewCodes []string
}

// A Response is an authenticator's answer.
type Response struct {
	To       int // the Serial of the challenge's or the pending factor's call
	Key      string
	Counter  uint64
	Verified bool
}

// offers reports whether the engine has what a method needs.
func (c Call) offers(method string) bool {
	switch method {
	case passkey:
		return c.Verifier
	case sms:
		return c.Sender
	}
	return method == totp || method == backup
}

// A User is one state that a user may be in. Only the owner of a clone may write
// to its slices.
type User struct {
	exists bool // there is a record
	epoch  int  // of challenges, enrollment tokens and proofs; 0 until a first factor is confirmed

	factors []factor  // in the order of methods, then of enrollment
	lanes   [4]lane   // of each method
	pending []pending // at most one of each method, in the order in which they began
	devices []device  // in the order in which they were trusted

	sent     messages
	cooldown time.Time
	sets     messages // of backup codes
	number   messages // to the number that the call is about: lent for the call, not part of the user's state

	tokens []token   // in the order in which they were issued
	latest time.Time // the latest time that an operation has seen
}

// A Result is one of the right answers, with the states that the record goes
// through during the call. The last state of Then is the final one. If Then is
// empty, nothing changes.
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

// Play returns the right results of a call. begin is u with what the call reveals
// about the clock.
func (r Rules) Play(u User, c Call) (begin User, results []Result) {
	begin = u.clone()
	begin.see(c.At)
	if c.NewCode == "" {
		c.NewCode = "lost" // along with the answer, if a code was sent
	}
	if c.Op == look { // it changes nothing
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

// see records what has expired at now. The contract leaves open whether it is
// valid again when the clock goes back.
func (u *User) see(now time.Time) {
	for i := range u.tokens {
		u.tokens[i].over = u.tokens[i].over || !now.Before(u.tokens[i].expires)
	}
	for i := range u.pending {
		u.pending[i].over = u.pending[i].over || !now.Before(u.pending[i].expires)
	}
	u.latest = later(u.latest, now)
}

// renew invalidates every challenge, enrollment token, proof, trusted device and
// pending factor.
func (u *User) renew(serial int) {
	u.exists, u.epoch, u.devices, u.pending = true, serial, nil, nil
}

// unlock forgets failures, messages sent, and the effects of a clock that ran
// ahead.
func (r Rules) unlock(u User, c Call) []Result {
	u.lanes, u.pending = [4]lane{}, nil
	u.sent, u.cooldown, u.sets = nil, time.Time{}, nil
	for i := range u.factors {
		if f := &u.factors[i]; f.method == totp {
			f.clockWas(f.app.Step(c.At) + 1)
		}
	}
	results := done(u, "ok", event{kind: "unlocked"})
	if u.latest.After(c.At) { // challenges issued while the clock was ahead may end
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
