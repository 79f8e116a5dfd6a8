package record

import (
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
	// Replayed: the code was accepted before, and was not charged.
	Replayed
	// Throttled: the code was neither compared nor charged.
	Throttled
	// Disabled: every factor that the code could have answered is disabled.
	Disabled
	// Admitted: the code is charged, and may be compared.
	Admitted
	// Accepted: the code was right, and is spent.
	Accepted
)

// A Verdict is a result and what belongs to it.
type Verdict struct {
	Result
	Method    Method    // the factor concerned, if it is one alone
	TriesLeft int       // Wrong, Unjudged, Replayed
	RetryAt   time.Time // Throttled
	Disabled  []Method  // Wrong: the factors that it disabled
}
