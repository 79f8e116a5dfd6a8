package model

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// answers returns the methods that a user may answer with.
func (u User) answers(sender bool) (methods []string) {
	if u.totp.on && !u.totp.lane.disabled {
		methods = append(methods, totp)
	}
	if u.sms.on && !u.sms.lane.disabled && sender {
		methods = append(methods, sms)
	}
	if u.backup.on && !u.backup.lane.disabled && len(u.backup.codes) > 0 {
		methods = append(methods, backup)
	}
	return methods
}

// challenge asks a user for a code.
func (r Rules) challenge(u User, c Call, action, result string) []Result {
	methods := u.answers(c.Sender)
	if len(methods) == 0 {
		disabled := u.totp.on && u.totp.lane.disabled || u.sms.on && u.sms.lane.disabled
		unavailable := u.sms.on && !u.sms.lane.disabled
		var results []Result
		if disabled || u.backup.lane.disabled {
			results = append(results, refused("factor_disabled")...)
		}
		if unavailable {
			results = append(results, refused("method_unavailable")...)
		}
		return results
	}
	u = u.clone()
	number := ""
	if slices.Contains(methods, sms) {
		number = u.sms.number
	}
	expires := c.At.Add(challengeTTL)
	u.issue(token{serial: c.Serial, kind: challengeToken, action: action, issued: c.At, expires: expires, epoch: u.epoch})
	return done(u, challengeText(result, action, methods, number, expires), "challenged:"+action+" ")
}

func (r Rules) beginLogin(u User, c Call) []Result {
	if !u.enrolled() {
		switch {
		case c.NoPolicy:
			return refused("internal")
		case !c.Required:
			return refused("ok")
		}
		u = u.clone()
		expires := c.At.Add(enrollmentTTL)
		u.issue(token{serial: c.Serial, kind: enrollmentToken, issued: c.At, expires: expires, epoch: u.epoch})
		methods := []string{totp}
		if c.Sender {
			methods = append(methods, sms)
		}
		return done(u, challengeText("mfa_enrollment_required", "", methods, "", expires), "")
	}
	var results []Result
	for _, trusted := range u.alive(deviceToken, c.Token, c.At) {
		if trusted {
			results = append(results, Result{Outcome: Outcome{Result: "ok", Told: "device_accepted:login "}})
		} else {
			results = append(results, r.challenge(u, c, login, "mfa_required")...)
		}
	}
	return results
}

