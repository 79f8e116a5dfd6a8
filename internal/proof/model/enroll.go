package model

import (
	"slices"
	"time"
)

// A pending is an enrollment that has begun and is not confirmed yet.
type pending struct {
	factor
	begun    time.Time
	expires  time.Time
	failures int
	over     bool // the clock has shown a time at which it had expired
	keep     bool
	replaces int
	code     string
}

// alive reports whether p can be confirmed. It returns both answers if the
// contract leaves that open.
func (p pending) alive(now time.Time) []bool {
	switch {
	case !now.Before(p.expires):
		return []bool{false}
	case p.over, p.begun.After(now):
		return []bool{true, false}
	}
	return []bool{true}
}

func (u *User) drop(method string) {
	u.pending = slices.DeleteFunc(u.pending, func(p pending) bool { return p.method == method })
}

// mayChange requires a proof if the user has a factor. A call without a valid proof
// is answered with a challenge.
func (r Rules) mayChange(u User, c Call, change func(u User) []Result) []Result {
	if !u.enrolled() || r.InsecureSkipProof {
		return change(u)
	}
	var results []Result
	for _, proven := range u.alive(proofToken, c.Token, c.At) {
		if proven {
			results = append(results, change(u.clone())...)
		} else {
			results = append(results, r.challenge(u.clone(), c, manage, "mfa_required")...)
		}
	}
	return results
}

func (r Rules) enroll(u User, c Call) []Result {
	method := map[string]string{"EnrollTOTP": totp, "EnrollSMS": sms, "EnrollPasskey": passkey}[c.Op]
	switch {
	case !c.offers(method):
		return refused("method_unavailable")
	case c.Keep && c.Only != 0, method == passkey && c.Only != 0:
		return refused("invalid_request")
	case c.Bad && method == sms:
		return refused("invalid_phone")
	case c.Bad:
		return refused("invalid_request")
	case c.Only != 0 && len(u.of(method, c.Only)) == 0:
		return refused("not_enrolled")
	}
	keep := c.Keep || method == passkey
	return r.mayChange(u, c, func(u User) []Result {
		if keep && len(u.of(method, 0)) >= most[method] {
			return refused("invalid_request")
		}
		p := pending{
			factor: factor{serial: c.Serial, method: method, label: c.Label, app: c.NewApp},
			begun:  c.At, expires: c.At.Add(enrollmentTTL), keep: keep, replaces: c.Only,
		}
		if method == sms {
			p.number, p.code, p.expires = c.Phone, c.NewCode, c.At.Add(codeTTL) // the pending number expires with its code
			return r.enrollPhone(u, c, p)
		}
		u.begin(p)
		return done(u, "ok until "+timeText(p.expires), p.about("enrollment_started"))
	})
}

// about returns an event about the enrollment.
func (p pending) about(kind string) event {
	e := p.event(kind)
	e.action = enroll
	return e
}

func (u *User) begin(p pending) {
	u.drop(p.method)
	u.pending = append(u.pending, p)
	u.exists = true
}

func (r Rules) enrollPhone(u User, c Call, p pending) []Result {
	about := event{action: enroll}
	if wait := throttled(c.At, u.nextSend(), true, about); wait != nil {
		return wait
	}
	if c.Refused {
		return refused("method_unavailable")
	}
	counted := u
	if c.Counted {
		if wait := throttled(c.At, u.number.next(), true, about); wait != nil {
			return wait
		}
		u.number = u.number.add(c.At)
		counted = u.clone()
	}
	u.begin(p)
	u.send(c.At)
	delivery := p.about("code_sent")
	o := outcome(deliveryText(p.number, p.expires, u.nextSend()), p.about("enrollment_started"), delivery)
	then := []User{counted, u}
	if c.SendFails {
		void := u.clone()
		void.drop(sms)
		void.cooldown = time.Time{}
		delivery.kind = "delivery_failed"
		o, then = outcome("delivery_failed", p.about("enrollment_started"), delivery), append(then, void)
	}
	o.Sent = messageText(p.number, enroll, p.expires)
	return []Result{{o, then}}
}

// verifyEnrollment confirms the pending factor of a method, or the one that was
// begun last.
func (r Rules) verifyEnrollment(u User, c Call) []Result {
	switch {
	case c.Method == backup, c.Method != "" && !c.offers(c.Method):
		return refused("method_unavailable")
	case malformed(c):
		return refused("invalid_code")
	}
	var results []Result
	for i, p := range slices.Backward(u.pending) {
		if c.Method != "" && c.Method != p.method {
			continue
		}
		for _, alive := range p.alive(c.At) {
			switch {
			case alive && !c.offers(p.method):
				results = append(results, refused("method_unavailable")...)
			case alive:
				results = append(results, r.confirm(u.clone(), c, i)...)
			case c.At.Before(p.expires): // the contract leaves open whether the one begun before it is meant
				results = append(results, refused("no_pending_enrollment")...)
			}
		}
		if slices.Equal(p.alive(c.At), []bool{true}) {
			return results
		}
	}
	return append(results, refused("no_pending_enrollment")...)
}

