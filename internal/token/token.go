// Package token seals and opens the engine's tokens. A token is not stored: it
// carries its claims, and its kind is bound to the key that sealed it.
package token

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/wire"
)

// MaxLength bounds what is read, in bytes.
const MaxLength = 1 << 10

// A Kind is one use of tokens.
type Kind struct {
	prefix  string
	purpose seal.Purpose
}

var (
	Challenge  = Kind{"mfa_tmp_", seal.Challenge}
	Enrollment = Kind{"mfa_enr_", seal.Enrollment}
	Proof      = Kind{"mfa_prf_", seal.Proof}
	Device     = Kind{"mfa_dev_", seal.Device}
)

// Claims is the content of a token.
type Claims struct {
	UserID  string
	Action  string  // challenges only
	ID      [8]byte // challenges only: random, identifies the challenge
	Issued  time.Time
	Expires time.Time
	Epoch   [8]byte // of the user, when it was issued
}

const (
	version   = 1
	maxUserID = 255
	maxAction = 64
)

// encoding refuses spellings that decode to the same bytes; Open refuses the
// line breaks that it would skip.
var encoding = base64.RawURLEncoding.Strict()

// Seal returns a token of a kind with these claims.
func Seal(ring *seal.Ring, kind Kind, c Claims) string {
	buffer := seal.NewBuffer(64 + len(c.UserID) + len(c.Action))
	sealed := ring.Seal(kind.purpose, c.append(buffer), nil)
	text := make([]byte, 0, len(kind.prefix)+encoding.EncodedLen(len(sealed)))
	text = append(text, kind.prefix...)
	return string(encoding.AppendEncode(text, sealed))
}

// Open returns the claims of a token of a kind. It does not look at the clock.
// Whatever is wrong, ok is false: no caller learns more.
func Open(ring *seal.Ring, kind Kind, token string) (c Claims, ok bool) {
	body, found := strings.CutPrefix(token, kind.prefix)
	if len(token) > MaxLength || !found || strings.Contains(body, "\n") || strings.Contains(body, "\r") {
		return Claims{}, false
	}
	sealed, err := encoding.DecodeString(body)
	if err != nil {
		return Claims{}, false
	}
	plain, err := ring.OpenInPlace(kind.purpose, sealed, nil)
	if err != nil {
		return Claims{}, false
	}
	return decode(plain)
}

func (c Claims) append(b []byte) []byte {
	b = append(b, version)
	b = wire.AppendString(b, c.UserID)
	b = wire.AppendString(b, c.Action)
	b = append(b, c.ID[:]...)
	b = wire.AppendTime(b, c.Issued)
	b = wire.AppendTimeAfter(b, c.Issued, c.Expires)
	return append(b, c.Epoch[:]...)
}

func decode(data []byte) (c Claims, ok bool) {
	r := wire.NewReader(data)
	if r.Byte() != version {
		return Claims{}, false
	}
	c.UserID = string(r.String(maxUserID))
	c.Action = string(r.String(maxAction))
	copy(c.ID[:], r.Bytes(len(c.ID)))
	c.Issued = r.Time()
	c.Expires = r.TimeAfter(c.Issued)
	copy(c.Epoch[:], r.Bytes(len(c.Epoch)))
	if r.Close() != nil {
		return Claims{}, false
	}
	return c, true
}
