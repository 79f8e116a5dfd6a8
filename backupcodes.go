package mfa

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/protekt/mfa/internal/record"
)

// backupAlphabet is Crockford's base32 in lower case: no i, l, o or u.
const backupAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

const backupGroup = 4 // symbols

// backupCost is what OWASP asks of Argon2id at least (RFC 9106). Codes of fewer
// than 112 bits want a password hash (NIST SP 800-63B-4 §3.1.2.2): it is what
// stands when key and database have both leaked.
var backupCost = record.Argon2{Time: 2, Memory: 19 << 10, Threads: 1}

// GenerateBackupCodes gives a user with a confirmed factor a new set of
// single-use codes like "7f3k-2m9p", in place of one before. They are shown
// once: no call gives them again. Without a fresh proof it returns a
// *ChallengeError (ActionManage).
func (e *Engine) GenerateBackupCodes(ctx context.Context, userID string, opts ...ChangeOption) ([]string, error) {
	mayGenerate := func(u *user) error {
		if !u.Enrolled() {
			return ErrNotEnrolled
		}
		return e.mayChange(u, opts)
	}
	if err := e.update(ctx, userID, mayGenerate); err != nil {
		return nil, err
	}
	codes := newBackupCodes(e.config.BackupCodes)
	var salt [16]byte
	rand.Read(salt[:])
	hashes := make([]record.BackupHash, len(codes))
	for i, code := range codes {
		symbols, _ := parseBackupCode(code)
		hash, err := e.hashing.hash(ctx, symbols, salt, backupCost)
		if err != nil {
			return nil, err
		}
		hashes[i] = hash
	}
	err := e.update(ctx, userID, func(u *user) error {
		if err := mayGenerate(u); err != nil {
			return err
		}
		u.SetBackupCodes(salt, backupCost, hashes, u.now)
		u.event(EventBackupCodesGenerated, MethodBackupCode, "", nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// newBackupCodes makes a set in which no two are the same.
func newBackupCodes(c BackupCodeConfig) []string {
	codes := make([]string, 0, c.Count)
	for len(codes) < c.Count {
		if code := newBackupCode(c.Groups); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// newBackupCode makes a code with at least one letter, so that none can be
// taken for a one-time code.
func newBackupCode(groups int) string {
	symbols := make([]byte, groups*backupGroup)
	for isDigits(string(symbols)) || symbols[0] == 0 {
		rand.Read(symbols)
		for i := range symbols {
			symbols[i] = backupAlphabet[symbols[i]%32] // even, since 32 divides 256
		}
	}
	return string(bytes.Join(slices.Collect(slices.Chunk(symbols, backupGroup)), []byte("-")))
}

// parseBackupCode brings what somebody typed into the form that is hashed: the
// symbols alone, in lower case, o read as 0, i and l as 1. Not ok means that it
// cannot be a backup code.
func parseBackupCode(letters string) (symbols string, ok bool) {
	symbols = strings.Map(func(r rune) rune {
		switch {
		case isFiller(r):
			return -1
		case 'A' <= r && r <= 'Z': // unicode.ToLower would let other letters in
			r += 'a' - 'A'
		}
		switch r {
		case 'o':
			return '0'
		case 'i', 'l':
			return '1'
		}
		return r
	}, letters)
	groups := len(symbols) / backupGroup
	ok = len(symbols)%backupGroup == 0 && groups >= 2 && groups <= 8 &&
		strings.Trim(symbols, backupAlphabet) == "" && !isDigits(symbols)
	return symbols, ok
}

// hashing lets one engine compute one password hash at a time; the others wait.
// Each takes 19 MiB and leaves as much for the collector, several times over, so
// that a flood would fill the memory of a machine with many processors. It also
// leaves processors to those who log in otherwise.
type hashing chan struct{}

func newHashing() hashing { return make(hashing, 1) }

func (h hashing) hash(ctx context.Context, symbols string, salt [16]byte, cost record.Argon2) (hash record.BackupHash, err error) {
	select {
	case h <- struct{}{}:
		defer func() { <-h }()
	case <-ctx.Done():
		return hash, fmt.Errorf("mfa: waiting to check a backup code: %w", ctx.Err())
	}
	copy(hash[:], argon2.IDKey([]byte(symbols), salt[:], cost.Time, cost.Memory, cost.Threads, uint32(len(hash))))
	return hash, nil
}
