package model

import (
	"time"
)

// pending is a factor that was begun and not confirmed.
type pending struct {
	on       bool
	begun    time.Time
	expires  time.Time
	failures int
	proven   bool // begun by somebody who had a factor
	over     bool // the clock has shown a time when it was over

	app          *App
	number, code string
}

// alive reports whether it can be confirmed: both answers where that is open.
func (p pending) alive(now time.Time) []bool {
	switch {
	case !p.on, !now.Before(p.expires):
		return []bool{false}
	case p.over, p.begun.After(now):
		return []bool{true, false}
	}
	return []bool{true}
}

// mayChange asks for a proof, where there is something to prove. Who has none
// gets a challenge.
func (r Rules) mayChange(u User, c Call, change func(u User) []Result) []Result {
	if !u.enrolled() || r.InsecureSkipProof {
		return change(u)
	}
	var results []Result
	for _, proven := range u.alive(proofToken, c.Token, c.At) {
		if proven {
			results = append(results, change(u)...)
		} else {
			results = append(results, r.challenge(u, c, manage, "mfa_required")...)
		}
	}
	return results
}

func (r Rules) enrollTOTP(u User, c Call) []Result {
	if c.Bad {
		return refused("invalid_request")
	}
	return r.mayChange(u, c, func(u User) []Result {
		expires := c.At.Add(enrollmentTTL)
		u.pendingTOTP = pending{on: true, begun: c.At, expires: expires, proven: u.enrolled(), app: c.NewApp}
		return done(u, "ok until "+timeText(expires), "enrollment_started:totp:enroll ")
	})
}

func (r Rules) enrollSMS(u User, c Call) []Result {
	switch {
	case !c.Sender:
		return refused("method_unavailable")
	case c.Bad:
		return refused("invalid_phone")
	}
	return r.mayChange(u, c, func(u User) []Result {
		if wait := throttled(c.At, u.nextSend(), enroll); wait != nil {
			return wait
		}
		if c.Refused {
			return refused("method_unavailable")
		}
		counted := u
		if c.Counted {
			if wait := throttled(c.At, u.number.next(), enroll); wait != nil {
				return wait
			}
			u.number = u.number.add(c.At)
			counted = u
		}
		expires := c.At.Add(codeTTL) // the number waits no longer than its code
		u.pendingSMS = pending{on: true, begun: c.At, expires: expires, proven: u.enrolled(), number: c.Phone, code: c.NewCode}
		u.send(c.At)
		sent := messageText(c.Phone, enroll, expires)
		if c.SendFails {
			void := u
			void.pendingSMS, void.cooldown = pending{}, time.Time{}
			return []Result{{Outcome{"delivery_failed", "enrollment_started:sms:enroll delivery_failed:sms:enroll ", sent}, []User{counted, u, void}}}
		}
		return []Result{{Outcome{deliveryText(c.Phone, expires, u.nextSend()), "enrollment_started:sms:enroll code_sent:sms:enroll ", sent}, []User{counted, u}}}
	})
}

func (r Rules) verifyEnrollment(u User, c Call) []Result {
	switch {
	case c.Method != totp && c.Method != sms, c.Method == sms && !c.Sender:
		return refused("method_unavailable")
	case len(c.Code) > 64:
		return refused("invalid_code")
	}
	p := &u.pendingTOTP
	if c.Method == sms {
		p = &u.pendingSMS
	}
	var results []Result
	for _, alive := range p.alive(c.At) {
		if alive {
			results = append(results, r.confirm(u, c)...)
		} else {
			results = append(results, refused("no_pending_enrollment")...)
		}
	}
	return results
}

// confirm judges a code of a pending factor.
func (r Rules) confirm(u User, c Call) []Result {
	p := &u.pendingTOTP
	if c.Method == sms {
		p = &u.pendingSMS
	}
	digits, _ := sort(c.Code)
	step, right := r.match(p.app, digits, c.At)
	if c.Method == sms {
		right = digits == p.code && digits != ""
	}
	if right {
		number, app := p.number, p.app
		*p = pending{}
		if c.Method == sms {
			u.setSMS(c, number)
		} else {
			u.setTOTP(c, authenticator{app: app, spent: []int64{step}, taken: 1})
		}
		u = u.clone()
		result := u.login(c, c.Method, enroll)
		return done(u, result, "enrolled:"+c.Method+":enroll ")
	}
	var results []Result
	if digits == "" { // no code of this kind at all: whether it is charged is open
		results = refused(wrongText(maxTries - p.failures))
	}
	p.over = false
	p.failures++
	left := maxTries - p.failures
	if left == 0 {
		*p = pending{}
	}
	return append(results, done(u, wrongText(left), "refused:enroll ")...)
}

func (u *User) setTOTP(c Call, a authenticator) {
	had, replaced := u.enrolled(), u.totp.on
	a.factor = factor{on: true, enrolled: c.At}
	u.totp = a
	u.confirmed(c, had, replaced)
}

func (u *User) setSMS(c Call, number string) {
	had, replaced := u.enrolled(), u.sms.on
	u.sms = phone{factor{on: true, enrolled: c.At}, number}
	u.confirmed(c, had, replaced)
}

// confirmed ends what a first or another factor ends, and drops what was begun
// before there was anything to prove.
func (u *User) confirmed(c Call, had, replaced bool) {
	if !had || replaced {
		u.epoch = c.Serial
	}
	u.devices = c.Serial
	for _, p := range []*pending{&u.pendingTOTP, &u.pendingSMS} {
		if !p.proven {
			*p = pending{}
		}
	}
}

func (r Rules) importTOTP(u User, c Call) []Result {
	if c.Bad {
		return refused("invalid_request")
	}
	imported := authenticator{app: c.App}
	if u.totp.on && u.totp.app == c.App {
		imported = u.totp // with its spent steps
	}
	u.setTOTP(c, imported)
	return done(u, "ok", "enrolled:totp: ")
}

func (r Rules) importSMS(u User, c Call) []Result {
	if c.Bad {
		return refused("invalid_phone")
	}
	u.setSMS(c, c.Phone)
	return done(u, "ok", "enrolled:sms: ")
}

func (r Rules) generate(u User, c Call) []Result {
	if !u.enrolled() {
		return refused("not_enrolled")
	}
	return r.mayChange(u, c, func(u User) []Result {
		codes := c.NewCodes
		if codes == nil { // lost with the answer
			codes = make([]string, r.Codes)
		}
		u.backup = backupCodes{factor{on: true, enrolled: c.At}, codes}
		return done(u, "ok", "backup_codes_generated:backup_code: ")
	})
}

func (r Rules) unenroll(u User, c Call) []Result {
	switch {
	case !u.factor(c.Method).on:
		return refused("not_enrolled")
	case c.NoPolicy:
		return refused("internal")
	case c.Required:
		return refused("mfa_enforced")
	}
	return r.mayChange(u, c, func(u User) []Result {
		switch c.Method {
		case totp:
			u.totp = authenticator{}
		case sms:
			u.sms = phone{}
		}
		if c.Method == backup || !u.enrolled() {
			u.backup = backupCodes{}
		}
		if c.Method != backup {
			u.pendingTOTP, u.pendingSMS = pending{}, pending{} // begun under a proof that ends here
			u.renew(c.Serial)
		}
		return done(u, "ok", "unenrolled:"+c.Method+": ")
	})
}
