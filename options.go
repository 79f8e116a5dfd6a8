package mfa

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/protekt/mfa/internal/record"
)

// A ChangeOption is an option of the operations that change a user's factors.
type ChangeOption func(*changeOptions)

type changeOptions struct {
	proof string
	label string
	keep  bool
	only  *string // "" names no factor, rather than all
	lost  bool
}

// WithProof passes the Proof of a [Login], which shows that the user has just
// proved a factor.
func WithProof(proof string) ChangeOption {
	return func(o *changeOptions) { o.proof = proof }
}

// WithLabel names the new factor in the user's lists: 1 to 64 printable bytes.
func WithLabel(label string) ChangeOption {
	return func(o *changeOptions) { o.label = label }
}

// KeepOthers enrolls a factor beside those of its method, not in their place: up
// to 5 apps and 3 phones. Passkeys, of which there may be 8, are always enrolled
// so.
func KeepOthers() ChangeOption {
	return func(o *changeOptions) { o.keep = true }
}

// OnlyFactor names one factor by its ID: Unenroll and Revoke remove that one
// alone, EnrollTOTP and EnrollSMS enroll in its place alone.
func OnlyFactor(id string) ChangeOption {
	return func(o *changeOptions) { o.only = &id }
}

// Lost reports that a factor is lost or stolen: Unenroll then removes it although
// MFA is required, unless the user would be left without any. That is decided in
// the save that removes it, so that two removals at once leave one factor. One that
// is disabled counts: what is stolen goes, and the user needs Unlock to log in.
func Lost() ChangeOption {
	return func(o *changeOptions) { o.lost = true }
}

// readOptions applies options and checks them together.
func readOptions(opts []ChangeOption) (changeOptions, error) {
	var options changeOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&options)
		}
	}
	if options.keep && options.only != nil {
		return options, fmt.Errorf("%w: KeepOthers and OnlyFactor exclude each other", ErrInvalidInput)
	}
	return options, checkLabel(options.label)
}

func checkLabel(label string) error {
	if len(label) > maxLabel || !printable(label) {
		return fmt.Errorf("%w: a label must be 1 to %d printable bytes", ErrInvalidInput, maxLabel)
	}
	return nil
}

// The prefixes of identifiers, which are no secrets.
const (
	factorPrefix = "fac_"
	devicePrefix = "dev_"
)

func factorID(id record.ID) string {
	if id == (record.ID{}) { // backup codes
		return ""
	}
	return formatID(factorPrefix, id)
}

func parseFactorID(text string) (record.ID, bool) { return parseID(text, factorPrefix) }

func deviceID(id record.ID) string { return formatID(devicePrefix, id) }

func parseDeviceID(text string) (record.ID, bool) { return parseID(text, devicePrefix) }

func formatID(prefix string, id record.ID) string {
	return string(hex.AppendEncode(append(make([]byte, 0, 32), prefix...), id[:]))
}

// parseID returns the zero ID, which nothing has, for text that is none. The text
// of the zero ID is none: other code takes that ID for any.
func parseID(text, prefix string) (id record.ID, ok bool) {
	digits, found := strings.CutPrefix(text, prefix)
	if !found || len(digits) != hex.EncodedLen(len(id)) || digits != strings.ToLower(digits) {
		return id, false
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return record.ID{}, false
	}
	return id, id != record.ID{}
}
