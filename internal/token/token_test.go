package token

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa/internal/seal"
)

func newRing(t testing.TB, key byte) *seal.Ring {
	t.Helper()
	ring, err := seal.New([][]byte{append(make([]byte, seal.KeySize-1), key)})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

var (
	kinds  = []Kind{Challenge, Enrollment, Proof, Device}
	claims = Claims{
		UserID:  "ada",
		Action:  "login",
		ID:      [8]byte{1, 2, 3, 4, 5, 6, 7, 8},
		Issued:  time.Date(2030, 1, 1, 0, 0, 0, 1, time.UTC),
		Expires: time.Date(2030, 1, 1, 0, 5, 0, 1, time.UTC),
		Epoch:   [8]byte{8, 7, 6, 5, 4, 3, 2, 1},
	}
)

func TestWhatATokenSaysComesBack(t *testing.T) {
	ring := newRing(t, 1)
	long := claims
	long.UserID, long.Action = strings.Repeat("é", 127), strings.Repeat("x", maxAction)
	for _, want := range []Claims{claims, long, {UserID: "a|b", Action: "c"}, {UserID: "a", Action: "b|c"}, {}} {
		for _, kind := range kinds {
			token := Seal(ring, kind, want)
			got, ok := Open(ring, kind, token)
			if !ok || got != want {
				t.Errorf("%+v came back as %+v, %v", want, got, ok)
			}
			if len(token) > MaxLength {
				t.Errorf("a token of %d bytes", len(token))
			}
		}
	}
}

func TestATokenIsOfOneKind(t *testing.T) {
	ring := newRing(t, 1)
	for _, made := range kinds {
		token := Seal(ring, made, claims)
		for _, asked := range kinds {
			if _, ok := Open(ring, asked, token); ok != (made == asked) {
				t.Errorf("%s opens as %s: %v", made.prefix, asked.prefix, ok)
			}
			disguised := asked.prefix + strings.TrimPrefix(token, made.prefix)
			if _, ok := Open(ring, asked, disguised); ok != (made == asked) {
				t.Errorf("%s with the prefix %s opens: %v", made.prefix, asked.prefix, ok)
			}
		}
	}
}

func TestOneSpellingOpens(t *testing.T) {
	ring := newRing(t, 1)
	token := Seal(ring, Challenge, claims)
	if _, ok := Open(newRing(t, 2), Challenge, token); ok {
		t.Error("opens under another key")
	}
	for i := range len(token) {
		for _, c := range []byte("A_-=\n\r z\x00") {
			other := token[:i] + string(c) + token[i+1:]
			if _, ok := Open(ring, Challenge, other); ok && other != token {
				t.Errorf("opens with byte %d changed to %q", i, c)
			}
			if _, ok := Open(ring, Challenge, token[:i]+string(c)+token[i:]); ok {
				t.Errorf("opens with %q put in at %d", c, i)
			}
		}
		if _, ok := Open(ring, Challenge, token[:i]); ok {
			t.Errorf("opens cut to %d bytes", i)
		}
	}
	for _, end := range []string{"\n", "=", "==", " ", "A"} {
		if _, ok := Open(ring, Challenge, token+end); ok {
			t.Errorf("opens with %q at the end", end)
		}
	}
}

// TestLongTokensAreNotDecoded: over 1 KiB nothing is allocated for one.
func TestLongTokensAreNotDecoded(t *testing.T) {
	ring := newRing(t, 1)
	for length, decoded := range map[int]bool{1024: true, 1025: false, 1 << 20: false} {
		text := "mfa_tmp_" + strings.Repeat("A", length-len("mfa_tmp_"))
		allocations := testing.AllocsPerRun(10, func() { Open(ring, Challenge, text) })
		if (allocations > 0) != decoded {
			t.Errorf("%d bytes: %v allocations", length, allocations)
		}
	}
}

// FuzzOpen: nothing opens that was not sealed, and only these claims were.
func FuzzOpen(f *testing.F) {
	ring := newRing(f, 1)
	for _, kind := range kinds {
		f.Add(Seal(ring, kind, claims))
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, kind := range kinds {
			if c, ok := Open(ring, kind, token); ok && c != claims || !ok && c != (Claims{}) {
				t.Fatalf("%q: %v, %+v", token, ok, c)
			}
		}
	})
}

// FuzzDecode: what is accepted has one spelling.
func FuzzDecode(f *testing.F) {
	f.Add(claims.append(nil))
	f.Add(Claims{}.append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ok := decode(data)
		if !ok {
			if c != (Claims{}) {
				t.Fatalf("refused, and yet: %+v", c)
			}
			return
		}
		if again := c.append(nil); !bytes.Equal(again, data) {
			t.Fatalf("%x came back as %x", data, again)
		}
	})
}
