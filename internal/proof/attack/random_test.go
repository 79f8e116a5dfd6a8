package attack_test

import (
	"crypto/rand"
	"io"
	"math/big"
	"testing"
)

// A scripted reader answers reads of one size with bytes that the test chose, as
// long as there are any. It answers all other reads from crypto/rand.
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

// left returns how many draws have not been read.
func (s *scripted) left() int { return len(s.draws) }

// cryptoRandom is the reader that crypto/rand had before any test.
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

// drawSize is how many bytes are read to draw a number below a million.
const drawSize = 3

// draw returns the bytes from which crypto/rand draws the number n. If n is a
// million or more, it draws again.
func draw(n uint32) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }

// scriptCodes makes codes the next SMS codes.
func scriptCodes(t *testing.T, codes ...uint32) *scripted {
	t.Helper()
	check := &scripted{cryptoRandom, drawSize, [][]byte{draw(1<<20 - 1), draw(1_000_000), draw(999_999)}}
	if n, err := rand.Int(check, big.NewInt(1_000_000)); err != nil || n.Int64() != 999_999 || check.left() > 0 {
		t.Fatalf("crypto/rand does not draw as this script assumes: %v, %v", n, err)
	}
	draws := make([][]byte, len(codes))
	for i, code := range codes {
		draws[i] = draw(code)
	}
	return script(t, drawSize, draws...)
}
