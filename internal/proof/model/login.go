package model

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// challenge asks a user for a code. It is an error if the user has nothing to
// answer with.
func (r Rules) challenge(u User, c Call, action, result string) []Result {
	refusal := "method_unavailable"
	var offered []string
	var factors []shown
	for _, f := range u.factors {
		switch {
		case u.lane(f.method).disabled:
			refusal = "factor_disabled"
		case !c.offers(f.method), f.method == backup && len(f.codes) == 0:
		default:
			factors = append(factors, f.shown())
			if !slices.Contains(offered, f.method) {
				offered = append(offered, f.method)
			}
		}
	}
	if len(offered) == 0 {
		return refused(refusal)
	}
	expires := c.At.Add(challengeTTL)
	u.issue(token{serial: c.Serial, kind: challengeToken, action: action, issued: c.At, expires: expires, epoch: u.epoch})
	return done(u, challengeText(result, action, offered, factors, expires), event{kind: "challenged", action: action, challenge: c.Serial})
}

func (r Rules) beginLogin(u User, c Call) []Result {
	if !u.enrolled() {
		return r.withoutFactor(u, c)
	}
	var results []Result
	for _, trusted := range u.alive(deviceToken, c.Token, c.At) {
		if trusted {
			results = append(results, u.clone().passOn(c)...)
		} else {
			results = append(results, r.challenge(u.clone(), c, login, "mfa_required")...)
		}
	}
	return results
}

func (r Rules) withoutFactor(u User, c Call) []Result {
	switch {
	case c.Expect:
		return refused("not_enrolled")
	case c.NoPolicy:
		return refused("internal")
	case !c.Required:
		return refused("ok", event{kind: "passed", action: login})
	}
	var offered []string
	for _, method := range methods[:3] {
		if c.offers(method) {
			offered = append(offered, method)
		}
	}
	expires := c.At.Add(enrollmentTTL)
	u.issue(token{serial: c.Serial, kind: enrollmentToken, issued: c.At, expires: expires, epoch: u.epoch})
	return done(u, challengeText("mfa_enrollment_required", "", offered, nil, expires), event{kind: "enrollment_required", action: login})
}

func (r Rules) enrollmentUser(u User, c Call) []Result {
	return u.withToken(enrollmentToken, c, func(u User, c Call) []Result {
		if u.enrolled() {
			return u.refuseToken(enrollmentToken, c.Token)
		}
		return refused("ok")
	})
}

func (r Rules) beginStepUp(u User, c Call) []Result {
	switch {
	case c.Bad, c.Action == login, c.Action == enroll:
		return refused("invalid_request")
	case !u.enrolled():
		return refused("not_enrolled")
	}
	return r.challenge(u, c, c.Action, "ok")
}

func (r Rules) passkeyOptions(u User, c Call) []Result {
	about := u.tokens[u.find(challengeToken, c.Token)].event("")
	l := u.lane(passkey)
	switch {
	case !c.Verifier, !u.has(passkey):
		return refused("method_unavailable")
	case l.disabled:
		return refused("factor_disabled")
	}
	if wait := throttled(c.At, l.retryAt(passkey), false, about); wait != nil {
		return wait
	}
	return refused("ok")
}

// send sends a code for a challenge.
func (r Rules) send(u User, c Call) []Result {
	i := u.find(challengeToken, c.Token)
	t := &u.tokens[i]
	to, l := u.phone(c.To), u.lane(sms)
	switch {
	case !c.Sender, !u.has(sms):
		return refused("method_unavailable")
	case to == nil:
		return refused("not_enrolled")
	case l.disabled:
		return refused("factor_disabled")
	}
	share := func() time.Time { // a challenge allows three messages
		if t.sends >= 3 {
			return later(u.nextSend(), t.expires)
		}
		return u.nextSend()
	}
	if wait := throttled(c.At, later(l.retryAt(sms), share()), true, t.event("")); wait != nil {
		return wait
	}
	if c.Refused {
		return refused("method_unavailable")
	}
	t.sends++
	t.code, t.codeExpires, t.phone = c.NewCode, earlier(c.At.Add(codeTTL), t.expires), to.serial
	u.send(c.At)
	u.remember(c.Token, c.At)
	told := t.event("code_sent")
	told.method, told.factor, told.phone = sms, to.serial, mask(to.number)
	o := outcome(deliveryText(to.number, t.codeExpires, share()), told)
	then := []User{u}
	if c.SendFails {
		void := u.clone()
		void.tokens[i].code = ""
		void.cooldown = time.Time{}
		told.kind = "delivery_failed"
		o, then = outcome("delivery_failed", told), append(then, void)
	}
	o.Sent = messageText(to.number, t.action, t.codeExpires)
	return []Result{{o, then}}
}

