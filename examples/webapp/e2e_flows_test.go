package main

import (
	"testing"
	"time"
)

// A new user makes an account, scans the QR code, sees the backup codes once,
// signs out, and signs in with the app.
func TestBrowserEnrollsByScanningAndSignsInWithTheApp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.chromium()
	b.signUp("ada@example.com").wants("dashboard")
	b.click("#to-enroll").wants("enroll")
	b.click("#choose-totp").wants("totp").wantsFocus("code")
	a := b.scanned()
	b.answer(a.shows()).wants("backupcodes").wantsNotice("Authenticator app is set up.")
	if codes := b.texts("#codes code"); len(codes) != 10 {
		t.Fatalf("%d backup codes", len(codes))
	}
	b.click("#saved").wants("security")
	b.open("/backup-codes").wants("backupcodes")
	if b.has("#codes") || b.text("#codes-left") == "" {
		t.Error("the codes are shown twice")
	}
	b.signOut()
	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt").wantsFocus("code")
	b.answer(a.shows()).wants("dashboard")
	if got := b.text("#amr"); got != "password, authenticator app, more than one factor" {
		t.Errorf("signed in with %q", got)
	}
}
