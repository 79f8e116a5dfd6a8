package mfa

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"golang.org/x/crypto/argon2"

	"github.com/protekt/mfa/internal/record"
)

// backupAlphabet is Crockford's base32 in lower case: no i, l, o or u.
const backupAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

const backupGroup = 4 // symbols

// backupCost is the least that OWASP asks of Argon2id (RFC 9106). Codes of fewer
// than 112 bits need a password hash (NIST SP 800-63B-4 §3.1.2.2): it still
// protects them when key and database have both leaked.
var backupCost = record.Argon2{Time: 2, Memory: 19 << 10, Threads: 1}

// GenerateBackupCodes returns a new set of single-use codes like "7f3k-2m9p" for
// a user with a confirmed factor, in place of an earlier set. Show them once: no
// call returns them again. Without a fresh proof it returns a *ChallengeError
// (ActionManage), and from the sixth set within an hour on a *ThrottledError.
func (e *Engine) GenerateBackupCodes(ctx context.Context, userID string, opts ...ChangeOption) ([]string, error) {
	options, err := readOptions(opts)
	if err != nil {
		return nil, err
	}
	mayGenerate := func(u *user) error {
		if !u.Enrolled() {
			return ErrNotEnrolled
		}
		return e.mayChange(u, options)
	}
	err = e.update(ctx, userID, func(u *user) error {
		if err := mayGenerate(u); err != nil {
			return err
		}
		if err := u.throttled(u.NextSet(), false, Event{Method: MethodBackupCode}); err != nil {
			return err
		}
		u.CountSet(u.now) // before the work, which is what it limits
		return nil
	})
	if err != nil {
		return nil, err
	}
	codes := newBackupCodes(e.config.BackupCodes)
	var salt [16]byte
	rand.Read(salt[:])
	hashes := make([]record.BackupHash, len(codes))
	for i, code := range codes {
		symbols, _ := parseBackupCode(code)
		hash, err := e.hashing.generate(ctx, symbols, salt, backupCost)
		if err != nil {
			return nil, err
		}
		hashes[i] = hash
	}
	err = e.update(ctx, userID, func(u *user) error {
		if err := mayGenerate(u); err != nil {
			return err
		}
		u.SetBackupCodes(salt, backupCost, hashes, u.now)
		u.event(Event{Type: EventBackupCodesGenerated, Method: MethodBackupCode})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// newBackupCodes generates a set of distinct codes.
func newBackupCodes(c BackupCodeConfig) []string {
	codes := make([]string, 0, c.Count)
	for len(codes) < c.Count {
		if code := newBackupCode(c.Groups); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// newBackupCode generates a code with at least one letter, so that none can be
// mistaken for a one-time code.
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

// hashing lets an engine compute two password hashes at a time: one to check a
// code and one to generate codes, so that generating never delays checking. The
// others wait. Each hash takes 19 MiB and leaves as much to the garbage
// collector, so a flood would fill the memory of a machine with many processors,
// and take all of them from those who log in by other means.
type hashing struct{ checking, generating chan struct{} }

func newHashing() hashing {
	return hashing{checking: make(chan struct{}, 1), generating: make(chan struct{}, 1)}
}

func (h hashing) check(ctx context.Context, symbols string, salt [16]byte, cost record.Argon2) (record.BackupHash, error) {
	return hashInTurn(ctx, h.checking, symbols, salt, cost)
}

func (h hashing) generate(ctx context.Context, symbols string, salt [16]byte, cost record.Argon2) (record.BackupHash, error) {
	return hashInTurn(ctx, h.generating, symbols, salt, cost)
}

func hashInTurn(ctx context.Context, turn chan struct{}, symbols string, salt [16]byte, cost record.Argon2) (hash record.BackupHash, err error) {
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return hash, fmt.Errorf("mfa: waiting to hash a backup code: %w", ctx.Err())
	}
	copy(hash[:], argon2.IDKey([]byte(symbols), salt[:], cost.Time, cost.Memory, cost.Threads, uint32(len(hash))))
	return hash, nil
}
