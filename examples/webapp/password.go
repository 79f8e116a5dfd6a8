package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

const (
	minPassword = 8   // characters
	maxPassword = 256 // bytes
)

func checkPassword(password string) error {
	if utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword {
		return errPassword
	}
	return nil
}

// The least that OWASP recommends for Argon2id.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	saltSize     = 16
	hashSize     = 32
)

// A passwordHasher hashes a few passwords at a time, since each takes memory.
// The others wait.
type passwordHasher struct {
	slots  chan struct{}
	memory uint32 // per hash, in KiB
}

func newPasswordHasher() *passwordHasher {
	return &passwordHasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), memory: argonMemory}
}

// hash returns password salted and hashed, as it is stored.
func (h *passwordHasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	sum, err := h.derive(ctx, password, salt)
	if err != nil {
		return "", err
	}
	return encode(salt) + "$" + encode(sum), nil
}

// matches reports whether stored is a hash of password. An empty stored, which
// stands for an unknown user, takes as long as a wrong password, so that timing
// does not reveal who has an account.
func (h *passwordHasher) matches(ctx context.Context, password, stored string) (bool, error) {
	salt, sum, err := parseHash(stored)
	if err != nil {
		return false, err
	}
	got, err := h.derive(ctx, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, sum) == 1 && stored != "", nil
}

func (h *passwordHasher) derive(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, argonTime, h.memory, argonThreads, hashSize), nil
}

// parseHash splits what hash returned. An empty string yields zeros, which
// matches refuses.
func parseHash(stored string) (salt, sum []byte, err error) {
	if stored == "" {
		return make([]byte, saltSize), make([]byte, hashSize), nil
	}
	left, right, _ := strings.Cut(stored, "$")
	if salt, err = base64.RawStdEncoding.DecodeString(left); err == nil {
		sum, err = base64.RawStdEncoding.DecodeString(right)
	}
	if err != nil || len(salt) != saltSize || len(sum) != hashSize {
		return nil, nil, errors.New("a stored password hash is damaged")
	}
	return salt, sum, nil
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }
