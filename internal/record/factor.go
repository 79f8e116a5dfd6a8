package record

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/protekt/mfa/internal/throttle"
)

// A Method names a kind of factor.
type Method string

const (
	MethodPasskey    Method = "passkey"
	MethodTOTP       Method = "totp"
	MethodSMS        Method = "sms"
	MethodBackupCode Method = "backup_code"
)

// How many factors of a method a user may have.
const (
	MaxPasskeys = 8
	MaxTOTP     = 5
	MaxSMS      = 3
)

// An ID identifies a factor or a device among those of its user. The zero value
// is none.
type ID [8]byte

func newID() (id ID) {
	rand.Read(id[:])
	return id
}

// A Factor holds what all confirmed factors have in common.
type Factor struct {
	ID         ID // zero for backup codes
	Method     Method
	Label      string // given by the user; may be empty
	EnrolledAt time.Time
	LastUsedAt time.Time // zero if never used
}

// Enrolled reports whether the user has a confirmed factor. Backup codes alone
// are none.
func (u *User) Enrolled() bool { return len(u.Passkeys)+len(u.TOTP)+len(u.SMS) > 0 }

// Factors returns the confirmed factors, and the backup codes while there is a
// set, in the order in which they are offered.
func (u *User) Factors() []*Factor {
	factors := make([]*Factor, 0, len(u.Passkeys)+len(u.TOTP)+len(u.SMS)+1)
	for i := range u.Passkeys {
		factors = append(factors, &u.Passkeys[i].Factor)
	}
	for i := range u.TOTP {
		factors = append(factors, &u.TOTP[i].Factor)
	}
	for i := range u.SMS {
		factors = append(factors, &u.SMS[i].Factor)
	}
	if u.BackupCodes != nil {
		factors = append(factors, &u.BackupCodes.Factor)
	}
	return factors
}

// Has reports whether the user has a factor of a method.
func (u *User) Has(m Method) bool { return u.count(m) > 0 }

// Find returns the factor with an ID, or nil.
func (u *User) Find(id ID) *Factor {
	for _, f := range u.Factors() {
		if f.ID == id && id != (ID{}) {
			return f
		}
	}
	return nil
}

// Full reports whether the user can have no more factors of a method.
func (u *User) Full(m Method) bool {
	switch m {
	case MethodPasskey:
		return len(u.Passkeys) >= MaxPasskeys
	case MethodTOTP:
		return len(u.TOTP) >= MaxTOTP
	case MethodSMS:
		return len(u.SMS) >= MaxSMS
	}
	return true
}

func (u *User) count(m Method) int {
	switch m {
	case MethodPasskey:
		return len(u.Passkeys)
	case MethodTOTP:
		return len(u.TOTP)
	case MethodSMS:
		return len(u.SMS)
	case MethodBackupCode:
		if u.BackupCodes != nil {
			return 1
		}
	}
	return 0
}

// Remove removes the factor with an ID, or all of a method if the ID is zero,
// and with the last of the user's factors everything that depends on having one.
func (u *User) Remove(m Method, only ID) {
	u.discard(m, only)
	if m == MethodBackupCode {
		return // invalidates no challenge, proof or device
	}
	if !u.Enrolled() {
		u.discard(MethodBackupCode, ID{})
	}
	u.Renew()
}

// discard deletes the factor with an ID, or all of a method if the ID is zero.
// With the last of a method go its failures.
func (u *User) discard(m Method, only ID) {
	gone := func(f Factor) bool { return only == ID{} || f.ID == only }
	switch m {
	case MethodPasskey:
		u.Passkeys = slices.DeleteFunc(u.Passkeys, func(p Passkey) bool { return gone(p.Factor) })
	case MethodTOTP:
		u.TOTP = slices.DeleteFunc(u.TOTP, func(t TOTP) bool { return gone(t.Factor) })
	case MethodSMS:
		u.SMS = slices.DeleteFunc(u.SMS, func(s SMS) bool { return gone(s.Factor) })
	case MethodBackupCode:
		u.BackupCodes = nil
	}
	if !u.Has(m) {
		*u.Lane(m) = throttle.Lane{}
	}
}

// Lanes count the failures of each method.
type Lanes struct {
	Passkey, TOTP, SMS, BackupCode throttle.Lane
}

// Lane returns the count of a method.
func (u *User) Lane(m Method) *throttle.Lane {
	switch m {
	case MethodPasskey:
		return &u.Lanes.Passkey
	case MethodTOTP:
		return &u.Lanes.TOTP
	case MethodSMS:
		return &u.Lanes.SMS
	}
	return &u.Lanes.BackupCode
}

// RetryAt returns the end of a method's delay, or zero without one.
func (u *User) RetryAt(m Method) time.Time {
	if m == MethodBackupCode {
		return u.Lanes.BackupCode.RetryAt(throttle.BackupCodes)
	}
	return u.Lane(m).RetryAt(throttle.OneTimeCodes)
}
