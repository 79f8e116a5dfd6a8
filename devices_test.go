package mfa_test

import (
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestATrustedDeviceSkipsThePromptUntilItExpires(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.Told()
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof)
	world.OK(t, err)
	if !strings.HasPrefix(device.Token, "mfa_dev_") || !device.ExpiresAt.Equal(w.Clock.Now().Add(30*24*time.Hour)) {
		t.Errorf("%+v", *device)
	}
	w.WantTold(mfa.EventDeviceTrusted)
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	w.WantTold(mfa.EventDeviceAccepted)
	w.Begin("ada")
	w.Begin("ada", mfa.WithTrustedDevice(""))
	w.Begin("ada", mfa.WithTrustedDevice(device.Token+"A"))
	w.Begin("ada", nil)

	w.Clock.Advance(30*24*time.Hour - time.Minute - 1)
	w.Login("ada", a.Shows())
	w.Clock.Advance(time.Minute)
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	w.Clock.Advance(1)
	w.Begin("ada", mfa.WithTrustedDevice(device.Token))
}
