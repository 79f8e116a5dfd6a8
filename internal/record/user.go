// Package record is what the engine remembers of one user: a plain value, the
// rules by which it changes, and its bytes in the store. There is no I/O in
// it, and no clock: whoever changes a user says what time it is.
package record

import (
	"crypto/rand"
	"time"

	"github.com/protekt/mfa/internal/throttle"
)

// A Method is a kind of factor. Its numbers are part of no stored bytes.
type Method uint8

const (
	NoMethod Method = iota
	MethodTOTP
	MethodSMS
	MethodBackupCode
)

// An Epoch is a random value. What was issued under another one is dead.
type Epoch [8]byte

func newEpoch() (e Epoch) {
	rand.Read(e[:])
	return e
}

// User is the state of one user. The zero value has nothing and has never had
// anything.
type User struct {
	Epoch   Epoch // of challenges, enrollment tokens and proofs; zero until a first factor is confirmed
	Devices Epoch // of trusted devices

	TOTP        *TOTP
	SMS         *SMS
	BackupCodes *BackupCodes

	PendingTOTP *PendingTOTP
	PendingSMS  *PendingSMS

	Sent Sent

	Challenges []Challenge // those that must be remembered, by time of issue, at most MaxChallenges
	Forgotten  time.Time   // challenges issued until then and not among them are dead
}

// A Factor is what all confirmed factors have.
type Factor struct {
	Method     Method
	EnrolledAt time.Time
	LastUsedAt time.Time // zero if never
	Lane       throttle.Lane
}

func newFactor(m Method, now time.Time) Factor {
	return Factor{Method: m, EnrolledAt: now}
}

// RetryAt is when the factor's delay ends; zero when there is none.
func (f *Factor) RetryAt() time.Time {
	if f.Method == MethodBackupCode {
		return f.Lane.RetryAt(throttle.BackupCodes)
	}
	return f.Lane.RetryAt(throttle.OneTimeCodes)
}

// Enrolled tells whether the user has a confirmed factor, which is what makes
// MFA: backup codes alone do not.
func (u *User) Enrolled() bool { return u.TOTP != nil || u.SMS != nil }

// Factors are the confirmed factors, and the backup codes while there is a
// set, in the order in which they are offered.
func (u *User) Factors() []*Factor {
	factors := make([]*Factor, 0, 3)
	if u.TOTP != nil {
		factors = append(factors, &u.TOTP.Factor)
	}
	if u.SMS != nil {
		factors = append(factors, &u.SMS.Factor)
	}
	if u.BackupCodes != nil {
		factors = append(factors, &u.BackupCodes.Factor)
	}
	return factors
}

// Factor is the one of that method, or nil.
func (u *User) Factor(m Method) *Factor {
	for _, f := range u.Factors() {
		if f.Method == m {
			return f
		}
	}
	return nil
}

// BackupCodesLeft counts the unused ones.
func (u *User) BackupCodesLeft() int {
	if u.BackupCodes == nil {
		return 0
	}
	return len(u.BackupCodes.Hashes)
}

// Renew ends every challenge, enrollment token, proof and trusted device.
func (u *User) Renew() {
	u.Epoch = newEpoch()
	u.Challenges, u.Forgotten = nil, time.Time{} // all of another epoch now
	u.ForgetDevices()
}

// ForgetDevices ends every trusted device.
func (u *User) ForgetDevices() { u.Devices = newEpoch() }

// Reset takes every factor away. What was sent stays counted, so that a reset
// is no way around the limits.
func (u *User) Reset() {
	*u = User{Sent: u.Sent}
	u.Renew()
}

// Remove takes a factor away, and with the last of totp and sms all that
// depends on having one.
func (u *User) Remove(m Method) {
	switch m {
	case MethodBackupCode:
		u.BackupCodes = nil
		return // ends no challenge, proof or device
	case MethodTOTP:
		u.TOTP = nil
	case MethodSMS:
		u.SMS = nil
	}
	if !u.Enrolled() {
		u.BackupCodes = nil
	}
	u.DropPending() // begun under a proof that ends here
	u.Renew()
}

// Unlock forgets failures and enables what they disabled. It also forgets what
// a clock that ran ahead has left: spent time steps that no code can have yet,
// messages that are still to come, and challenges that are.
func (u *User) Unlock(now time.Time) {
	u.Sent.forgetAfter(now)
	if u.Forgotten.After(now) {
		u.Renew()
	}
	for _, f := range u.Factors() {
		f.Lane = throttle.Lane{}
	}
	if u.TOTP != nil {
		u.TOTP.Spent.forgetAfter(u.TOTP.Key.Step(now) + 1)
	}
}
