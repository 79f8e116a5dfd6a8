package webauthn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	gowebauthn "github.com/go-webauthn/webauthn/webauthn"

	"github.com/protekt/mfa"
)

// maxPasskey bounds a passkey's ID and Data together, in bytes.
const maxPasskey = 1200

// Passkey.Data is
//
//	1 byte   the version of this encoding
//	1 byte   flags: backupEligible
//	1 byte   transports, one bit each
//	4 bytes  the signature counter, big endian
//	the rest the public key, as COSE_Key
const (
	dataVersion    = 1
	dataHeader     = 7
	backupEligible = 1
)

// transports are those that have a bit, from the lowest.
var transports = [...]protocol.AuthenticatorTransport{
	protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal,
}

// encode returns what is stored of a credential.
func encode(c *gowebauthn.Credential) ([]byte, error) {
	if n := len(c.ID) + dataHeader + len(c.PublicKey); n > maxPasskey {
		return nil, fmt.Errorf("webauthn: the passkey takes %d bytes, more than %d", n, maxPasskey)
	}
	var flags, ways byte
	if c.Flags.BackupEligible {
		flags |= backupEligible
	}
	for i, transport := range transports {
		if slices.Contains(c.Transport, transport) {
			ways |= 1 << i
		}
	}
	data := binary.BigEndian.AppendUint32([]byte{dataVersion, flags, ways}, c.Authenticator.SignCount)
	return append(data, c.PublicKey...), nil
}

// decode returns the credential of a passkey.
func decode(p mfa.Passkey) (gowebauthn.Credential, error) {
	if len(p.ID) == 0 || len(p.Data) <= dataHeader || p.Data[0] != dataVersion ||
		p.Data[1]&^backupEligible != 0 || p.Data[2]>>len(transports) != 0 {
		return gowebauthn.Credential{}, errors.New("webauthn: a stored passkey is damaged, or was written by a newer version")
	}
	c := gowebauthn.Credential{ID: p.ID, PublicKey: p.Data[dataHeader:]}
	c.Flags.BackupEligible = p.Data[1]&backupEligible != 0
	for i, transport := range transports {
		if p.Data[2]&(1<<i) != 0 {
			c.Transport = append(c.Transport, transport)
		}
	}
	c.Authenticator.SignCount = binary.BigEndian.Uint32(p.Data[3:])
	return c, nil
}

func decodeAll(passkeys []mfa.Passkey) ([]gowebauthn.Credential, error) {
	credentials := make([]gowebauthn.Credential, len(passkeys))
	for i, p := range passkeys {
		var err error
		if credentials[i], err = decode(p); err != nil {
			return nil, err
		}
	}
	return credentials, nil
}

// algorithms are those offered, best first.
var algorithms = [...]webauthncose.COSEAlgorithmIdentifier{
	webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256,
}

// checkKey refuses a public key that could never verify a signature, or only a
// weak one: without a statement, nothing was signed with it yet.
func checkKey(cose []byte) error {
	key, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return errors.New("webauthn: the public key is not valid")
	}
	if rsa, ok := key.(webauthncose.RSAPublicKeyData); ok {
		bits := new(big.Int).SetBytes(rsa.Modulus).BitLen()
		if rsa.Algorithm != int64(webauthncose.AlgRS256) || bits < 2048 || bits > 4096 {
			return errors.New("webauthn: an RSA key must be for RS256 and have 2,048 to 4,096 bits")
		}
	}
	return nil
}
