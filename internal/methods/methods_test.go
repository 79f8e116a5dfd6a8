package methods_test

import (
	"slices"
	"testing"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/methods"
)

func TestWhatIsJoinedSplits(t *testing.T) {
	for want, list := range map[string][]mfa.Method{
		"":         nil,
		"totp":     {mfa.MethodTOTP},
		"totp,sms": {mfa.MethodTOTP, mfa.MethodSMS},
	} {
		text, err := methods.Join(list)
		if err != nil || text != want || !slices.Equal(methods.Split(text), list) {
			t.Errorf("%v: %q, %v, back %v", list, text, err, methods.Split(text))
		}
	}
	for _, bad := range []mfa.Method{"", "a,b", "a\nb"} {
		if text, err := methods.Join([]mfa.Method{mfa.MethodTOTP, bad}); err == nil {
			t.Errorf("%q is joined to %q", bad, text)
		}
	}
}
