// Package userid checks the user IDs that a store is given, for hosts that call
// it without the engine.
package userid

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/protekt/mfa"
)

// Max is how long a user ID may be, in bytes.
const Max = 255

// Check refuses what not every database can keep as it is.
func Check(userID string) error {
	if userID == "" || len(userID) > Max || !utf8.ValidString(userID) || strings.ContainsRune(userID, 0) {
		return fmt.Errorf("%w: it must be 1 to %d bytes of UTF-8 without NUL", mfa.ErrInvalidUser, Max)
	}
	return nil
}
