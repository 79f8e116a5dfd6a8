package main

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealer encrypts what the application stores of sessions, as the engine does
// with factors, so that reading the database reveals neither.
type sealer struct{ aead cipher.AEAD }

var errSealed = errors.New("stored data does not open under this key")

// newSealer derives a key of its own from key, since no key should serve two
// purposes.
func newSealer(key []byte) (*sealer, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, "webapp sessions", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(derived)
	if err != nil {
		return nil, err
	}
	return &sealer{aead}, nil
}

// seal encrypts data, which opens under the same purpose only.
func (s *sealer) seal(purpose string, data []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(data)+chacha20poly1305.Overhead)
	rand.Read(nonce)
	return s.aead.Seal(nonce, nonce, data, []byte(purpose))
}

func (s *sealer) open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, errSealed
	}
	nonce, data := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plain, err := s.aead.Open(nil, nonce, data, []byte(purpose))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}
