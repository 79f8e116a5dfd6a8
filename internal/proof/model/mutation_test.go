package model

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/protekt/mfa/internal/proof/flaw"
)

// mutations are faults of the engine that TestRandomHistories finds.
var mutations = []struct {
	flaw.Mutation
	profile string // that finds it
}{
	{flaw.Mutation{Name: "an earlier step is accepted after a later one", File: "internal/record/totp.go",
		Old: "step <= s[len(s)-1]", New: "step == s[len(s)-1]"}, "logins"},
	{flaw.Mutation{Name: "a challenge works twice", File: "internal/record/challenge.go",
		Old: "c.Used = true", New: "c.Used = false"}, "logins"},
	{flaw.Mutation{Name: "a challenge takes any number of wrong codes", File: "internal/record/challenge.go",
		Old: "return c, ok && c.triesLeft() > 0", New: "return c, ok"}, "guessing"},
	{flaw.Mutation{Name: "the first delay comes a failure late", File: "internal/throttle/throttle.go",
		Old: "OneTimeCodes = Schedule{Free: 5,", New: "OneTimeCodes = Schedule{Free: 6,"}, "guessing"},
	{flaw.Mutation{Name: "no number of failures disables a factor", File: "internal/throttle/throttle.go",
		Old: "Limit = 100", New: "Limit = 1000"}, "guessing"},
	{flaw.Mutation{Name: "a challenge outlives the replacement of its factor", File: "internal/record/enrollment.go",
		Old: "if !had || replaced {", New: "if !had {"}, "everything"},
	{flaw.Mutation{Name: "what was begun without a proof outlives the first factor", File: "internal/record/enrollment.go",
		Old: "p != nil && !p.Proven", New: "p != nil && false"}, "everything"},
	{flaw.Mutation{Name: "proofs and devices outlive the password", File: "mfa.go",
		Old: "u.DropPending()\n\t\t\tu.Renew()", New: "u.DropPending()"}, "everything"},
	{flaw.Mutation{Name: "a factor can be removed while MFA is required", File: "mfa.go",
		Old: "if required {\n\t\treturn ErrEnforced", New: "if required && false {\n\t\treturn ErrEnforced"}, "everything"},
	{flaw.Mutation{Name: "a success is told though its save failed", File: "mfa.go",
		Old: "u); err == nil {\n\t\t\te.emit", New: "u); err == nil || verdict == nil && !errors.Is(err, ErrConflict) {\n\t\t\te.emit"}, "faults"},
	{flaw.Mutation{Name: "a challenge is good for another action", File: "challenge.go",
		Old: "if claims.Action != action {", New: "if false {"}, "everything"},
	{flaw.Mutation{Name: "a forgotten device is trusted", File: "challenge.go",
		Old: "claims.UserID == u.id && claims.Epoch == u.Devices", New: "claims.UserID == u.id"}, "everything"},
	{flaw.Mutation{Name: "a token lives an instant too long", File: "challenge.go",
		Old: "!now.Before(claims.Expires)", New: "now.After(claims.Expires)"}, "everything"},
	{flaw.Mutation{Name: "messages to enroll a phone are not limited", File: "sms.go",
		Old: "return u.throttled(u.Sent.NextAt(), MethodSMS, ActionEnroll)", New: "return nil"}, "messages"},
	{flaw.Mutation{Name: "messages to a number are not counted", File: "sms.go",
		Old: "number.Sent.Count(number.now)", New: ""}, "messages"},
	{flaw.Mutation{Name: "messages to a number are counted user by user", File: "sms.go",
		Old: "e.numberID(phone), func(number *user) error {\n\t\tif next", New: "e.numberID(userID+phone), func(number *user) error {\n\t\tif next"}, "messages"},
	{flaw.Mutation{Name: "messages to a confirmed number count against it", File: "challenge.go",
		Old: "message := SMS{Code: newSMSCode(),", New: "if err := e.countNumber(ctx, claims.UserID, phone); err != nil {\n\t\treturn nil, err\n\t}\n\tmessage := SMS{Code: newSMSCode(),"}, "messages"},
	{flaw.Mutation{Name: "a number has a cooldown", File: "sms.go",
		Old: "number.Sent.Count(number.now)", New: "number.Sent.Add(number.now, 0)"}, "clock"},
	{flaw.Mutation{Name: "a message goes though its number could not be counted", File: "sms.go",
		Old: "if err := e.countNumber(ctx, userID, phone); err != nil {", New: "if err := e.countNumber(ctx, userID, phone); errors.As(err, new(*ThrottledError)) {"}, "faults"},
	{flaw.Mutation{Name: "a code that was not delivered is good", File: "internal/record/sms.go",
		Old: "c.Code = nil", New: "c.Sends += 0"}, "messages"},
	{flaw.Mutation{Name: "messages for a challenge are not limited by time", File: "internal/record/sms.go",
		Old: "latest(u.Sent.NextAt(), u.SMS.RetryAt())", New: "u.SMS.RetryAt()"}, "messages"},
	{flaw.Mutation{Name: "what dies of too many challenges lives again", File: "internal/record/challenge.go",
		Old: "u.Forgotten = latest(u.Forgotten, kept[oldest].Issued)", New: ""}, "many challenges"},
	{flaw.Mutation{Name: "a spent backup code works again", File: "internal/record/backupcodes.go",
		Old: "slices.Delete(slices.Clone(b.Hashes), found, found+1)", New: "slices.Clone(b.Hashes)"}, "backup codes"},
}

const root = "../../.."

// TestMutationsApply: each is a change of one place that is still there.
func TestMutationsApply(t *testing.T) {
	for _, m := range mutations {
		if err := m.Check(root); err != nil {
			t.Error(err)
		}
	}
}

// TestMutationsAreFound: the random histories find each.
func TestMutationsAreFound(t *testing.T) {
	flaw.Required(t)
	for _, m := range mutations {
		t.Run(m.Name, func(t *testing.T) {
			command := exec.Command("go", "test", "-overlay", m.Overlay(t, root), "-count=1", "-timeout=5m",
				"-run=^TestRandomHistories$/^profiles$/^"+strings.ReplaceAll(m.profile, " ", "_")+"$", "-rapid.checks=1000", "-rapid.nofailfile", "-rapid.shrinktime=5s", ".")
			out, err := command.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("engine and model disagree")) {
				t.Fatalf("not found: %v\n%s", err, out)
			}
			_, shown, _ := bytes.Cut(out, []byte("engine and model disagree"))
			shown, _, _ = bytes.Cut(shown, []byte("To reproduce"))
			t.Logf("found by %s, in %d calls", m.profile, bytes.Count(shown, []byte(" engine ")))
		})
	}
}
