package userid_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/userid"
)

func TestCheck(t *testing.T) {
	for id, ok := range map[string]bool{
		"ada": true, "日本": true, " Ada ' % ": true, strings.Repeat("a", 255): true,
		"": false, strings.Repeat("a", 256): false, "a\x00b": false, "\xff": false,
	} {
		if err := userid.Check(id); ok && err != nil || !ok && !errors.Is(err, mfa.ErrInvalidUser) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
