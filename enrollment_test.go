package mfa_test

import (
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestNoMethodConfirmsWhatWasBegunLast(t *testing.T) {
	w := world.New(t)
	_, err := w.VerifyEnrollment(w.Ctx, "ada", "", "123456")
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(t, err)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.OK(t, err)
	w.Clock.Advance(5 * time.Minute) // the message has expired: only the app's enrollment is left
	login, err := w.VerifyEnrollment(w.Ctx, "ada", "", w.Scan(enrollment.URI).Shows())
	world.OK(t, err)
	_, err = w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
	world.OK(t, err)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone, mfa.WithProof(login.Proof))
	world.OK(t, err)
	login, err = w.VerifyEnrollment(w.Ctx, "ada", "", w.Outbox.Code(world.Phone))
	world.OK(t, err)
	if login.Method != mfa.MethodSMS {
		t.Errorf("confirmed %s", login.Method)
	}
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodBackupCode, "123456")
	world.WantErr(t, err, mfa.ErrMethodUnavailable)
}

func TestAReplacedPhoneIsToldWithBothNumbers(t *testing.T) {
	w := world.New(t)
	login := w.GiveSMS("ada", world.Phone)
	w.GiveSMS("ada", world.Phone2, mfa.WithProof(login.Proof))
	event := w.LastEvent()
	if event.Type != mfa.EventReplaced || event.Phone != "+14*****671" || event.ReplacedPhone != "+23*****678" || event.FactorID != w.Factor("ada", mfa.MethodSMS).ID {
		t.Errorf("%v", event)
	}
}

// TestWhatIsPendingDiesWithItsProof: a thief with a stolen proof begins to enroll
// her own phone. Whatever the owner does to invalidate the proof ends the
// enrollment too.
func TestWhatIsPendingDiesWithItsProof(t *testing.T) {
	for name, owner := range map[string]func(w *world.World, proof string){
		"replaces the app": func(w *world.World, proof string) { w.GiveTOTP("ada", mfa.WithProof(proof)) },
		"forgets devices":  func(w *world.World, _ string) { world.OK(w.T, w.ForgetDevices(w.Ctx, "ada")) },
		"a new password":   func(w *world.World, _ string) { world.OK(w.T, w.PasswordChanged(w.Ctx, "ada")) },
		"is unlocked":      func(w *world.World, _ string) { world.OK(w.T, w.Unlock(w.Ctx, "ada")) },
		"revokes the app":  func(w *world.World, _ string) { world.OK(w.T, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP)) },
	} {
		w := world.New(t)
		_, login := w.GiveTOTP("ada")
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(login.Proof))
		world.OK(t, err)
		owner(w, login.Proof)
		if _, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, w.Outbox.Code(world.Phone2)); mfa.ErrorCode(err) != "no_pending_enrollment" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
