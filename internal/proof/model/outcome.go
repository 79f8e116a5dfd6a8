package model

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Outcome describes the visible effects of a call as text, so that those of the
// model and of the engine can be compared.
type Outcome struct {
	Result string // "ok" or the error's code, with its data
	Told   string // the events
	Sent   string // the message
}

func outcome(result string, told ...event) Outcome {
	o := Outcome{Result: result}
	for _, e := range told {
		o.Told += e.String()
	}
	return o
}

// An event is an event passed to OnEvent, with Serials in place of IDs.
type event struct {
	kind, method, action string
	challenge, factor    int
	phone, replaced      string // masked
	failures             int
}

func (e event) String() string {
	text := e.kind + ":" + e.method + ":" + e.action
	for _, number := range []struct {
		sign string
		n    int
	}{{"#", e.challenge}, {"f", e.factor}, {"x", e.failures}} {
		if number.n != 0 {
			text += ":" + number.sign + strconv.Itoa(number.n)
		}
	}
	for _, phone := range []string{e.phone, e.replaced} {
		if phone != "" {
			text += ":" + phone
		}
	}
	return text + " "
}

func timeText(t time.Time) string { return t.Format("2006-01-02 15:04:05.999999999") }

func throttledText(wait time.Duration, sending bool) string {
	if sending {
		return "too_many_messages for " + wait.String()
	}
	return "too_many_attempts for " + wait.String()
}

// Why a code was wrong, if the error says so.
const (
	spent  = ", spent"
	cloned = ", cloned"
)

func wrongText(triesLeft int, how string) string {
	return "invalid_code, tries left: " + strconv.Itoa(triesLeft) + how
}

func challengeText(result, action string, methods []string, factors []shown, expires time.Time) string {
	return fmt.Sprint(result, " ", action, " by ", methods, factors, " until ", timeText(expires))
}

func loginText(method, action string, factor int, amr []string, at time.Time, codesLeft int, proof bool) string {
	return fmt.Sprintf("ok: %s by %s #%d %v at %s, %d backup codes left, proof: %t", action, method, factor, amr, timeText(at), codesLeft, proof)
}

func deliveryText(number string, expires, resend time.Time) string {
	return "ok: sent to " + mask(number) + ", until " + timeText(expires) + ", again " + timeText(resend)
}

func messageText(number, action string, expires time.Time) string {
	return number + " for " + action + " until " + timeText(expires)
}

// mask keeps the first three characters and the last three.
func mask(number string) string {
	if number == "" {
		return ""
	}
	return number[:3] + "*****" + number[len(number)-3:]
}

// A shown is what users and hosts see of a factor or device.
type shown struct {
	serial               int
	method, label, phone string
	since, used, until   time.Time
	disabled             bool
	retryAt              time.Time
}

func (s shown) String() string {
	text := fmt.Sprintf("%s #%d %q %s", s.method, s.serial, s.label, s.phone)
	for _, at := range []struct {
		what string
		time time.Time
	}{{"since", s.since}, {"used", s.used}, {"until", s.until}, {"again at", s.retryAt}} {
		if !at.time.IsZero() {
			text += " " + at.what + " " + timeText(at.time)
		}
	}
	if s.disabled { // the contract leaves open when it may be tried again
		text, _, _ = strings.Cut(text, " again at")
		text += " disabled"
	}
	return text
}

func statusText(factors []shown, codesLeft int, required bool) string {
	return fmt.Sprintf("ok: %v, %d backup codes left, required: %t", factors, codesLeft, required)
}

// status describes the user's status, and the devices too if c is a look.
func (r Rules) status(u User, c Call) []Result {
	if c.NoPolicy {
		return refused("internal")
	}
	var factors []shown
	for _, f := range u.factors {
		l := u.lane(f.method)
		s := f.shown()
		s.since, s.used, s.disabled = f.enrolled, f.used, l.disabled
		if retryAt := l.retryAt(f.method); c.At.Before(retryAt) {
			s.retryAt = retryAt
		}
		factors = append(factors, s)
	}
	text := statusText(factors, u.codesLeft(), c.Required)
	if c.Op == look {
		text += u.devicesText(c.At)
	}
	return refused(text)
}
