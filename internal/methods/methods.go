// Package methods writes the Methods of a record as a text, for the stores.
package methods

import (
	"fmt"
	"strings"

	"github.com/protekt/mfa"
)

// Join writes a list as in "totp,sms"; an empty one is "".
func Join(list []mfa.Method) (string, error) {
	names := make([]string, len(list))
	for i, method := range list {
		if method == "" || strings.ContainsAny(string(method), ",\n") {
			return "", fmt.Errorf("method %q cannot be kept in a list", method)
		}
		names[i] = string(method)
	}
	return strings.Join(names, ","), nil
}

// Split reads what Join wrote.
func Split(text string) (list []mfa.Method) {
	for name := range strings.SplitSeq(text, ",") {
		if name != "" {
			list = append(list, mfa.Method(name))
		}
	}
	return list
}