// confirm judges the answer to a pending enrollment.
func (r Rules) confirm(u User, c Call, i int) []Result {
	p := u.pending[i]
	digits, _ := read(c)
	right, amr := false, amr(p.method, c)
	switch {
	case p.method == passkey:
		if c.Passkey == nil {
			return refused(wrongText(maxTries-p.failures, ""))
		}
		p.key, p.counter = c.Passkey.Key, c.Passkey.Counter
		right = c.Passkey.To == p.serial && u.passkey(p.key) == nil
	case digits == "":
		return refused(wrongText(maxTries-p.failures, ""))
	case p.method == totp:
		var step int64
		if step, right = r.match(p.app, digits, c.At); right {
			p.spend(step)
		}
	default:
		right = digits == p.code
	}
	if !right {
		return u.refusePending(i)
	}
	told := p.about("enrolled")
	if !p.keep && u.has(p.method) {
		told.kind = "replaced"
		if p.method == sms {
			told.replaced = mask(u.phone(p.replaces).number)
		}
	}
	u.admit(c, p)
	result := u.login(c, p.factor, enroll, amr)
	return done(u, result, told)
}

func (u User) refusePending(i int) []Result {
	p := &u.pending[i]
	p.failures++
	p.over = false
	left := maxTries - p.failures
	if left == 0 {
		u.drop(p.method)
	}
	return done(u, wrongText(left, ""), event{kind: "refused", action: enroll})
}

// admit adds a confirmed factor, and invalidates what a first or an additional
// factor invalidates.
func (u *User) admit(c Call, p pending) {
	had, replaces := u.enrolled(), !p.keep && u.has(p.method)
	u.drop(p.method)
	if replaces {
		u.discard(p.method, p.replaces)
	}
	p.enrolled = c.At
	u.add(p.factor)
	if !had || replaces {
		u.renew(c.Serial)
	}
	u.devices = nil
}

// importFactor imports an app or a phone for a user without a factor.
func (r Rules) importFactor(u User, c Call) []Result {
	f := factor{serial: c.Serial, method: totp, app: c.App}
	bad := "invalid_request"
	if c.Op == "ImportSMS" {
		f, bad = factor{serial: c.Serial, method: sms, number: c.Phone}, "invalid_phone"
	}
	if c.Bad {
		return refused(bad)
	}
	for _, i := range u.of(f.method, 0) {
		if u.factors[i].app == f.app && u.factors[i].number == f.number {
			return refused("ok")
		}
	}
	if u.has(f.method) {
		return refused("already_enrolled")
	}
	u.pending = nil
	u.admit(c, pending{factor: f})
	return done(u, "ok", f.event("enrolled"))
}

func (r Rules) generate(u User, c Call) []Result {
	if !u.enrolled() {
		return refused("not_enrolled")
	}
	return r.mayChange(u, c, func(u User) []Result {
		if wait := throttled(c.At, u.sets.next(), false, event{}); wait != nil {
			return wait
		}
		u.sets = u.sets.add(c.At)
		u.sets = u.sets[max(0, len(u.sets)-5):]
		counted := u.clone()
		codes := c.NewCodes
		if codes == nil { // lost with the answer
			codes = make([]string, r.Codes)
		}
		u.discard(backup, 0)
		u.add(factor{method: backup, enrolled: c.At, codes: codes})
		return []Result{{outcome("ok", event{kind: "backup_codes_generated", method: backup}), []User{counted, u}}}
	})
}

func (r Rules) unenroll(u User, c Call) []Result {
	switch {
	case c.Keep && c.Only != 0:
		return refused("invalid_request")
	case len(u.of(c.Method, c.Only)) == 0:
		return refused("not_enrolled")
	case c.NoPolicy && c.Method != backup:
		return refused("internal")
	case c.Required && c.Method != backup:
		return refused("mfa_enforced", event{kind: "enforced", method: c.Method})
	}
	return r.mayChange(u, c, func(u User) []Result { return u.remove(c, "unenrolled") })
}

func (r Rules) revoke(u User, c Call) []Result {
	switch {
	case c.Keep && c.Only != 0:
		return refused("invalid_request")
	case len(u.of(c.Method, c.Only)) == 0:
		return refused("not_enrolled")
	}
	return u.remove(c, "revoked")
}

// remove removes factors, and the backup codes along with the last one.
func (u User) remove(c Call, kind string) []Result {
	var told []event
	for _, i := range u.of(c.Method, c.Only) {
		told = append(told, u.factors[i].event(kind))
	}
	u.discard(c.Method, c.Only)
	if c.Method != backup {
		if !u.enrolled() {
			u.discard(backup, 0)
		}
		u.renew(c.Serial)
	}
	return done(u, "ok", told...)
}

func (r Rules) rename(u User, c Call) []Result {
	if c.Bad {
		return refused("invalid_request")
	}
	for i := range u.factors {
		if f := &u.factors[i]; f.serial == c.Only && f.method != backup {
			f.label = c.Label
			return done(u, "ok")
		}
	}
	return refused("not_enrolled")
}
