// Package totp computes time-based one-time passwords (RFC 6238) and finds
// the time step that a code belongs to.
package totp

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"time"
)

// An Algorithm is the hash of the HMAC (RFC 6238 §1.2). Its numbers are part
// of stored records.
type Algorithm uint8

const (
	SHA1 Algorithm = 1 + iota
	SHA256
	SHA512
)

// Size returns the length of the algorithm's output in bytes, which is the length
// that RFC 6238 §5.1 asks of a key, or 0 for an unknown algorithm.
func (a Algorithm) Size() int {
	switch a {
	case SHA1:
		return sha1.Size
	case SHA256:
		return sha256.Size
	case SHA512:
		return sha512.Size
	}
	return 0
}

func (a Algorithm) blockSize() int {
	if a == SHA512 {
		return sha512.BlockSize
	}
	return sha256.BlockSize // and of SHA-1
}

// append appends the hash of data to dst.
func (a Algorithm) append(dst, data []byte) []byte {
	switch a {
	case SHA256:
		sum := sha256.Sum256(data)
		return append(dst, sum[:]...)
	case SHA512:
		sum := sha512.Sum512(data)
		return append(dst, sum[:]...)
	}
	sum := sha1.Sum(data)
	return append(dst, sum[:]...)
}

const (
	MinSecret, MaxSecret = 10, 64 // bytes
	MinDigits, MaxDigits = 6, 8
	MaxPeriod            = 120 // seconds; NIST SP 800-63B §3.1.4.1
)

// A Key is shared by an authenticator app and the engine.
type Key struct {
	Secret    []byte
	Algorithm Algorithm
	Digits    int
	Period    int64 // seconds
}

// Valid reports whether every field is within its bounds. The other methods
// require a valid key.
func (k Key) Valid() bool {
	return len(k.Secret) >= MinSecret && len(k.Secret) <= MaxSecret &&
		k.Algorithm.Size() > 0 &&
		k.Digits >= MinDigits && k.Digits <= MaxDigits &&
		k.Period >= 1 && k.Period <= MaxPeriod
}

// Equal reports whether two keys generate the same codes, and takes the same time
// whichever secrets they have.
func (k Key) Equal(other Key) bool {
	return subtle.ConstantTimeCompare(k.Secret, other.Secret) == 1 &&
		k.Algorithm == other.Algorithm && k.Digits == other.Digits && k.Period == other.Period
}

// Step returns the number of the time step at t (RFC 6238 §4.2, with T0 = 0). It
// is negative before 1970.
func (k Key) Step(t time.Time) int64 {
	seconds := t.Unix()
	step := seconds / k.Period
	if seconds%k.Period < 0 {
		step--
	}
	return step
}

// Match compares code with every step from first to last and returns the
// latest one it belongs to. Two steps can share their digits: spending the
// later one spends both. All steps are computed and compared in constant time,
// so that the time taken does not tell which of them matched.
func (k Key) Match(code string, first, last int64) (step int64, ok bool) {
	var h hotp
	h.init(k)
	given := []byte(code)
	found := 0 // 1 + the offset of the latest match
	for s := max(first, 0); s <= last; s++ {
		equal := subtle.ConstantTimeCompare(h.value(s, k.Digits), given)
		found = subtle.ConstantTimeSelect(equal, int(s-first)+1, found)
	}
	return first + int64(found) - 1, found > 0
}

// hotp computes HOTP values (RFC 4226 §5.3). Every login does so three times:
// it writes HMAC (RFC 2104 §2) out over buffers of its own, which takes two
// thirds of the time of crypto/hmac and none of its allocations.
type hotp struct {
	algorithm Algorithm
	block     int                        // of the hash, in bytes
	inner     [maxBlock + 8]byte         // the key xor ipad, then the counter
	outer     [maxBlock + maxOutput]byte // the key xor opad, then the inner hash
	digits    [MaxDigits]byte
}

const (
	maxBlock  = sha512.BlockSize
	maxOutput = sha512.Size
)

func (h *hotp) init(k Key) {
	h.algorithm, h.block = k.Algorithm, k.Algorithm.blockSize()
	copy(h.inner[:], k.Secret) // never longer than a block
	copy(h.outer[:], k.Secret)
	for i := range h.block {
		h.inner[i] ^= 0x36
		h.outer[i] ^= 0x5c
	}
}

// value returns the code of a step, padded with zeros. The next call overwrites
// it.
func (h *hotp) value(step int64, digits int) []byte {
	binary.BigEndian.PutUint64(h.inner[h.block:], uint64(step))
	outer := h.algorithm.append(h.outer[:h.block], h.inner[:h.block+8])
	var buffer [maxOutput]byte
	sum := h.algorithm.append(buffer[:0], outer)
	offset := sum[len(sum)-1] & 0xf
	value := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	for i := digits - 1; i >= 0; i-- {
		h.digits[i] = '0' + byte(value%10)
		value /= 10
	}
	return h.digits[:digits]
}