// answer judges an answer to a challenge.
func (r Rules) answer(u User, c Call) []Result {
	action := c.Action
	if c.Op == "VerifyLogin" {
		action = login
	} else if action == login {
		action = "" // no challenge has this action
	}
	var results []Result
	if malformed(c) {
		results = refused("invalid_code")
	}
	if i := u.find(challengeToken, c.Token); i >= 0 && (u.tokens[i].action != action || c.Caller != "") {
		return append(results, u.refuseToken(challengeToken, c.Token)...)
	}
	return append(results, u.withToken(challengeToken, c, func(u User, c Call) []Result {
		if malformed(c) {
			return nil
		}
		return r.judge(u, c)
	})...)
}

// judge compares an answer with each of the user's factors that it could be for.
// An answer that is compared with none is not counted as a failure.
func (r Rules) judge(u User, c Call) []Result {
	t := u.tokens[u.find(challengeToken, c.Token)]
	digits, letters := read(c)
	var asked []string
	ask := func(method string, may bool) {
		if may && u.has(method) {
			asked = append(asked, method)
		}
	}
	ask(passkey, c.Passkey != nil && c.Verifier)
	ask(backup, letters != "")
	ask(sms, digits != "" && t.code != "" && c.At.Before(t.codeExpires) && u.phone(t.phone) != nil)
	ask(totp, digits != "")
	if len(asked) == 0 {
		return refused(wrongText(t.triesLeft(), ""))
	}
	open, blocked := u.open(asked, c.At, t)
	if blocked != nil {
		return blocked
	}
	replayed := false
	for _, method := range open {
		var by *factor
		switch method {
		case passkey:
			if by = u.passkey(c.Passkey.Key); by != nil && c.Passkey.To == c.Token {
				if c.Passkey.Counter <= by.counter {
					return refused(wrongText(t.triesLeft(), cloned), t.event("refused"))
				}
				by.counter = c.Passkey.Counter
			} else {
				by = nil
			}
		case sms:
			if digits == t.code {
				by = u.phone(t.phone)
			}
		case totp:
			by, replayed = r.spend(u, digits, c.At)
		case backup:
			for _, i := range u.of(backup, 0) {
				if f := &u.factors[i]; slices.Contains(f.codes, letters) {
					by = f
				}
			}
		}
		if by != nil {
			return r.accept(u, c, by, letters)
		}
	}
	if replayed {
		told := t.event("replayed")
		told.method = totp
		return refused(wrongText(t.triesLeft(), spent), told)
	}
	return r.refuse(u, c, open)
}

// spend uses up a code in every app that shows it, and returns the first app that
// accepts it.
func (r Rules) spend(u User, digits string, now time.Time) (by *factor, replayed bool) {
	for _, i := range u.of(totp, 0) {
		f := &u.factors[i]
		step, ok := r.match(f.app, digits, now)
		switch {
		case !ok:
		case !f.spend(step):
			replayed = true
		case by == nil:
			by = f
		}
	}
	return by, replayed
}

// open returns the methods that are neither delayed nor disabled, or a refusal if
// there is none.
func (u User) open(asked []string, now time.Time, t token) (open []string, blocked []Result) {
	var next time.Time
	for _, method := range asked {
		l := u.lane(method)
		switch retryAt := l.retryAt(method); {
		case l.disabled:
		case !now.Before(retryAt):
			open = append(open, method)
		case next.IsZero() || retryAt.Before(next):
			next = retryAt
		}
	}
	switch {
	case len(open) > 0:
		return open, nil
	case next.IsZero():
		return nil, refused("factor_disabled", t.event("throttled"))
	}
	return nil, throttled(now, next, false, t.event(""))
}

