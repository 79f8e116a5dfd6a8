package load

import (
	"sync"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// An account is one user: what they hold, and what they have been told.
type account struct {
	sync.Mutex // held by the one caller who acts for the user
	id         string
	now        time.Time // of the user's own clock, which never goes back
	lost       bool      // there is a finding: nothing more can be said

	shown picture                // what Status must show
	app   *mfatest.Authenticator // nil before the first enrollment
	spent time.Time              // the code that the app showed then was the last to be accepted
	codes []string               // backup codes that are left and known

	proof       string // "" for none, or none that is sure
	proofUntil  time.Time
	device      string
	deviceUntil time.Time

	failures map[mfa.Method]between // in a row
}

// A picture is what Status shows, in a form to compare.
type picture struct {
	app, phone, codes factor
	number            string // masked
	left              int    // backup codes
}

// A factor is when it was enrolled and used, in Unix nanoseconds; 0 for never.
type factor struct{ enrolled, used int64 }

func pictureOf(status *mfa.Status) (p picture) {
	for _, f := range status.Factors {
		shown := factor{nanoseconds(f.EnrolledAt), nanoseconds(f.LastUsedAt)}
		switch f.Method {
		case mfa.MethodTOTP:
			p.app = shown
		case mfa.MethodSMS:
			p.phone, p.number = shown, f.Phone
		case mfa.MethodBackupCode:
			p.codes = shown
		}
	}
	p.left = status.BackupCodesLeft
	return p
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// used is the picture after a login by that method.
func (p picture) used(method mfa.Method, now time.Time) picture {
	switch method {
	case mfa.MethodTOTP:
		p.app.used = now.UnixNano()
	case mfa.MethodSMS:
		p.phone.used = now.UnixNano()
	case mfa.MethodBackupCode:
		p.codes.used, p.left = now.UnixNano(), p.left-1
	}
	return p
}

// methods are the confirmed factors that the store must know of.
func (p picture) methods() (methods []mfa.Method) {
	if p.app != (factor{}) {
		methods = append(methods, mfa.MethodTOTP)
	}
	if p.phone != (factor{}) {
		methods = append(methods, mfa.MethodSMS)
	}
	return methods
}

// Between is a count that a fault has left uncertain.
type between struct{ least, most int }

// failed counts wrong codes: those that were judged, and those of which that is
// not known.
func (a *account) failed(method mfa.Method, judged, unsure int) {
	n := a.failures[method]
	a.failures[method] = between{n.least + judged, n.most + judged + unsure}
}

// spend takes note that the app's code of now was accepted. Where the next step
// has the same digits, it is that one's.
func (a *account) spend() {
	a.spent = a.now
	if next := a.now.Add(period); a.app.Code(next) == a.app.Code(a.now) {
		a.spent = next
	}
}

// keep takes the proof of a login; "" ends the one there is.
func (a *account) keep(proof string) {
	a.proof, a.proofUntil = proof, a.now.Add(15*time.Minute)
}

// bare is for whatever takes all factors away.
func (a *account) bare() {
	a.app, a.codes = nil, nil
	clear(a.failures)
	a.renewed("")
}

// renewed is for whatever ends proofs and devices.
func (a *account) renewed(proof string) {
	a.keep(proof)
	a.device = ""
}
