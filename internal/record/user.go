// Package record holds what the engine remembers of one user: a plain value,
// the rules by which it changes, and its encoding in the store. It does no I/O
// and has no clock: the caller of a rule passes the time.
package record

import (
	"crypto/rand"
	"time"

	"github.com/protekt/mfa/internal/throttle"
)

// A Method names a kind of factor.
type Method string

const (
	MethodTOTP       Method = "totp"
	MethodSMS        Method = "sms"
	MethodBackupCode Method = "backup_code"
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
	// Devices is the epoch of trusted devices.
	Devices Epoch

	TOTP        *TOTP
	SMS         *SMS
	BackupCodes *BackupCodes

	PendingTOTP *PendingTOTP
	PendingSMS  *PendingSMS

	Sent Sent

	// Challenges are those that must be remembered, ordered by time of issue, at
	// most MaxChallenges.
	Challenges []Challenge
	// Forgotten invalidates every challenge issued until then that is not among
	// Challenges.
	Forgotten time.Time
}

// A Factor holds what all confirmed factors have in common.
type Factor struct {
	Method     Method
	EnrolledAt time.Time
	LastUsedAt time.Time // zero if never used
	Lane       throttle.Lane
}

func newFactor(m Method, now time.Time) Factor {
	return Factor{Method: m, EnrolledAt: now}
}

// RetryAt returns the end of the factor's delay, or zero without one.
func (f *Factor) RetryAt() time.Time {
	if f.Method == MethodBackupCode {
		return f.Lane.RetryAt(throttle.BackupCodes)
	}
	return f.Lane.RetryAt(throttle.OneTimeCodes)
}

// Enrolled reports whether the user has a confirmed factor. Backup codes alone
// are none.
func (u *User) Enrolled() bool { return u.TOTP != nil || u.SMS != nil }

// Factors returns the confirmed factors, and the backup codes while there is a
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

// Factor returns the factor of a method, or nil.
func (u *User) Factor(m Method) *Factor {
	for _, f := range u.Factors() {
		if f.Method == m {
			return f
		}
	}
	return nil
}

// BackupCodesLeft returns the number of unused backup codes.
func (u *User) BackupCodesLeft() int {
	if u.BackupCodes == nil {
		return 0
	}
	return len(u.BackupCodes.Hashes)
}

// Renew invalidates every challenge, enrollment token, proof and trusted device.
func (u *User) Renew() {
	u.Epoch = newEpoch()
	u.Challenges, u.Forgotten = nil, time.Time{} // they were of the epoch before
	u.ForgetDevices()
}

// ForgetDevices invalidates every trusted device.
func (u *User) ForgetDevices() { u.Devices = newEpoch() }

// Reset removes every factor. Messages stay counted, so that a reset is no way
// around the limits.
func (u *User) Reset() {
	*u = User{Sent: u.Sent}
	u.Renew()
}

// Remove removes a factor, and with the last of totp and sms everything that
// depends on having one.
func (u *User) Remove(m Method) {
	switch m {
	case MethodBackupCode:
		u.BackupCodes = nil
		return // invalidates no challenge, proof or device
	case MethodTOTP:
		u.TOTP = nil
	case MethodSMS:
		u.SMS = nil
	}
	if !u.Enrolled() {
		u.BackupCodes = nil
	}
	u.DropPending() // begun under a proof that is invalid from here on
	u.Renew()
}

// Unlock forgets failures and enables the factors that they disabled. It also
// forgets what a clock that ran ahead has left: time steps, messages and
// challenges of the future.
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
