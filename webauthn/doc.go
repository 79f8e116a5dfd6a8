// Package webauthn verifies passkeys for package mfa, through
// github.com/go-webauthn/webauthn. A [Verifier] is an mfa.PasskeyVerifier: it does
// no I/O, keeps no state and starts no goroutine.
//
//	passkeys, err := webauthn.New(webauthn.Config{
//		RPID:    "example.com",
//		Origins: []string{"https://example.com", "https://login.example.com"},
//	})
//	...
//	engine, err := mfa.New(mfa.Config{Passkeys: passkeys, ...})
//
// # What is checked
//
// A response counts only if its type, challenge, origin, RP ID and signature are
// the expected ones and the user was present (WebAuthn §7.1 and §7.2). If it names
// a user handle, that must be the user's. Responses from cross-origin frames are
// refused.
//
// Keys are ES256, EdDSA (Ed25519) or RS256 with 2,048 to 4,096 bits. Other
// algorithms are neither offered nor accepted: the keys of ML-DSA do not fit into
// a user's record.
//
// Attestation is not requested, so nothing is known of an authenticator's maker.
// Browsers then send no statement, or one that the passkey itself has signed.
// Others are refused: they would add certificates and a second clock, and show
// nothing that this package uses. Extensions are not requested either. What an
// authenticator reports of them is ignored.
//
// # Counters and backups
//
// Many security keys count their signatures. A counter that does not grow is
// refused with mfa.ErrClonedPasskey, since a copy of the key may exist. Passkeys
// that are synchronized between devices do not count: their counter is always
// zero, and a copy cannot be noticed.
//
// Whether a passkey can be backed up (the flag BE) is stored when it is created,
// and must never change. Whether it is backed up now (BS) may change, decides
// nothing here and is not stored; a response that claims a backup without BE is
// refused (§6.1.3).
//
// # User verification
//
// Passkey.UserVerified is about one ceremony: the authenticator reports that it
// verified its user by a PIN or biometrics. Whoever finds a security key without a
// PIN can set one and is then its verified user, so this does not replace the
// password that came first.
package webauthn
