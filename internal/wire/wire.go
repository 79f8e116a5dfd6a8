// Package wire encodes and decodes the few kinds of values that records and
// tokens consist of. Each value has one encoding: bytes that are read without an
// error are written again as the same bytes.
package wire

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrFormat is returned for bytes that are no encoding of what is read.
var ErrFormat = errors.New("malformed encoding")

// AppendTime appends seconds and nanoseconds of Unix time, without a zone.
func AppendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// AppendTimeAfter appends the time from base to t, in few bytes if it is short or
// whole seconds.
func AppendTimeAfter(b []byte, base, t time.Time) []byte {
	seconds, nanoseconds := t.Unix()-base.Unix(), t.Nanosecond()-base.Nanosecond()
	if nanoseconds < 0 {
		seconds, nanoseconds = seconds-1, nanoseconds+int(time.Second)
	}
	b = binary.AppendVarint(b, seconds)
	return binary.AppendUvarint(b, uint64(nanoseconds))
}

// AppendOptionalTime appends a time that may be zero.
func AppendOptionalTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return AppendBool(b, false)
	}
	return AppendTime(AppendBool(b, true), t)
}

// AppendString appends the length and the bytes.
func AppendString[S string | []byte](b []byte, s S) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// AppendBool appends one byte, 0 or 1.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// maxSeconds bounds the times that are read, either side of 1970: they lie
// between the years -6740 and 10680.
const maxSeconds = 1 << 38

// Holds reports whether t, and every time within a few years of it, can be read
// back.
func Holds(t time.Time) bool {
	const few = 1 << 28
	return t.Unix() > -maxSeconds+few && t.Unix() < maxSeconds-few
}

// A Reader takes values off the front of its bytes. After the first fault it
// returns zeros, and Close returns an error.
type Reader struct {
	data   []byte
	failed bool
}

// NewReader reads from data and keeps a reference to it.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// Close returns ErrFormat unless everything was well-formed and all was read.
func (r *Reader) Close() error {
	if r.failed || len(r.data) > 0 {
		return ErrFormat
	}
	return nil
}

// Fail makes Close return ErrFormat, for callers with rules of their own.
func (r *Reader) Fail() {
	r.failed, r.data = true, nil
}

// Uvarint reads an unsigned number up to limit.
func (r *Reader) Uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.data)
	if !r.varint(n) || v > limit {
		r.Fail()
		return 0
	}
	return v
}

// Varint reads a signed number.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.data)
	if !r.varint(n) {
		return 0
	}
	return v
}

// varint takes n bytes off, as binary.Varint counted them, and refuses
// encodings that are longer than they need be.
func (r *Reader) varint(n int) bool {
	if n <= 0 || n > 1 && r.data[n-1] == 0 {
		r.Fail()
		return false
	}
	r.data = r.data[n:]
	return true
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	b := r.Bytes(1)
	if b == nil {
		return 0
	}
	return b[0]
}

// Bool reads a byte that is 0 or 1.
func (r *Reader) Bool() bool {
	b := r.Byte()
	if b > 1 {
		r.Fail()
	}
	return b == 1
}

// Bytes reads n bytes; nil after a fault. They share memory with the input.
func (r *Reader) Bytes(n int) []byte {
	if n > len(r.data) {
		r.Fail()
		return nil
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}

// String reads a length of at most limit and as many bytes.
func (r *Reader) String(limit int) []byte {
	return r.Bytes(int(r.Uvarint(uint64(limit))))
}

// Time reads what AppendTime wrote, in UTC.
func (r *Reader) Time() time.Time {
	return r.TimeAfter(time.Unix(0, 0))
}

// TimeAfter reads what AppendTimeAfter wrote with the same base.
func (r *Reader) TimeAfter(base time.Time) time.Time {
	seconds := base.Unix() + r.Varint()
	nanoseconds := int64(base.Nanosecond()) + int64(r.Uvarint(uint64(time.Second)-1))
	if seconds < -maxSeconds || seconds > maxSeconds {
		r.Fail()
		return time.Time{}
	}
	return time.Unix(seconds, nanoseconds).UTC()
}

// OptionalTime reads what AppendOptionalTime wrote.
func (r *Reader) OptionalTime() time.Time {
	if !r.Bool() {
		return time.Time{}
	}
	t := r.Time()
	if t.IsZero() {
		r.Fail()
	}
	return t
}
