package record

import (
	"errors"
	"time"

	"github.com/protekt/mfa/internal/seal"
)

// MaxTries is how many wrong codes a challenge or a pending factor takes.
const MaxTries = 5

// A Guess is a one-time code as somebody typed it.
type Guess struct {
	Digits string              // "" for input that cannot be a code
	Reach  int64               // the number of time steps accepted either way
	Sent   func(seal.Tag) bool // reports whether it is the code behind the tag
}

// A Result is the outcome of judging a code.
type Result uint8

const (
	// Ended: the challenge or pending factor has ended, or never existed.
	Ended Result = iota
	// Wrong: the code was compared and charged.
	Wrong
	// Unjudged: the input cannot be a code, and was not charged.
	Unjudged
	// Cloned: the authenticator's counter went back, as that of a copy would. It
	// was not charged.
	Cloned
	// Replayed: the code was accepted before, and was not charged.
	Replayed
	// Throttled: the code was neither compared nor charged.
	Throttled
	// Disabled: every method that the code could have answered is disabled.
	Disabled
	// Admitted: the code is charged, and may be compared.
	Admitted
	// Accepted: the code was right, and is spent.
	Accepted
)

// ErrCloned is returned by a verifier of passkeys if a counter went back.
var ErrCloned = errors.New("mfa: passkey counter went back: the authenticator may have been copied")

// A Verdict is a result and what belongs to it.
type Verdict struct {
	Result
	Method    Method    // the one concerned, if it is one alone
	Factor    ID        // Accepted
	TriesLeft int       // Wrong, Unjudged, Replayed, Cloned
	Failures  int       // Wrong, Throttled, Disabled: in a row, of the method with the most
	RetryAt   time.Time // Throttled
	Disabled  []Method  // Wrong: those that it disabled
	Err       error     // Wrong: what the verifier of passkeys said

	UserVerified  bool   // Accepted, by a passkey that verified its user
	Replaced      bool   // Accepted, in place of other factors
	ReplacedPhone string // Accepted, in place of this phone
}
