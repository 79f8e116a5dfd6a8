package record

import (
	"encoding/binary"
	"time"

	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/throttle"
	"github.com/protekt/mfa/internal/totp"
	"github.com/protekt/mfa/internal/wire"
)

// version is the first byte of an encoded user. Records of earlier versions stay
// readable: testdata has a golden file for each.
const version = 1

// Bounds on what is read.
const (
	maxPhone       = 16
	maxBackupCodes = 15
)

// Presence bits, in the byte that follows the epochs.
const (
	hasTOTP = 1 << iota
	hasSMS
	hasBackupCodes
	hasPendingTOTP
	hasPendingSMS
	presence = 1<<iota - 1
)

// Append appends the encoding of a user. Equal users have equal encodings.
func (u *User) Append(b []byte) []byte {
	b = append(b, version)
	b = append(b, u.Epoch[:]...)
	b = append(b, u.Devices[:]...)
	b = append(b, u.presence())
	if u.TOTP != nil {
		b = appendFactor(b, &u.TOTP.Factor)
		b = appendKey(b, u.TOTP.Key)
		b = appendAscending(b, u.TOTP.Spent)
	}
	if u.SMS != nil {
		b = appendFactor(b, &u.SMS.Factor)
		b = wire.AppendString(b, u.SMS.Phone)
	}
	if u.BackupCodes != nil {
		b = appendFactor(b, &u.BackupCodes.Factor)
		b = appendBackupCodes(b, u.BackupCodes)
	}
	if u.PendingTOTP != nil {
		b = appendPending(b, u.PendingTOTP.Pending)
		b = appendKey(b, u.PendingTOTP.Key)
	}
	if u.PendingSMS != nil {
		b = appendPending(b, u.PendingSMS.Pending)
		b = wire.AppendString(b, u.PendingSMS.Phone)
		b = appendTag(b, u.PendingSMS.Code)
	}
	b = appendSent(b, u.Sent)
	b = appendChallenges(b, u.Challenges)
	return wire.AppendOptionalTime(b, u.Forgotten)
}

// Decode replaces u by the user encoded in data, or returns wire.ErrFormat. It
// keeps a reference to data.
func (u *User) Decode(data []byte) error {
	*u = User{}
	r := wire.NewReader(data)
	if r.Byte() != version {
		return wire.ErrFormat
	}
	copy(u.Epoch[:], r.Bytes(len(u.Epoch)))
	copy(u.Devices[:], r.Bytes(len(u.Devices)))
	has := r.Byte()
	if has&^presence != 0 {
		r.Fail()
	}
	if has&hasTOTP != 0 {
		u.TOTP = &TOTP{Factor: readFactor(r, MethodTOTP), Key: readKey(r), Spent: readAscending(r, maxSpent)}
	}
	if has&hasSMS != 0 {
		u.SMS = &SMS{Factor: readFactor(r, MethodSMS), Phone: string(r.String(maxPhone))}
	}
	if has&hasBackupCodes != 0 {
		u.BackupCodes = readBackupCodes(r)
	}
	if has&hasPendingTOTP != 0 {
		u.PendingTOTP = &PendingTOTP{Pending: readPending(r), Key: readKey(r)}
	}
	if has&hasPendingSMS != 0 {
		u.PendingSMS = &PendingSMS{Pending: readPending(r), Phone: string(r.String(maxPhone)), Code: readTag(r)}
	}
	u.Sent = readSent(r)
	u.Challenges = readChallenges(r)
	u.Forgotten = r.OptionalTime()
	if err := r.Close(); err != nil {
		*u = User{}
		return err
	}
	return nil
}

func (u *User) presence() (has byte) {
	if u.TOTP != nil {
		has |= hasTOTP
	}
	if u.SMS != nil {
		has |= hasSMS
	}
	if u.BackupCodes != nil {
		has |= hasBackupCodes
	}
	if u.PendingTOTP != nil {
		has |= hasPendingTOTP
	}
	if u.PendingSMS != nil {
		has |= hasPendingSMS
	}
	return has
}

func appendFactor(b []byte, f *Factor) []byte {
	b = wire.AppendTime(b, f.EnrolledAt)
	b = wire.AppendOptionalTime(b, f.LastUsedAt)
	b = binary.AppendUvarint(b, uint64(f.Lane.Consecutive))
	b = wire.AppendOptionalTime(b, f.Lane.LastFailure)
	b = appendAscending(b, f.Lane.Recent)
	return wire.AppendBool(b, f.Lane.Disabled)
}

func readFactor(r *wire.Reader, m Method) Factor {
	return Factor{
		Method:     m,
		EnrolledAt: r.Time(),
		LastUsedAt: r.OptionalTime(),
		Lane: throttle.Lane{
			Consecutive: int(r.Uvarint(throttle.Limit)),
			LastFailure: r.OptionalTime(),
			Recent:      readAscending(r, throttle.Limit),
			Disabled:    r.Bool(),
		},
	}
}

func appendKey(b []byte, k totp.Key) []byte {
	b = wire.AppendString(b, k.Secret)
	b = append(b, byte(k.Algorithm), byte(k.Digits))
	return binary.AppendUvarint(b, uint64(k.Period))
}

func readKey(r *wire.Reader) totp.Key {
	k := totp.Key{
		Secret:    r.String(totp.MaxSecret),
		Algorithm: totp.Algorithm(r.Byte()),
		Digits:    int(r.Byte()),
		Period:    int64(r.Uvarint(totp.MaxPeriod)),
	}
	if !k.Valid() {
		r.Fail()
	}
	return k
}

