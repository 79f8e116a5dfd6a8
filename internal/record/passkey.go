package record

import (
	"bytes"
	"crypto/rand"
)

// A Handle identifies a user to authenticators.
type Handle [32]byte

// A Passkey is a confirmed WebAuthn credential.
type Passkey struct {
	Factor
	Credential
}

// MaxCredential bounds a credential's ID and Data together, in bytes.
const MaxCredential = 1200

// A Credential is what a verifier of WebAuthn keeps of one.
type Credential struct {
	ID, Data     []byte
	UserVerified bool // in the ceremony that returned it; not stored
}

// SetHandle returns the user's handle, which it sets the first time.
func (u *User) SetHandle() Handle {
	if u.Handle == (Handle{}) {
		rand.Read(u.Handle[:])
	}
	return u.Handle
}

// Credentials returns the credentials of the user's passkeys.
func (u *User) Credentials() []Credential {
	credentials := make([]Credential, len(u.Passkeys))
	for i := range u.Passkeys {
		credentials[i] = u.Passkeys[i].Credential
	}
	return credentials
}

// passkey returns the passkey of a credential, or nil.
func (u *User) passkey(c Credential) *Passkey {
	for i := range u.Passkeys {
		if bytes.Equal(u.Passkeys[i].Credential.ID, c.ID) {
			return &u.Passkeys[i]
		}
	}
	return nil
}

// fits reports whether a credential can be stored.
func (c Credential) fits() bool {
	return len(c.ID) > 0 && len(c.ID)+len(c.Data) <= MaxCredential
}
