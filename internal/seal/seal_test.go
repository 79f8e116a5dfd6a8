package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

func newRing(t testing.TB, keys ...byte) *Ring {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, KeySize))
	}
	ring, err := New(all)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func sealed(r *Ring, p Purpose, text, associated string) []byte {
	return r.Seal(p, append(NewBuffer(len(text)), text...), []byte(associated))
}

func TestWhatIsSealedOpens(t *testing.T) {
	ring := newRing(t, 1)
	for _, text := range []string{"", "a", strings.Repeat("x", 5000)} {
		for p := range purposes {
			data := sealed(ring, p, text, "user")
			if len(data) != len(text)+Overhead {
				t.Errorf("%d bytes became %d", len(text), len(data))
			}
			before := bytes.Clone(data)
			got, err := ring.Open(p, data, []byte("user"))
			if err != nil || string(got) != text {
				t.Errorf("purpose %d: %q, %v", p, got, err)
			}
			if !bytes.Equal(data, before) {
				t.Error("Open changed what it was given")
			}
		}
	}
}

func TestNothingElseOpens(t *testing.T) {
	ring := newRing(t, 1)
	data := sealed(ring, Record, "secret", "user")
	if _, err := ring.Open(Record, data, []byte("user")); err != nil {
		t.Fatal(err)
	}
	refused := func(name string, r *Ring, p Purpose, data []byte, associated string) {
		t.Helper()
		if got, err := r.Open(p, data, []byte(associated)); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for p := Record + 1; p < purposes; p++ {
		refused("another purpose", ring, p, data, "user")
	}
	refused("another user", ring, Record, data, "User")
	refused("another key", newRing(t, 2), Record, data, "user")
	for i := range len(data) * 8 {
		flipped := bytes.Clone(data)
		flipped[i/8] ^= 1 << (i % 8)
		refused("a flipped bit", ring, Record, flipped, "user")
	}
	for n := range data {
		refused("a shorter text", ring, Record, data[:n], "user")
	}
	refused("a longer text", ring, Record, append(bytes.Clone(data), 0), "user")
}

// TestSealedBytesAreThoseOfTheStandards: XChaCha20-Poly1305 under a key of
// HKDF-SHA-256 for each purpose. What is stored stays readable as long as this
// does not change.
func TestSealedBytesAreThoseOfTheStandards(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, 32)
	ring := newRing(t, 1)
	for p, purpose := range []string{"record", "challenge", "enrollment", "proof", "device"} {
		data := sealed(ring, Purpose(p), "text", "user")
		id, _ := hkdf.Key(sha256.New, secret, nil, "github.com/protekt/mfa id", 4)
		if head := append([]byte{1}, id...); !bytes.HasPrefix(data, head) {
			t.Errorf("%s: begins with %x, want %x", purpose, data[:5], head)
		}
		key, _ := hkdf.Key(sha256.New, secret, nil, "github.com/protekt/mfa "+purpose, 32)
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := aead.Open(nil, data[5:29], data[29:], []byte("user")); err != nil || string(got) != "text" {
			t.Errorf("%s: %q, %v", purpose, got, err)
		}
	}
}

func TestNoNonceComesTwice(t *testing.T) {
	ring := newRing(t, 1)
	seen := make(map[string]bool)
	for range 10_000 {
		nonce := string(sealed(ring, Record, "x", "")[1+idSize : header])
		if seen[nonce] {
			t.Fatal("a nonce was used twice")
		}
		seen[nonce] = true
	}
}

func TestRotation(t *testing.T) {
	old, both, next := newRing(t, 1), newRing(t, 2, 1), newRing(t, 2)
	data := sealed(old, Record, "x", "")
	if _, err := both.Open(Record, data, nil); err != nil {
		t.Errorf("the older key of two does not open: %v", err)
	}
	if both.Current(data) || !old.Current(data) {
		t.Error("Current does not tell the first key from the second")
	}
	data = sealed(both, Record, "x", "")
	if !both.Current(data) {
		t.Error("the first key does not seal")
	}
	if _, err := next.Open(Record, data, nil); err != nil {
		t.Errorf("does not open once the old key is gone: %v", err)
	}
	if _, err := old.Open(Record, data, nil); !errors.Is(err, ErrOpen) {
		t.Errorf("opens without the key: %v", err)
	}

	tag := old.MAC("label", "a", "b")
	if !both.Verify(tag, "label", "a", "b") || next.Verify(tag, "label", "a", "b") {
		t.Error("a tag is not verified under the key that made it")
	}
}

func TestTagsAreOfTheirParts(t *testing.T) {
	ring := newRing(t, 1)
	tag := ring.MAC("label", "a", "bc")
	if !ring.Verify(tag, "label", "a", "bc") {
		t.Fatal("not verified")
	}
	for _, parts := range [][]string{{"label", "ab", "c"}, {"label", "a", "b"}, {"label", "abc"}, {"labela", "bc"}, {"Label", "a", "bc"}, {"label", "a", "bc", ""}} {
		if ring.Verify(tag, parts[0], parts[1:]...) {
			t.Errorf("%q has the same tag", parts)
		}
	}
	for i := range tag.Sum {
		other := tag
		other.Sum[i]++
		if ring.Verify(other, "label", "a", "bc") {
			t.Error("another tag is verified")
		}
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	good := bytes.Repeat([]byte{1}, KeySize)
	for name, keys := range map[string][][]byte{
		"none":      nil,
		"nil":       {nil},
		"empty":     {{}},
		"short":     {good[:31]},
		"long":      {append(bytes.Clone(good), 1)},
		"all zero":  {make([]byte, KeySize)},
		"bad later": {good, good[:16]},
		"twice":     {good, good},
	} {
		if _, err := New(keys); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), string(good[:4])) {
			t.Errorf("%s: the error holds a key: %v", name, err)
		}
	}
}

func TestKeysAreNotKept(t *testing.T) {
	k := bytes.Repeat([]byte{1}, KeySize)
	ring, err := New([][]byte{k})
	if err != nil {
		t.Fatal(err)
	}
	data := sealed(ring, Record, "x", "")
	clear(k)
	if _, err := ring.Open(Record, data, nil); err != nil {
		t.Errorf("the ring changed with the host's slice: %v", err)
	}
}

func BenchmarkSeal(b *testing.B) {
	ring, plain := newRing(b, 1), make([]byte, 400)
	b.ReportAllocs()
	for b.Loop() {
		ring.Seal(Record, append(NewBuffer(len(plain)), plain...), plain[:24])
	}
}

func BenchmarkOpen(b *testing.B) {
	ring := newRing(b, 1)
	data := sealed(ring, Record, string(make([]byte, 400)), "user")
	b.ReportAllocs()
	for b.Loop() {
		ring.Open(Record, data, []byte("user"))
	}
}
