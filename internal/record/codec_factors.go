package record

import (
	"encoding/binary"
	"slices"

	"github.com/protekt/mfa/internal/throttle"
	"github.com/protekt/mfa/internal/totp"
	"github.com/protekt/mfa/internal/wire"
)

func appendFactor(b []byte, f *Factor) []byte {
	b = append(b, f.ID[:]...)
	b = wire.AppendString(b, f.Label)
	b = wire.AppendTime(b, f.EnrolledAt)
	return wire.AppendOptionalTime(b, f.LastUsedAt)
}

func readFactor(r *wire.Reader, m Method) Factor {
	return Factor{
		ID:         readID(r),
		Method:     m,
		Label:      string(r.String(maxLabel)),
		EnrolledAt: r.Time(),
		LastUsedAt: r.OptionalTime(),
	}
}

func readID(r *wire.Reader) (id ID) {
	copy(id[:], r.Bytes(len(id)))
	return id
}

func appendPasskey(b []byte, p *Passkey) []byte {
	b = appendFactor(b, &p.Factor)
	b = wire.AppendString(b, p.Credential.ID)
	return wire.AppendString(b, p.Data)
}

func readPasskey(r *wire.Reader, p *Passkey) {
	p.Factor = readFactor(r, MethodPasskey)
	p.Credential = Credential{ID: r.String(MaxCredential), Data: r.String(MaxCredential)}
	if !p.Credential.fits() {
		r.Fail()
	}
}

func appendTOTP(b []byte, t *TOTP) []byte {
	b = appendFactor(b, &t.Factor)
	b = appendKey(b, t.Key)
	return appendSpent(b, t.Spent)
}

func readTOTP(r *wire.Reader, t *TOTP) {
	t.Factor, t.Key, t.Spent = readFactor(r, MethodTOTP), readKey(r), readSpent(r)
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

// appendSpent appends the steps and the distance from Next to the one after the
// last of them, which is nearly always none.
func appendSpent(b []byte, s Spent) []byte {
	b = appendAscending(b, s.Steps)
	if n := len(s.Steps); n > 0 {
		b = binary.AppendUvarint(b, uint64(s.Steps[n-1]+1-s.Next))
	}
	return b
}

func readSpent(r *wire.Reader) Spent {
	s := Spent{Steps: readAscending(r, maxSpent)}
	if n := len(s.Steps); n > 0 {
		after := s.Steps[n-1] + 1
		if s.Steps[0] < 0 || after < 1 {
			r.Fail()
			return s
		}
		s.Next = after - int64(r.Uvarint(uint64(after)))
	}
	return s
}

func appendSMS(b []byte, s *SMS) []byte {
	return wire.AppendString(appendFactor(b, &s.Factor), s.Phone)
}

func readSMS(r *wire.Reader, s *SMS) {
	s.Factor, s.Phone = readFactor(r, MethodSMS), string(r.String(maxPhone))
}

func appendBackupCodes(b []byte, codes *BackupCodes) []byte {
	b = wire.AppendTime(b, codes.EnrolledAt)
	b = wire.AppendOptionalTime(b, codes.LastUsedAt)
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
	codes := &BackupCodes{Factor: Factor{Method: MethodBackupCode, EnrolledAt: r.Time(), LastUsedAt: r.OptionalTime()}}
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

// appendLanes appends no more than a byte for methods without failures.
func appendLanes(b []byte, lanes *Lanes) []byte {
	at := len(b)
	b = append(b, 0)
	for i, lane := range lanes.each() {
		if lane.Zero() {
			continue
		}
		b[at] |= 1 << i
		b = binary.AppendUvarint(b, uint64(lane.Consecutive))
		b = wire.AppendOptionalTime(b, lane.LastFailure)
		b = appendAscending(b, lane.Recent)
		b = wire.AppendBool(b, lane.Disabled)
	}
	return b
}

func readLanes(r *wire.Reader) (lanes Lanes) {
	has := r.Byte()
	each := lanes.each()
	if has>>len(each) != 0 {
		r.Fail()
	}
	for i, lane := range each {
		if has&(1<<i) == 0 {
			continue
		}
		*lane = throttle.Lane{
			Consecutive: int(r.Uvarint(throttle.Limit)),
			LastFailure: r.OptionalTime(),
			Recent:      readAscending(r, throttle.Limit),
			Disabled:    r.Bool(),
		}
		if lane.Zero() { // which has a shorter encoding
			r.Fail()
		}
	}
	return lanes
}

func (l *Lanes) each() [4]*throttle.Lane {
	return [...]*throttle.Lane{&l.Passkey, &l.TOTP, &l.SMS, &l.BackupCode}
}

// The methods of pending factors, as stored.
var pendingMethods = [...]Method{MethodPasskey, MethodTOTP, MethodSMS}

// The flags of a pending factor.
const (
	keepBit = 1 << iota
	replacesBit
	pendingMask = 1<<iota - 1
)

func appendPending(b []byte, p *Pending) []byte {
	b = append(b, byte(slices.Index(pendingMethods[:], p.Method)))
	b = append(b, p.ID[:]...)
	b = wire.AppendString(b, p.Label)
	b = wire.AppendTime(b, p.Expires)
	b = binary.AppendUvarint(b, uint64(p.Failures))
	var flags byte
	if p.Keep {
		flags |= keepBit
	}
	if p.Replaces != (ID{}) {
		flags |= replacesBit
	}
	b = append(b, flags)
	if p.Replaces != (ID{}) {
		b = append(b, p.Replaces[:]...)
	}
	switch p.Method {
	case MethodPasskey:
		b = wire.AppendString(b, p.Account)
	case MethodTOTP:
		b = appendKey(b, p.Key)
	case MethodSMS:
		b = wire.AppendString(b, p.Phone)
		b = appendTag(b, p.Code)
	}
	return b
}

func readPendings(r *wire.Reader) []Pending {
	list := readList(r, uint64(len(pendingMethods)), readPending)
	for i := range list {
		for _, other := range list[:i] {
			if other.Method == list[i].Method {
				r.Fail()
			}
		}
	}
	return list
}

func readPending(r *wire.Reader, p *Pending) {
	method := int(r.Byte())
	if method >= len(pendingMethods) {
		r.Fail()
		return
	}
	p.Method = pendingMethods[method]
	p.ID = readID(r)
	p.Label = string(r.String(maxLabel))
	p.Expires = r.Time()
	p.Failures = int(r.Uvarint(MaxTries))
	flags := r.Byte()
	p.Keep = flags&keepBit != 0
	if flags&replacesBit != 0 {
		p.Replaces = readID(r)
	}
	if flags&^pendingMask != 0 || (flags&replacesBit != 0) != (p.Replaces != ID{}) {
		r.Fail()
	}
	switch p.Method {
	case MethodPasskey:
		p.Account = string(r.String(maxAccount))
	case MethodTOTP:
		p.Key = readKey(r)
	case MethodSMS:
		p.Phone, p.Code = string(r.String(maxPhone)), readTag(r)
	}
}

func appendDevice(b []byte, d *Device) []byte {
	b = append(b, d.ID[:]...)
	b = wire.AppendString(b, d.Label)
	b = wire.AppendTime(b, d.TrustedAt)
	return wire.AppendOptionalTime(b, d.LastUsedAt)
}

func readDevice(r *wire.Reader, d *Device) {
	*d = Device{ID: readID(r), Label: string(r.String(maxLabel)), TrustedAt: r.Time(), LastUsedAt: r.OptionalTime()}
}
