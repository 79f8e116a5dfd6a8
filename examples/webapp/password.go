package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What OWASP asks of Argon2id at least.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	saltSize     = 16
	hashSize     = 32
)

// passwords hashes them, only so many at a time: each takes 19 MiB. What comes
// beyond that waits.
type passwords chan struct{}

func newPasswords() passwords { return make(passwords, runtime.GOMAXPROCS(0)) }

// hash gives what to store of a password.
func (p passwords) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	sum, err := p.derive(ctx, password, salt)
	if err != nil {
		return "", err
	}
	return encode(salt) + "$" + encode(sum), nil
}

// matches tells whether stored is of password. Nothing stored takes as long as
// a wrong password, so that the time does not tell whether there is a user.
func (p passwords) matches(ctx context.Context, password, stored string) (bool, error) {
	salt, sum, err := parseHash(stored)
	if err != nil {
		return false, err
	}
	got, err := p.derive(ctx, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, sum) == 1 && stored != "", nil
}

func (p passwords) derive(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case p <- struct{}{}:
		defer func() { <-p }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, hashSize), nil
}

// parseHash splits what hash gave; nothing gives zeros, which no password has.
func parseHash(stored string) (salt, sum []byte, err error) {
	if stored == "" {
		return make([]byte, saltSize), make([]byte, hashSize), nil
	}
	left, right, _ := strings.Cut(stored, "$")
	if salt, err = base64.RawStdEncoding.DecodeString(left); err == nil {
		sum, err = base64.RawStdEncoding.DecodeString(right)
	}
	if err != nil || len(salt) != saltSize || len(sum) != hashSize {
		return nil, nil, fmt.Errorf("a stored password is damaged")
	}
	return salt, sum, nil
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }
