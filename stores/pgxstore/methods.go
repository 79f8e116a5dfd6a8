package pgxstore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/protekt/mfa"
)

// joinMethods returns methods as text, as in "totp,sms". It refuses methods
// that splitMethods would not return.
func joinMethods(methods []mfa.Method) (string, error) {
	names := make([]string, len(methods))
	for i, method := range methods {
		names[i] = string(method)
	}
	text := strings.Join(names, ",")
	if !slices.Equal(splitMethods(text), methods) {
		return "", fmt.Errorf("pgxstore: saving: methods %q cannot be stored", methods)
	}
	return text, nil
}

// splitMethods parses a text that joinMethods returned.
func splitMethods(text string) (methods []mfa.Method) {
	for name := range strings.SplitSeq(text, ",") {
		if name != "" {
			methods = append(methods, mfa.Method(name))
		}
	}
	return methods
}
