package mfa_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestUserIDsAreBoundedAndNeverFolded(t *testing.T) {
	w := world.New(t)
	bad := []string{"", strings.Repeat("a", 256), strings.Repeat("é", 128), "a\x00b", "a\n", "\x7f", "\u0085", "a\xff"}
	for _, user := range bad {
		calls := map[string]error{
			"BeginLogin":      w.BeginLogin(w.Ctx, user),
			"Unenroll":        w.Unenroll(w.Ctx, user, mfa.MethodTOTP),
			"Reset":           w.Reset(w.Ctx, user),
			"Unlock":          w.Unlock(w.Ctx, user),
			"PasswordChanged": w.PasswordChanged(w.Ctx, user),
			"Reseal":          w.Reseal(w.Ctx, user),
			"DeleteUser":      w.DeleteUser(w.Ctx, user),
			"ForgetDevices":   w.ForgetDevices(w.Ctx, user),
			"ImportTOTP":      w.ImportTOTP(w.Ctx, user, "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"),
			"ImportSMS":       w.ImportSMS(w.Ctx, user, world.Phone),
		}
		_, calls["EnrollTOTP"] = w.EnrollTOTP(w.Ctx, user, "a")
		_, calls["EnrollSMS"] = w.EnrollSMS(w.Ctx, user, world.Phone)
		_, calls["VerifyEnrollment"] = w.VerifyEnrollment(w.Ctx, user, mfa.MethodTOTP, "123456")
		_, calls["GenerateBackupCodes"] = w.GenerateBackupCodes(w.Ctx, user)
		_, calls["Status"] = w.Status(w.Ctx, user)
		_, calls["BeginStepUp"] = w.BeginStepUp(w.Ctx, user, "x")
		_, calls["TrustDevice"] = w.TrustDevice(w.Ctx, user, "", "")
		for name, err := range calls {
			if !errors.Is(err, mfa.ErrInvalidUser) {
				t.Errorf("%s(%.20q): %v", name, user, err)
			}
		}
	}
	for _, user := range []string{"a", strings.Repeat("a", 255), "ada@example.com", "Ada ", "ada|bob", `{"$ne":null}`, "日本", "a\u200bb"} {
		a, _ := w.GiveTOTP(user)
		challenge := w.Begin(user)
		login, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
		world.OK(t, err)
		if login.UserID != user {
			t.Errorf("%q logged in as %q", user, login.UserID)
		}
	}
	world.OK(t, w.BeginLogin(w.Ctx, "ada ")) // not "Ada "
}

// TestNothingIsWrittenWithoutNeed: if a user can have no tokens, invalidating them
// creates no record.
func TestNothingIsWrittenWithoutNeed(t *testing.T) {
	for name, do := range map[string]func(w *world.World) error{
		"PasswordChanged": func(w *world.World) error { return w.PasswordChanged(w.Ctx, "ada") },
		"Reset":           func(w *world.World) error { return w.Reset(w.Ctx, "ada") },
		"Unlock":          func(w *world.World) error { return w.Unlock(w.Ctx, "ada") },
		"ForgetDevices":   func(w *world.World) error { return w.ForgetDevices(w.Ctx, "ada") },
		"Reseal":          func(w *world.World) error { return w.Reseal(w.Ctx, "ada") },
		"DeleteUser":      func(w *world.World) error { return w.DeleteUser(w.Ctx, "ada") },
	} {
		w := world.New(t)
		world.OK(t, do(w))
		if _, err := w.Store.Load(w.Ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%s wrote a record: %v", name, err)
		}
	}
	required := false
	w := world.New(t, world.RequiredWhen(&required))
	world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
	record, err := w.Store.Load(w.Ctx, "ada")
	if err != nil || len(record.Methods) != 0 {
		t.Errorf("with Required: %v, %v", record.Methods, err)
	}
}

