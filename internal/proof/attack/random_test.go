package attack_test

import (
	"crypto/rand"
	"io"
	"math/big"
	"testing"
)

// A scripted reader answers requests of one size with bytes of the test's
// choice, as long as there are any; the rest is crypto/rand's own.
type scripted struct {
	io.Reader
	size  int
	draws [][]byte
}

func (s *scripted) Read(b []byte) (int, error) {
	if len(b) == s.size && len(s.draws) > 0 {
		n := copy(b, s.draws[0])
		s.draws = s.draws[1:]
		return n, nil
	}
	return s.Reader.Read(b)
}

// left returns how many draws nobody has asked for.
func (s *scripted) left() int { return len(s.draws) }

// cryptoRandom is crypto/rand as it was before any test.
var cryptoRandom = rand.Reader

// script replaces crypto/rand's reader until the test ends. No test of this
// package runs in parallel.
func script(t *testing.T, size int, draws ...[]byte) *scripted {
	t.Helper()
	s := &scripted{cryptoRandom, size, draws}
	rand.Reader = s
	t.Cleanup(func() { rand.Reader = cryptoRandom })
	return s
}

// drawSize is how many bytes one number below a million takes.
const drawSize = 3

// draw is what makes crypto/rand give the number n, or draw again where n is a
// million or more.
func draw(n uint32) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }

// scriptCodes makes the next codes by SMS these.
func scriptCodes(t *testing.T, codes ...uint32) *scripted {
	t.Helper()
	check := &scripted{cryptoRandom, drawSize, [][]byte{draw(1<<20 - 1), draw(1_000_000), draw(999_999)}}
	if n, err := rand.Int(check, big.NewInt(1_000_000)); err != nil || n.Int64() != 999_999 || check.left() > 0 {
		t.Fatalf("crypto/rand draws otherwise than this script: %v, %v", n, err)
	}
	draws := make([][]byte, len(codes))
	for i, code := range codes {
		draws[i] = draw(code)
	}
	return script(t, drawSize, draws...)
}
