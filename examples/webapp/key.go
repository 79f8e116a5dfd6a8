package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const keySize = 32

// loadKey returns the key that seals factors and sessions, and where it came
// from: MFA_KEY in the environment, or a file beside the database, which is
// created on the first start. It creates none beside an existing database, which
// a new key could not open.
//
// The file serves the demonstration. Whoever has it and the database can read
// every authenticator secret, so keep a real key with your other secrets.
func loadKey(database string) (key []byte, from string, err error) {
	if text := os.Getenv("MFA_KEY"); text != "" {
		key, err = decodeKey(text)
		return key, "MFA_KEY", err
	}
	if database == memory {
		return newKey(), "generated for this run", nil
	}
	path := database + ".key"
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(database); !errors.Is(err, fs.ErrNotExist) {
			return nil, "", fmt.Errorf("%s is sealed with a key, but %s is missing: restore that file, set MFA_KEY, or delete the database to start afresh", database, path)
		}
		key = newKey()
		return key, path + " (generated now; for a demonstration only)", writeKey(path, key)
	}
	if err != nil {
		return nil, "", err
	}
	if key, err = decodeKey(string(text)); err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return key, path + " (for a demonstration only)", nil
}

func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key)
	return key
}

func decodeKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("the key must be %d bytes in base64: openssl rand -base64 %d", keySize, keySize)
	}
	return key, nil
}

// writeKey creates the file. It never overwrites an existing key.
func writeKey(path string, key []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	return errors.Join(err, file.Close())
}
