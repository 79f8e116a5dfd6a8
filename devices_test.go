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
	w.NewEvents()
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(t, err)
	if !strings.HasPrefix(device.Token, "mfa_dev_") || !device.ExpiresAt.Equal(w.Clock.Now().Add(30*24*time.Hour)) {
		t.Errorf("%+v", *device)
	}
	w.WantEvents(mfa.EventDeviceTrusted)
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	w.WantEvents(mfa.EventDeviceAccepted)
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

func TestDevicesAreListedAndForgottenOneByOne(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	laptop, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "Firefox on Linux")
	world.OK(t, err)
	w.Clock.Advance(time.Minute)
	phone, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(t, err)
	w.Clock.Set(time.Date(2030, 1, 3, 15, 0, 0, 0, time.UTC))
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(laptop.Token)))
	devices, err := w.Devices(w.Ctx, "ada")
	world.OK(t, err)
	if len(devices) != 2 || devices[0].ID != phone.ID || devices[1].ID != laptop.ID || devices[1].Label != "Firefox on Linux" || devices[1].Token != "" ||
		!devices[1].LastUsedAt.Equal(time.Date(2030, 1, 3, 0, 0, 0, 0, time.UTC)) || !devices[0].LastUsedAt.IsZero() || !devices[1].ExpiresAt.Equal(laptop.ExpiresAt) {
		t.Errorf("%+v", devices)
	}
	for _, unknown := range []string{"", "dev_", laptop.Token, "dev_0000000000000000", strings.ToUpper(laptop.ID)} {
		world.OK(t, w.ForgetDevice(w.Ctx, "ada", unknown))
	}
	w.NewEvents()
	world.OK(t, w.ForgetDevice(w.Ctx, "ada", laptop.ID))
	w.WantEvents(mfa.EventDevicesForgotten)
	w.Begin("ada", mfa.WithTrustedDevice(laptop.Token))
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(phone.Token)))
	w.Login("ada", a.Shows())
}

// TestADeviceSavesOncePerDay: further logins on the same day cause no write.
func TestADeviceSavesOncePerDay(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(t, err)
	version := w.Stored("ada").Version
	for range 3 {
		for range 5 {
			world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
		}
		w.Clock.Advance(24 * time.Hour)
	}
	if saves := w.Stored("ada").Version - version; saves != 3 {
		t.Errorf("%d saves in three days, want 3", saves)
	}
}

// TestForgettingDevicesEndsProofs: otherwise the holder of a proof could trust
// another device.
func TestForgettingDevicesEndsProofs(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(t, err)
	world.OK(t, w.ForgetDevices(w.Ctx, "ada"))
	w.Begin("ada", mfa.WithTrustedDevice(device.Token))
	_, err = w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.WantErr(t, err, mfa.ErrInvalidToken)
}

func TestADeviceIsForgottenWhenFactorsChange(t *testing.T) {
	for name, change := range map[string]func(w *world.World, proof string){
		"a phone":               func(w *world.World, proof string) { w.GiveSMS("ada", world.Phone, mfa.WithProof(proof)) },
		"a passkey":             func(w *world.World, proof string) { w.GivePasskey("ada", "key", mfa.WithProof(proof)) },
		"an app beside it":      func(w *world.World, proof string) { w.GiveTOTP("ada", mfa.WithProof(proof), mfa.KeepOthers()) },
		"an imported phone":     func(w *world.World, _ string) { world.OK(w.T, w.ImportSMS(w.Ctx, "ada", world.Phone)) },
		"a new password":        func(w *world.World, _ string) { world.OK(w.T, w.PasswordChanged(w.Ctx, "ada")) },
		"devices are forgotten": func(w *world.World, _ string) { world.OK(w.T, w.ForgetDevices(w.Ctx, "ada")) },
	} {
		w := world.New(t, world.WithPasskeys)
		_, login := w.GiveTOTP("ada")
		device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
		world.OK(t, err)
		change(w, login.Proof)
		w.Begin("ada", mfa.WithTrustedDevice(device.Token))
		if devices, err := w.Devices(w.Ctx, "ada"); err != nil || len(devices) != 0 {
			t.Errorf("%s: %v, %v", name, devices, err)
		}
	}
}