// accept lets the user in. A backup code was charged as a failure before it was
// judged.
func (r Rules) accept(u User, c Call, by *factor, letters string) []Result {
	var then []User
	i := u.find(challengeToken, c.Token)
	if by.method == backup {
		for _, charged := range r.refuse(u.clone(), c, []string{backup}) {
			then = append(then, charged.Then...)
		}
		at := slices.Index(by.codes, letters)
		by.codes = slices.Delete(slices.Clone(by.codes), at, at+1)
	}
	u.lane(by.method).succeed()
	by.used = c.At
	u.tokens[i].used = true
	u.remember(c.Token, c.At)
	action := u.tokens[i].action
	told := by.event("verified")
	told.action, told.challenge = action, c.Token
	result := u.login(c, *by, action, amr(by.method, c))
	return []Result{{outcome(result, told), append(then, u)}}
}

// login returns the text of a Login by a factor, and issues its proof.
func (u *User) login(c Call, by factor, action string, amr []string) (result string) {
	proof := action == login || action == enroll || action == manage
	if proof {
		u.issue(token{serial: c.Serial, kind: proofToken, issued: c.At, expires: c.At.Add(proofTTL), epoch: u.epoch})
	}
	return loginText(by.method, action, by.serial, amr, c.At, u.codesLeft(), proof)
}

// amr returns the authentication method references of an answer (RFC 8176).
func amr(method string, c Call) []string {
	switch {
	case method == passkey && c.Passkey != nil && c.Passkey.Verified:
		return []string{"pop", "user", "mfa"}
	case method == passkey:
		return []string{"pop", "mfa"}
	case method == totp:
		return []string{"otp", "mfa"}
	case method == sms:
		return []string{"sms", "mfa"}
	}
	return []string{"mfa"}
}

// refuse charges a wrong answer to the challenge and to the methods that it was
// compared with. A backup code is charged before it is judged.
func (r Rules) refuse(u User, c Call, compared []string) []Result {
	t := &u.tokens[u.find(challengeToken, c.Token)]
	t.failures++
	u.remember(c.Token, c.At)
	states := []User{u}
	for _, method := range compared {
		var next []User
		for _, u := range states {
			for _, l := range u.lane(method).fail(c.At) {
				v := u
				*v.lane(method) = l
				next = append(next, v)
			}
		}
		states = next
	}
	var results []Result
	for _, v := range states {
		told := []event{t.event("refused")}
		for _, method := range compared {
			told[0].failures = max(told[0].failures, v.lane(method).row)
		}
		for _, method := range compared {
			if v.lane(method).disabled && !u.lane(method).disabled {
				e := t.event("factor_disabled")
				e.method, e.failures = method, told[0].failures
				told = append(told, e)
			}
		}
		result := Result{outcome(wrongText(t.triesLeft(), ""), told...), []User{v}}
		if compared[0] == backup {
			result.Then = append(result.Then, v)
		}
		results = append(results, result)
	}
	return results
}

// malformed reports whether an answer is refused before anything else is done.
func malformed(c Call) bool {
	return c.Passkey == nil && (len(c.Code) > 64 || strings.HasPrefix(c.Code, "{"))
}

// read returns the code without white space and dashes, as digits or as letters.
// Letters are normalized like a backup code. A passkey's JSON is neither.
func read(c Call) (digits, letters string) {
	code := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) {
			return -1
		}
		return r
	}, c.Code)
	switch {
	case c.Passkey != nil:
		return "", ""
	case code != "" && strings.Trim(code, "0123456789") == "":
		return code, ""
	case strings.ContainsFunc(code, unicode.IsLetter):
		return "", strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(code))
	}
	return "", ""
}

func (u User) passkey(key string) *factor {
	for _, i := range u.of(passkey, 0) {
		if u.factors[i].key == key {
			return &u.factors[i]
		}
	}
	return nil
}
