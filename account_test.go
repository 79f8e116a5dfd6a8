package mfa_test

import (
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// TestUnlockFreesNoUsedCode: a code of the next step is accepted, a process whose
// clock is five seconds behind unlocks the user, and the code is entered again.
func TestUnlockFreesNoUsedCode(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	w.Clock.Set(time.Date(2030, 1, 1, 12, 10, 0, 0, time.UTC))
	code := a.Code(w.Clock.Now().Add(30 * time.Second))
	w.Login("ada", code)
	w.Clock.Advance(-5 * time.Second)
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	w.Clock.Advance(7 * time.Second)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
	world.WantErr(t, err, mfa.ErrInvalidCode)
	w.Login("ada", a.Shows()) // an earlier code, which was not used
}

func TestUnlockLetsMessagesGoAgain(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	for range 4 {
		w.Clock.Advance(time.Minute)
		_, err := w.SendCode(w.Ctx, w.Begin("ada").Token)
		world.OK(t, err)
	}
	_, err := w.SendCode(w.Ctx, w.Begin("ada").Token)
	if mfa.ErrorCode(err) != "too_many_messages" {
		t.Errorf("%v", err)
	}
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	_, err = w.SendCode(w.Ctx, w.Begin("ada").Token)
	world.OK(t, err)
}

func TestResetReplacesARecordThatDoesNotOpen(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	lost := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(7)} })
	if err := lost.BeginLogin(w.Ctx, "ada"); mfa.ErrorCode(err) != "internal" {
		t.Fatalf("%v", err)
	}
	world.OK(t, lost.Reset(w.Ctx, "ada"))
	w.WantEvents(mfa.EventEnrollmentStarted, mfa.EventEnrolled, mfa.EventReset)
	world.OK(t, lost.BeginLogin(w.Ctx, "ada"))
	if version := w.Stored("ada").Version; version != 3 {
		t.Errorf("version %d", version)
	}
}

func TestADeletionIsReported(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	world.OK(t, w.DeleteUser(w.Ctx, "ada"))
	if event := w.LastEvent(); event.Type != mfa.EventDeleted || event.UserID != "ada" {
		t.Errorf("%v", event)
	}
}

// TestARowNamesItsKey: bytes 1 to 4 of the sealed data do, as docs/operations.md
// says.
func TestARowNamesItsKey(t *testing.T) {
	w := world.New(t)
	key := func(user string) string { return string(w.Stored(user).Data[1:5]) }
	w.GiveTOTP("ada")
	w.GiveTOTP("bob")
	old := key("ada")
	if key("bob") != old {
		t.Fatal("one key has two names")
	}
	rotated := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(2), world.Key(1)} })
	world.OK(t, rotated.Reseal(w.Ctx, "ada"))
	if key("ada") == old || key("bob") != old {
		t.Errorf("ada is under %x, bob under %x, the old key is %x", key("ada"), key("bob"), old)
	}
}

// TestWhatARestoreBringsBack checks what docs/operations.md says about restoring a
// backup, and how to invalidate what it brings back.
func TestWhatARestoreBringsBack(t *testing.T) {
	store := world.NewFaultStore()
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	a, login := w.GiveTOTP("ada")
	codes := w.CheapBackupCodes("ada")
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(t, err)
	backup := store.Snapshot()
	w.Login("ada", codes[0])
	world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
	w.GiveTOTP("eve")

	store.Records = backup
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	w.Login("ada", codes[0])
	world.WantErr(t, w.BeginLogin(w.Ctx, "eve", mfa.ExpectEnrolled()), mfa.ErrNotEnrolled)

	world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
	w.Begin("ada", mfa.WithTrustedDevice(device.Token))
	w.Login("ada", a.Shows())
}
