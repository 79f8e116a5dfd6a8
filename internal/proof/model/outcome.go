package model

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Outcome is what a call shows, in words: those of the model and those of
// what the engine did are the same or differ.
type Outcome struct {
	Result string // "ok" or the error's code, with the data that come with it
	Told   string // the events
	Sent   string // the message
}

func timeText(t time.Time) string { return t.Format("2006-01-02 15:04:05.999999999") }

func throttledText(wait time.Duration) string { return "too_many_attempts for " + wait.String() }

func wrongText(triesLeft int) string {
	return "invalid_code, tries left: " + strconv.Itoa(triesLeft)
}

func challengeText(result, action string, methods []string, number string, expires time.Time) string {
	return result + " " + action + " by " + strings.Join(methods, " ") + " " + mask(number) + " until " + timeText(expires)
}

func loginText(method, action string, at time.Time, codesLeft int, proof bool) string {
	return fmt.Sprintf("ok: %s by %s at %s, %d backup codes left, proof: %t", action, method, timeText(at), codesLeft, proof)
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

// factorText is one line of a status. When a disabled factor may be tried again
// is left open.
func factorText(method, number string, enrolled, used time.Time, disabled bool, retryAt time.Time) string {
	text := method + " " + number + " since " + timeText(enrolled)
	if !used.IsZero() {
		text += " used " + timeText(used)
	}
	if disabled {
		return text + " disabled; "
	}
	if !retryAt.IsZero() {
		text += " again at " + timeText(retryAt)
	}
	return text + "; "
}

// status returns what there is to show.
func (r Rules) status(u User, c Call) []Result {
	if c.NoPolicy {
		return refused("internal")
	}
	return refused(u.statusText(c.At, c.Required))
}

func (u User) statusText(now time.Time, required bool) string {
	text := "ok: "
	for _, method := range []string{totp, sms, backup} {
		f := u.factor(method)
		if !f.on {
			continue
		}
		number := ""
		if method == sms {
			number = mask(u.sms.number)
		}
		retryAt := f.lane.retryAt(method)
		if !now.Before(retryAt) {
			retryAt = time.Time{}
		}
		text += factorText(method, number, f.enrolled, f.used, f.lane.disabled, retryAt)
	}
	return text + strconv.Itoa(len(u.backup.codes)) + " backup codes left, required: " + strconv.FormatBool(required)
}
