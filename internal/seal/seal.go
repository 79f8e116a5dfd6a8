// Package seal encrypts and authenticates what leaves the engine: records for
// the store and tokens for clients. Each key of the host is split with HKDF
// (RFC 5869) into one key per purpose, so that bytes made for one purpose are
// worthless for another.
package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// A Purpose is one use of a key.
type Purpose uint8

const (
	Record Purpose = iota
	Challenge
	Enrollment
	Proof
	Device
	purposes
)

// labels name the purposes in HKDF's info. Changing one makes everything that
// was sealed for it unreadable.
var labels = [purposes]string{"record", "challenge", "enrollment", "proof", "device"}

// KeySize is the length of a host's key in bytes.
const KeySize = 32

const (
	format    = 1 // of sealed bytes: format, key ID, nonce, ciphertext, tag
	idSize    = 4
	nonceSize = chacha20poly1305.NonceSizeX
	header    = 1 + idSize + nonceSize
	// Overhead is the difference in length between sealed and plain bytes.
	Overhead = header + chacha20poly1305.Overhead
)

// ErrOpen is returned for bytes that were not sealed for this purpose and these
// associated data under a key of the ring.
var ErrOpen = errors.New("cannot be opened: damaged, meant for something else, or sealed under a key that is not in Config.Keys")

// A Ring seals under its first key and opens under any.
type Ring struct{ keys []key }

type key struct {
	id    [idSize]byte // names the key in what it sealed; not secret
	aeads [purposes]cipher.AEAD
	hash  []byte
}

// New derives a ring from the host's keys and keeps no reference to them.
func New(keys [][]byte) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("at least one key of 32 random bytes is needed")
	}
	ring := &Ring{keys: make([]key, len(keys))}
	for i, k := range keys {
		if len(k) != KeySize {
			return nil, fmt.Errorf("key %d has %d bytes; a key is %d random bytes, as crypto/rand generates them", i, len(k), KeySize)
		}
		if isConstant(k) {
			return nil, fmt.Errorf("key %d is one byte repeated; a key is %d random bytes, as crypto/rand generates them", i, KeySize)
		}
		if isText(k) {
			return nil, fmt.Errorf("key %d is text; a key is %d random bytes, as crypto/rand generates them: decode one that is kept in hex or base64", i, KeySize)
		}
		for j := range i {
			if bytes.Equal(k, keys[j]) {
				return nil, fmt.Errorf("key %d is the same as key %d; leave one out", i, j)
			}
		}
		if err := ring.keys[i].derive(k); err != nil {
			return nil, err
		}
		for j := range i { // one in four billion
			if ring.keys[i].id == ring.keys[j].id {
				return nil, fmt.Errorf("key %d has the ID of key %d; draw another", i, j)
			}
		}
	}
	return ring, nil
}

// isConstant reports whether b is one byte repeated.
func isConstant(b []byte) bool { return bytes.Count(b, b[:1]) == len(b) }

// isText reports whether b is printable ASCII alone, as no random key ever is.
func isText(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' })
}

func (k *key) derive(secret []byte) error {
	id, err := expand(secret, "id", idSize)
	if err != nil {
		return err
	}
	k.id = [idSize]byte(id)
	for p, label := range labels {
		sub, err := expand(secret, label, chacha20poly1305.KeySize)
		if err != nil {
			return err
		}
		if k.aeads[p], err = chacha20poly1305.NewX(sub); err != nil {
			return err
		}
	}
	k.hash, err = expand(secret, "hash", sha256.Size)
	return err
}

func expand(secret []byte, label string, size int) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, "github.com/protekt/mfa "+label, size)
}

// NewBuffer returns a buffer to which up to n bytes can be appended before it is
// sealed in place.
func NewBuffer(n int) []byte { return make([]byte, header, Overhead+n) }

// Plaintext returns what was appended to a buffer.
func Plaintext(buffer []byte) []byte { return buffer[header:] }

// Seal encrypts, under the first key, what was appended to a buffer, and may
// overwrite it. The same associated data must be given to Open.
func (r *Ring) Seal(p Purpose, buffer, associated []byte) []byte {
	k := &r.keys[0]
	buffer[0] = format
	copy(buffer[1:], k.id[:])
	nonce := buffer[1+idSize : header]
	rand.Read(nonce)
	return k.aeads[p].Seal(buffer[:header], nonce, buffer[header:], associated)
}

// Open returns what was sealed, or ErrOpen. It does not change sealed.
func (r *Ring) Open(p Purpose, sealed, associated []byte) ([]byte, error) {
	return r.OpenInPlace(p, bytes.Clone(sealed), associated)
}

// OpenInPlace is like Open but overwrites sealed.
func (r *Ring) OpenInPlace(p Purpose, sealed, associated []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != format {
		return nil, ErrOpen
	}
	id, nonce, ciphertext := sealed[1:1+idSize], sealed[1+idSize:header], sealed[header:]
	for i := range r.keys {
		if bytes.Equal(r.keys[i].id[:], id) {
			plaintext, err := r.keys[i].aeads[p].Open(ciphertext[:0], nonce, ciphertext, associated)
			if err != nil {
				return nil, ErrOpen
			}
			return plaintext, nil
		}
	}
	return nil, ErrOpen
}

// Current reports whether sealed bytes name the first key.
func (r *Ring) Current(sealed []byte) bool {
	return len(sealed) >= Overhead && bytes.Equal(sealed[1:1+idSize], r.keys[0].id[:])
}

// A Tag is a keyed hash (HMAC-SHA-256, 128 bits of it) and the ID of its key.
type Tag struct {
	Key [idSize]byte
	Sum [16]byte
}

// MAC hashes parts under the first key. The label keeps the uses apart.
func (r *Ring) MAC(label string, parts ...string) Tag {
	return r.keys[0].tag(label, parts)
}

// MACs returns the tags under every key, the first key's first.
func (r *Ring) MACs(label string, parts ...string) []Tag {
	tags := make([]Tag, len(r.keys))
	for i := range r.keys {
		tags[i] = r.keys[i].tag(label, parts)
	}
	return tags
}

// Verify reports in constant time whether tag is that of these parts.
func (r *Ring) Verify(tag Tag, label string, parts ...string) bool {
	for i := range r.keys {
		if r.keys[i].id == tag.Key {
			made := r.keys[i].tag(label, parts)
			return hmac.Equal(made.Sum[:], tag.Sum[:])
		}
	}
	return false
}

// tag hashes the parts with their lengths, so that no two lists of parts are
// the same bytes.
func (k *key) tag(label string, parts []string) Tag {
	mac := hmac.New(sha256.New, k.hash)
	writePart(mac, label)
	for _, part := range parts {
		writePart(mac, part)
	}
	tag := Tag{Key: k.id}
	copy(tag.Sum[:], mac.Sum(nil))
	return tag
}

func writePart(mac hash.Hash, part string) {
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
	io.WriteString(mac, part)
}
