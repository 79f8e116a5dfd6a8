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

// newKey returns a key, another one for each b.
func newKey(b byte) []byte { return append(bytes.Repeat([]byte{b}, KeySize-1), 0) }

func newRing(t testing.TB, keys ...byte) *Ring {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, newKey(k))
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
	secret := newKey(1)
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

// TestBadKeysAreRefused, with an error that names the key and the cure, and
// quotes nothing of it.
func TestBadKeysAreRefused(t *testing.T) {
	good, text := newKey(1), []byte(" 32 random bytes of your own ~!~")
	for name, test := range map[string]struct {
		keys [][]byte
		says string
	}{
		"none":        {nil, "at least one key"},
		"nil":         {[][]byte{nil}, "key 0 has 0 bytes"},
		"empty":       {[][]byte{{}}, "key 0 has 0 bytes"},
		"short":       {[][]byte{good[:31]}, "key 0 has 31 bytes"},
		"long":        {[][]byte{append(newKey(1), 1)}, "key 0 has 33 bytes"},
		"all zero":    {[][]byte{make([]byte, KeySize)}, "key 0 is one byte repeated"},
		"constant":    {[][]byte{good, bytes.Repeat([]byte{0xa5}, KeySize)}, "key 1 is one byte repeated"},
		"text":        {[][]byte{text}, "key 0 is text"},
		"hex":         {[][]byte{good, []byte("00112233445566778899aabbccddeeff")}, "decode one that is kept in hex or base64"},
		"a bad later": {[][]byte{good, good[:16]}, "key 1 has 16 bytes"},
		"twice":       {[][]byte{good, good}, "key 1 is the same as key 0"},
	} {
		if _, err := New(test.keys); err == nil {
			t.Errorf("%s: no error", name)
		} else if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "random bytes") && name != "twice" {
			t.Errorf("%s: %v, want %q and the cure", name, err, test.says)
		} else if strings.Contains(err.Error(), string(good[:4])) || strings.Contains(err.Error(), "of your own") || strings.Contains(err.Error(), "0011") {
			t.Errorf("%s: the error holds a key: %v", name, err)
		}
	}
	for _, last := range []byte{0, 0x1f, 0x7f, 0x80, 0xff} { // one byte that no text has
		for place := range text {
			key := bytes.Clone(text)
			key[place] = last
			if _, err := New([][]byte{key}); err != nil {
				t.Errorf("byte %#x at %d: %v", last, place, err)
			}
		}
	}
}

func TestKeysAreNotKept(t *testing.T) {
	k := newKey(1)
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