func TestResealWritesOnce(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	version := func() int64 { return w.Stored("ada").Version }
	before := version()
	world.OK(t, w.Reseal(w.Ctx, "ada"))
	if version() != before {
		t.Error("rewrote a record that is already under the first key")
	}
	moved := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(100), world.Key(1)} })
	for range 2 {
		world.OK(t, moved.Reseal(w.Ctx, "ada"))
		if version() != before+1 {
			t.Errorf("version %d, want %d", version(), before+1)
		}
	}
}

// TestNoChangeIsLostAmongManyAtOnce: nor does any change fail because of the others.
func TestNoChangeIsLostAmongManyAtOnce(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	const racers = 64
	before := w.Stored("ada").Version
	for _, err := range w.Race(racers, func(e *mfa.Engine, i int) error {
		if i%2 == 0 {
			return e.ForgetDevices(w.Ctx, "ada")
		}
		return e.PasswordChanged(w.Ctx, "ada")
	}) {
		world.OK(t, err)
	}
	if after := w.Stored("ada").Version; after != before+racers {
		t.Errorf("%d changes became %d versions", racers, after-before)
	}
}

// TestEachOperationHasABudgetOfLoadsAndSaves limits what an operation costs the
// database.
func TestEachOperationHasABudgetOfLoadsAndSaves(t *testing.T) {
	store := &world.CountingStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, world.WithPasskeys, func(c *mfa.Config) { c.Store = store })
	ada := w.Full("ada", world.Phone)
	var token string
	costs := func(name string, loads, saves int, do func()) {
		t.Helper()
		store.Loads, store.Saves = 0, 0
		if do(); store.Loads > loads || store.Saves > saves {
			t.Errorf("%s: %d Loads and %d Saves, want at most %d and %d", name, store.Loads, store.Saves, loads, saves)
		}
	}
	costs("BeginLogin and VerifyLogin", 2, 1, func() { w.Login("ada", ada.Shows()) })
	token = w.Begin("ada").Token
	costs("a wrong code", 1, 1, func() { w.VerifyLogin(w.Ctx, token, ada.Wrong()) })
	costs("a replay", 1, 0, func() { w.VerifyLogin(w.Ctx, token, ada.Shows()) })
	costs("a malformed code", 1, 0, func() { w.VerifyLogin(w.Ctx, token, "?") })
	costs("a long code", 0, 0, func() { w.VerifyLogin(w.Ctx, token, strings.Repeat("1", 65)) })
	costs("a forged token", 0, 0, func() { w.VerifyLogin(w.Ctx, token+"A", "123456") })
	token = w.Begin("ada").Token
	costs("a backup code", 2, 2, func() { w.VerifyLogin(w.Ctx, token, ada.Codes[0]) })
	token = w.Begin("ada").Token
	for range 4 {
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Wrong())
	}
	costs("a throttled code", 1, 0, func() { w.VerifyLogin(w.Ctx, token, ada.Shows()) })
	costs("BeginLogin", 1, 0, func() { w.Begin("ada") })
	costs("BeginStepUp", 1, 0, func() { w.BeginStepUp(w.Ctx, "ada", "x") })
	w.Clock.Advance(time.Hour)
	costs("an expired token", 0, 0, func() { w.VerifyLogin(w.Ctx, token, ada.Shows()) })

	var key *world.SecurityKey
	var login *mfa.Login
	costs("enrolling a passkey", 2, 2, func() { key, login = w.GivePasskey("bob", "key") })
	costs("a login by passkey", 3, 1, func() {
		token := w.Begin("bob").Token
		_, err := w.VerifyLogin(w.Ctx, token, w.Asked(key, token))
		world.OK(t, err)
	})
	device, err := w.TrustDevice(w.Ctx, "bob", login.Proof, "")
	world.OK(t, err)
	trusted := func() { world.OK(t, w.BeginLogin(w.Ctx, "bob", mfa.WithTrustedDevice(device.Token))) }
	costs("a trusted device, the first time in a day", 2, 1, trusted)
	costs("a trusted device, later that day", 1, 0, trusted)
}
