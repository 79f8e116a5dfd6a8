package record

import (
	"encoding/binary"
	"time"

	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/wire"
)

// version is the first byte of an encoded user. Records of earlier versions stay
// readable: testdata has a golden file for each.
const version = 2

// Bounds on what is read, in bytes.
const (
	maxLabel   = 64
	maxPhone   = 16
	maxAccount = 255
)

// Append appends the encoding of a user. Equal users have equal encodings.
func (u *User) Append(b []byte) []byte {
	b = append(b, version)
	b = append(b, u.Epoch[:]...)
	b = appendHandle(b, u.Handle)
	b = appendList(b, u.Passkeys, appendPasskey)
	b = appendList(b, u.TOTP, appendTOTP)
	b = appendList(b, u.SMS, appendSMS)
	b = wire.AppendBool(b, u.BackupCodes != nil)
	if u.BackupCodes != nil {
		b = appendBackupCodes(b, u.BackupCodes)
	}
	b = appendLanes(b, &u.Lanes)
	b = appendList(b, u.Pending, appendPending)
	b = appendList(b, u.Devices, appendDevice)
	b = appendSent(b, u.Sent)
	b = appendTimes(b, u.Generated)
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
	u.Handle = readHandle(r)
	u.Passkeys = readList(r, MaxPasskeys, readPasskey)
	u.TOTP = readList(r, MaxTOTP, readTOTP)
	u.SMS = readList(r, MaxSMS, readSMS)
	if r.Bool() {
		u.BackupCodes = readBackupCodes(r)
	}
	u.Lanes = readLanes(r)
	u.Pending = readPendings(r)
	u.Devices = readList(r, MaxDevices, readDevice)
	u.Sent = readSent(r)
	u.Generated = readTimes(r, SetsPerHour)
	u.Challenges = readChallenges(r)
	u.Forgotten = r.OptionalTime()
	if err := r.Close(); err != nil {
		*u = User{}
		return err
	}
	return nil
}

func appendList[T any](b []byte, list []T, appendOne func([]byte, *T) []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for i := range list {
		b = appendOne(b, &list[i])
	}
	return b
}

func readList[T any](r *wire.Reader, limit uint64, readOne func(*wire.Reader, *T)) []T {
	n := r.Uvarint(limit)
	if n == 0 {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		readOne(r, &list[i])
	}
	return list
}

// appendHandle appends no more than a byte for a user without one.
func appendHandle(b []byte, h Handle) []byte {
	if h == (Handle{}) {
		return wire.AppendBool(b, false)
	}
	return append(wire.AppendBool(b, true), h[:]...)
}

func readHandle(r *wire.Reader) (h Handle) {
	if r.Bool() {
		copy(h[:], r.Bytes(len(h)))
		if h == (Handle{}) { // which has a shorter encoding
			r.Fail()
		}
	}
	return h
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
	return wire.AppendOptionalTime(appendTimes(b, s.Times), s.Cooldown)
}

func readSent(r *wire.Reader) Sent {
	return Sent{Times: readTimes(r, PerDay), Cooldown: r.OptionalTime()}
}

// appendTimes appends ascending times.
func appendTimes(b []byte, times []time.Time) []byte {
	b = binary.AppendUvarint(b, uint64(len(times)))
	base := time.Unix(0, 0)
	for _, t := range times {
		b = wire.AppendTimeAfter(b, base, t)
		base = t
	}
	return b
}

func readTimes(r *wire.Reader, limit uint64) (times []time.Time) {
	base := time.Unix(0, 0)
	for range r.Uvarint(limit) {
		t := r.TimeAfter(base)
		if len(times) > 0 && t.Before(base) {
			r.Fail()
		}
		times = append(times, t)
		base = t
	}
	return times
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
			b = append(b, c.Code.Factor[:]...)
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
			c.Code = &Code{Tag: readTag(r), Factor: readID(r), Expires: r.TimeAfter(c.Issued)}
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
