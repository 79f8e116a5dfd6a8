package record

import (
	"crypto/subtle"
	"slices"
	"time"

	"github.com/protekt/mfa/internal/throttle"
)

// BackupCodes is a set of single-use codes. The hash of a spent code is deleted.
type BackupCodes struct {
	Factor
	Salt   [16]byte
	Cost   Argon2
	Hashes []BackupHash
}

// BackupCodesLeft returns the number of unused backup codes.
func (u *User) BackupCodesLeft() int {
	if u.BackupCodes == nil {
		return 0
	}
	return len(u.BackupCodes.Hashes)
}

// A BackupHash is the Argon2id hash of one code under the set's salt.
type BackupHash [16]byte

// Argon2 holds the cost at which the codes of a set are hashed (RFC 9106 §3.1).
type Argon2 struct {
	Time    uint32 // passes
	Memory  uint32 // KiB
	Threads uint8
}

// Bounds on what is read back, so that no record can make a check run for minutes
// or panic.
const (
	maxArgon2Time    = 16
	maxArgon2Memory  = 256 << 10
	maxArgon2Threads = 16
	maxBackupCodes   = 15
)

// Valid reports whether a hash may be computed at this cost.
func (a Argon2) Valid() bool {
	return a.Time >= 1 && a.Time <= maxArgon2Time &&
		a.Threads >= 1 && a.Threads <= maxArgon2Threads &&
		a.Memory >= 8*uint32(a.Threads) && a.Memory <= maxArgon2Memory
}

// SetsPerHour is how many sets of backup codes may be generated in an hour.
const SetsPerHour = 5

// NextSet returns when another set may be generated, zero for at once.
func (u *User) NextSet() time.Time {
	if len(u.Generated) < SetsPerHour {
		return time.Time{}
	}
	return u.Generated[0].Add(time.Hour)
}

// CountSet counts a set that is about to be generated.
func (u *User) CountSet(now time.Time) {
	if n := len(u.Generated); n > 0 {
		now = latest(now, u.Generated[n-1]) // the clock may have gone back
	}
	u.Generated = append(u.Generated, now)
	u.Generated = u.Generated[max(0, len(u.Generated)-SetsPerHour):]
}

// SetBackupCodes sets a new set of codes, with no failures counted.
func (u *User) SetBackupCodes(salt [16]byte, cost Argon2, hashes []BackupHash, now time.Time) {
	u.Lanes.BackupCode = throttle.Lane{}
	u.BackupCodes = &BackupCodes{
		Factor: Factor{Method: MethodBackupCode, EnrolledAt: now},
		Salt:   salt,
		Cost:   cost,
		Hashes: hashes,
	}
}

// spend deletes a hash, if it is there. It compares every one in constant time.
func (b *BackupCodes) spend(hash BackupHash) bool {
	found := -1
	for i := range b.Hashes {
		equal := subtle.ConstantTimeCompare(b.Hashes[i][:], hash[:])
		found = subtle.ConstantTimeSelect(equal, i, found)
	}
	if found < 0 {
		return false
	}
	b.Hashes = slices.Delete(slices.Clone(b.Hashes), found, found+1)
	return true
}
