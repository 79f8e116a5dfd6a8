package record

import (
	"time"

	"github.com/protekt/mfa/internal/seal"
)

// MaxTries is how many wrong codes a challenge or a pending factor takes.
const MaxTries = 5

// A Guess is a one-time code that somebody typed.
type Guess struct {
	Digits string              // "" for what cannot be one
	Reach  int64               // how many time steps either way
	Sent   func(seal.Tag) bool // whether it is the code behind the tag
}

// Result is what became of a code.
type Result uint8

const (
	// Dead: there was nothing that it could have answered.
	Dead Result = iota
	// Wrong: it was compared, and counted.
	Wrong
	// Unjudged: it cannot be a code at all, and was not counted.
	Unjudged
	// Replayed: it was right once, and is not counted again.
	Replayed
	// Throttled: it was not looked at, and is not counted.
	Throttled
	// Disabled: nothing that it could have answered is enabled.
	Disabled
	// Admitted: it is paid for, and may be compared.
	Admitted
	// Accepted: it was right, and is spent.
	Accepted
)

// A Verdict is a result with what there is to say about it.
type Verdict struct {
	Result
	Method    Method    // the factor concerned, where it is one
	TriesLeft int       // Wrong, Unjudged, Replayed
	RetryAt   time.Time // Throttled
	Disabled  []Method  // Wrong: the factors that this disabled
}