func (r Rules) enrollmentUser(u User, c Call) []Result {
	var results []Result
	for _, alive := range u.alive(enrollmentToken, c.Token, c.At) {
		if alive && !u.enrolled() {
			results = append(results, refused("ok")...)
		} else {
			results = append(results, refused("invalid_token")...)
		}
	}
	return results
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

func (r Rules) trustDevice(u User, c Call) []Result {
	var results []Result
	for _, proven := range u.alive(proofToken, c.Token, c.At) {
		if !proven || !u.enrolled() {
			results = append(results, refused("invalid_token")...)
			continue
		}
		u := u.clone()
		expires := c.At.Add(deviceTTL)
		u.issue(token{serial: c.Serial, kind: deviceToken, issued: c.At, expires: expires, epoch: u.devices})
		results = append(results, done(u, "ok until "+timeText(expires), "device_trusted ")...)
	}
	return results
}

// sendCode sends a code for a challenge.
func (r Rules) sendCode(u User, c Call) []Result {
	var results []Result
	for _, alive := range u.alive(challengeToken, c.Token, c.At) {
		if alive {
			results = append(results, r.send(u.clone(), c)...)
		} else {
			results = append(results, refused("invalid_token")...)
		}
	}
	return results
}

func (r Rules) send(u User, c Call) []Result {
	i := u.find(challengeToken, c.Token)
	t := &u.tokens[i]
	switch {
	case !c.Sender, !u.sms.on:
		return refused("method_unavailable")
	case u.sms.lane.disabled:
		return refused("factor_disabled")
	}
	share := func() time.Time { // three for one challenge
		if t.sends >= 3 {
			return later(u.nextSend(), t.expires)
		}
		return u.nextSend()
	}
	if wait := throttled(c.At, later(u.sms.lane.retryAt(sms), share()), t.action); wait != nil {
		return wait
	}
	if c.Refused {
		return refused("method_unavailable")
	}
	t.sends++
	t.code, t.codeExpires = c.NewCode, earlier(c.At.Add(codeTTL), t.expires)
	u.send(c.At)
	u.remember(c.Token, c.At)
	sent := messageText(u.sms.number, t.action, t.codeExpires)
	if c.SendFails {
		void := u.clone()
		void.tokens[i].code = ""
		void.cooldown = time.Time{}
		return []Result{{Outcome{"delivery_failed", "delivery_failed:sms:" + t.action + " ", sent}, []User{u, void}}}
	}
	return []Result{{Outcome{deliveryText(u.sms.number, t.codeExpires, share()), "code_sent:sms:" + t.action + " ", sent}, []User{u}}}
}

// answer judges a code for a challenge.
func (r Rules) answer(u User, c Call, action string) []Result {
	alive := u.alive(challengeToken, c.Token, c.At)
	if i := u.find(challengeToken, c.Token); i >= 0 && u.tokens[i].action != action {
		alive = []bool{false}
	}
	var results []Result
	if len(c.Code) > 64 {
		results = refused("invalid_code")
	}
	for _, alive := range alive {
		switch {
		case !alive:
			results = append(results, refused("invalid_token")...)
		case len(c.Code) <= 64:
			results = append(results, r.judge(u.clone(), c)...)
		}
	}
	return results
}

func (r Rules) judge(u User, c Call) []Result {
	t := u.tokens[u.find(challengeToken, c.Token)]
	digits, letters := sort(c.Code)
	var asked []string
	switch {
	case letters != "":
		if u.backup.on {
			asked = []string{backup}
		}
	case digits != "":
		if u.sms.on && t.code != "" && c.At.Before(t.codeExpires) {
			asked = append(asked, sms)
		}
		if u.totp.on {
			asked = append(asked, totp)
		}
	default:
		return refused(wrongText(t.triesLeft()))
	}
	open, blocked := u.open(asked, c.At, t.action)
	if blocked != nil {
		return blocked
	}
	for _, method := range open {
		var step int64
		var right bool
		switch method {
		case sms:
			right = digits == t.code
		case totp:
			step, right = r.match(u.totp.app, digits, c.At)
			if right && !u.totp.spend(step) {
				return []Result{{Outcome: Outcome{Result: wrongText(t.triesLeft()), Told: "replayed:totp:" + t.action + " "}}}
			}
		case backup:
			right = slices.Contains(u.backup.codes, letters)
		}
		if right {
			return r.accept(u, c, method, letters)
		}
	}
	return r.refuse(u, c, open)
}

// open leaves out what is delayed or disabled.
func (u User) open(asked []string, now time.Time, action string) (open []string, blocked []Result) {
	var next time.Time
	for _, method := range asked {
		l := u.factor(method).lane
		switch retryAt := l.retryAt(method); {
		case l.disabled:
		case !now.Before(retryAt):
			open = append(open, method)
		case next.IsZero() || retryAt.Before(next):
			next = retryAt
		}
	}
	switch {
	case len(open) > 0 || len(asked) == 0:
		return open, nil
	case next.IsZero():
		return nil, []Result{{Outcome: Outcome{Result: "factor_disabled", Told: "throttled:" + action + " "}}}
	}
	return nil, throttled(now, next, action)
}

// accept lets the user in. A backup code was paid for before.
func (r Rules) accept(u User, c Call, method, letters string) []Result {
	var then []User
	i := u.find(challengeToken, c.Token)
	switch method {
	case totp:
		u.totp.succeed(c.At)
	case sms:
		u.sms.succeed(c.At)
	case backup:
		for _, charged := range r.refuse(u.clone(), c, []string{backup}) {
			then = append(then, charged.Then...)
		}
		u.backup.succeed(c.At)
		at := slices.Index(u.backup.codes, letters)
		u.backup.codes = slices.Delete(slices.Clone(u.backup.codes), at, at+1)
	}
	action := u.tokens[i].action
	u.tokens[i].used = true
	u.remember(c.Token, c.At)
	result := u.login(c, method, action)
	return []Result{{Outcome{result, "verified:" + method + ":" + action + " ", ""}, append(then, u)}}
}

// login returns what a user gets who has proved a factor.
func (u *User) login(c Call, method, action string) (result string) {
	proof := action == login || action == enroll || action == manage
	if proof {
		u.issue(token{serial: c.Serial, kind: proofToken, issued: c.At, expires: c.At.Add(proofTTL), epoch: u.epoch})
	}
	return loginText(method, action, c.At, len(u.backup.codes), proof)
}

// refuse charges a wrong code to the challenge and to what it was compared with.
func (r Rules) refuse(u User, c Call, compared []string) []Result {
	t := &u.tokens[u.find(challengeToken, c.Token)]
	t.failures++
	result := wrongText(t.triesLeft())
	told := []string{"refused:" + t.action + " "}
	u.remember(c.Token, c.At)
	states := []User{u}
	for _, method := range compared {
		var next []User
		var tell []string
		for i, u := range states {
			for _, l := range u.factor(method).lane.fail(c.At) {
				v, text := u, told[i]
				if l.disabled && !u.factor(method).lane.disabled {
					text += "factor_disabled:" + method + ":" + t.action + " "
				}
				v.setLane(method, l)
				next, tell = append(next, v), append(tell, text)
			}
		}
		states, told = next, tell
	}
	var results []Result
	for i, u := range states {
		results = append(results, done(u, result, told[i])...)
	}
	return results
}

// sort tells digits from letters, white space and dashes dropped. Letters are
// brought into the form of a backup code.
func sort(code string) (digits, letters string) {
	code = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) {
			return -1
		}
		return r
	}, code)
	switch {
	case code != "" && strings.Trim(code, "0123456789") == "":
		return code, ""
	case strings.ContainsFunc(code, unicode.IsLetter):
		return "", strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(code))
	}
	return "", ""
}