func appendBackupCodes(b []byte, codes *BackupCodes) []byte {
	b = append(b, codes.Salt[:]...)
	b = binary.AppendUvarint(b, uint64(codes.Cost.Time))
	b = binary.AppendUvarint(b, uint64(codes.Cost.Memory))
	b = append(b, codes.Cost.Threads)
	b = binary.AppendUvarint(b, uint64(len(codes.Hashes)))
	for i := range codes.Hashes {
		b = append(b, codes.Hashes[i][:]...)
	}
	return b
}

func readBackupCodes(r *wire.Reader) *BackupCodes {
	codes := &BackupCodes{Factor: readFactor(r, MethodBackupCode)}
	copy(codes.Salt[:], r.Bytes(len(codes.Salt)))
	codes.Cost = Argon2{
		Time:    uint32(r.Uvarint(maxArgon2Time)),
		Memory:  uint32(r.Uvarint(maxArgon2Memory)),
		Threads: r.Byte(),
	}
	if !codes.Cost.Valid() {
		r.Fail()
	}
	codes.Hashes = make([]BackupHash, r.Uvarint(maxBackupCodes))
	for i := range codes.Hashes {
		copy(codes.Hashes[i][:], r.Bytes(len(codes.Hashes[i])))
	}
	return codes
}

func appendPending(b []byte, p Pending) []byte {
	b = wire.AppendTime(b, p.Expires)
	b = binary.AppendUvarint(b, uint64(p.Failures))
	return wire.AppendBool(b, p.Proven)
}

func readPending(r *wire.Reader) Pending {
	return Pending{Expires: r.Time(), Failures: int(r.Uvarint(MaxTries)), Proven: r.Bool()}
}

func appendTag(b []byte, t seal.Tag) []byte {
	b = append(b, t.Key[:]...)
	return append(b, t.Sum[:]...)
}

func readTag(r *wire.Reader) (t seal.Tag) {
	copy(t.Key[:], r.Bytes(len(t.Key)))
	copy(t.Sum[:], r.Bytes(len(t.Sum)))
	return t
}

func appendSent(b []byte, s Sent) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.Times)))
	base := time.Unix(0, 0)
	for _, t := range s.Times {
		b = wire.AppendTimeAfter(b, base, t)
		base = t
	}
	return wire.AppendOptionalTime(b, s.Cooldown)
}

func readSent(r *wire.Reader) (s Sent) {
	base := time.Unix(0, 0)
	for range r.Uvarint(PerDay) {
		t := r.TimeAfter(base)
		if len(s.Times) > 0 && t.Before(base) {
			r.Fail()
		}
		s.Times = append(s.Times, t)
		base = t
	}
	s.Cooldown = r.OptionalTime()
	return s
}

// The counters of a challenge share a byte: three bits for failures, two for
// messages, one for a used challenge, one for a code that follows.
const (
	failuresMask = 1<<3 - 1
	sendsShift   = 3
	sendsMask    = 1<<2 - 1
	usedBit      = 1 << 5
	codeBit      = 1 << 6
	countersMask = 1<<7 - 1
)

func appendChallenges(b []byte, challenges []Challenge) []byte {
	b = binary.AppendUvarint(b, uint64(len(challenges)))
	base := time.Unix(0, 0)
	for i := range challenges {
		c := &challenges[i]
		b = append(b, c.ID[:]...)
		b = wire.AppendTimeAfter(b, base, c.Issued)
		b = wire.AppendTimeAfter(b, c.Issued, c.Expires)
		counters := byte(c.Failures) | byte(c.Sends)<<sendsShift
		if c.Used {
			counters |= usedBit
		}
		if c.Code != nil {
			counters |= codeBit
		}
		b = append(b, counters)
		if c.Code != nil {
			b = appendTag(b, c.Code.Tag)
			b = wire.AppendTimeAfter(b, c.Issued, c.Code.Expires)
		}
		base = c.Issued
	}
	return b
}

func readChallenges(r *wire.Reader) []Challenge {
	n := r.Uvarint(MaxChallenges)
	if n == 0 {
		return nil
	}
	challenges := make([]Challenge, n, n+1) // one more often follows
	base := time.Unix(0, 0)
	for i := range challenges {
		c := &challenges[i]
		copy(c.ID[:], r.Bytes(len(c.ID)))
		c.Issued = r.TimeAfter(base)
		c.Expires = r.TimeAfter(c.Issued)
		counters := r.Byte()
		c.Failures = int(counters & failuresMask)
		c.Sends = int(counters >> sendsShift & sendsMask)
		c.Used = counters&usedBit != 0
		if counters&codeBit != 0 {
			c.Code = &Code{Tag: readTag(r), Expires: r.TimeAfter(c.Issued)}
		}
		if counters&^countersMask != 0 || c.Failures > MaxTries || i > 0 && c.Issued.Before(base) {
			r.Fail()
		}
		base = c.Issued
	}
	return challenges
}

// appendAscending appends the first number and the differences between them.
func appendAscending(b []byte, numbers []int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(numbers)))
	for i, n := range numbers {
		if i == 0 {
			b = binary.AppendVarint(b, n)
			continue
		}
		b = binary.AppendUvarint(b, uint64(n-numbers[i-1]))
	}
	return b
}

func readAscending(r *wire.Reader, limit uint64) []int64 {
	n := r.Uvarint(limit)
	if n == 0 {
		return nil
	}
	numbers := make([]int64, n, n+1) // one more often follows
	for i := range numbers {
		if i == 0 {
			numbers[i] = r.Varint()
			continue
		}
		numbers[i] = numbers[i-1] + int64(r.Uvarint(1<<62))
		if numbers[i] < numbers[i-1] { // it overflowed
			r.Fail()
		}
	}
	return numbers
}
