package mfa_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestAnEventIsLoggedWithoutEmptyFields(t *testing.T) {
	event := mfa.Event{Type: mfa.EventRefused, UserID: "ada", Method: mfa.MethodTOTP, Action: "login", Time: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Err: mfa.ErrInvalidCode}
	shown := world.Logged("event", event)
	for _, want := range []string{"event.type=refused", "event.user_id=ada", "event.method=totp", "event.action=login", `"error":"mfa: invalid code"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s is not in %s", want, shown)
		}
	}
	if shown := fmt.Sprint(event); !strings.Contains(shown, "type=refused user_id=ada") || !strings.Contains(shown, "error=mfa: invalid code}") {
		t.Errorf("fmt shows %s", shown)
	}
	if shown := world.Logged("event", mfa.Event{Type: mfa.EventReset}); strings.Contains(shown, "method") || strings.Contains(shown, "error") {
		t.Errorf("empty fields are in %s", shown)
	}
}
