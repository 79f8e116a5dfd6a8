// Package record holds what the engine remembers of one user: a plain value,
// the rules by which it changes, and its encoding in the store. It does no I/O
// and has no clock: the caller of a rule passes the time.
package record

import (
	"crypto/rand"
	"time"
)

// An Epoch is a random value. Whatever was issued under another one is no
// longer valid.
type Epoch [8]byte

func newEpoch() (e Epoch) {
	rand.Read(e[:])
	return e
}

// A User is the state of one user. The zero value is a user of whom nothing is
// known.
type User struct {
	// Epoch is that of challenges, enrollment tokens and proofs. It is zero until
	// a first factor is confirmed.
	Epoch Epoch
	// Handle identifies the user to authenticators (WebAuthn §5.4.3). It is zero
	// until a first passkey is begun.
	Handle Handle

	Passkeys    []Passkey // at most MaxPasskeys
	TOTP        []TOTP    // at most MaxTOTP
	SMS         []SMS     // at most MaxSMS
	BackupCodes *BackupCodes
	Lanes       Lanes

	// Pending are the factors that are not confirmed yet, at most one of a method,
	// in the order in which they were begun.
	Pending []Pending
	// Devices are the trusted devices, in the order in which they were trusted, at
	// most MaxDevices.
	Devices []Device

	Sent Sent
	// Generated are the times of the last sets of backup codes, ascending, at most
	// SetsPerHour.
	Generated []time.Time

	// Challenges are those that must be remembered, ordered by time of issue, at
	// most MaxChallenges.
	Challenges []Challenge
	// Forgotten invalidates every challenge issued until then that is not among
	// Challenges.
	Forgotten time.Time
}

// Renew invalidates every challenge, enrollment token, proof and trusted device,
// and drops every pending factor: it was begun under a proof that is invalid
// from here on.
func (u *User) Renew() {
	u.Epoch = newEpoch()
	u.Challenges, u.Forgotten = nil, time.Time{} // they were of the epoch before
	u.DropPending()
	u.Devices = nil
}

// Reset removes every factor. Messages and sets of backup codes stay counted, so
// that a reset is no way around the limits.
func (u *User) Reset() {
	*u = User{Sent: u.Sent, Generated: u.Generated}
	u.Renew()
}

// Unlock forgets failures, enables the methods that they disabled, and forgets
// the counts of messages and sets of backup codes. It also undoes what a clock
// that ran ahead has left.
func (u *User) Unlock(now time.Time) {
	u.DropPending()
	u.Sent, u.Generated = Sent{}, nil
	if u.Forgotten.After(now) {
		u.Renew()
	}
	u.Lanes = Lanes{}
	for i := range u.TOTP {
		app := &u.TOTP[i]
		app.Spent.clockWas(app.Key.Step(now) + 1)
	}
}
