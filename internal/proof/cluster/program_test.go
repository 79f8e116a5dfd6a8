//go:build linux

package cluster

import (
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/protekt/mfa/internal/proof/store"
)

// installed returns the path of a program installed by a Debian package. Without it
// the test is skipped, or fails if MFA_TEST_REQUIRE=1.
func installed(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/lib/postgresql/*/bin"} {
		if found, _ := filepath.Glob(path.Join(dir, name)); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	if os.Getenv("MFA_TEST_REQUIRE") == "1" {
		t.Fatalf("%s is required, but not installed", name)
	}
	t.Skipf("skipped: %s is not installed", name)
	return ""
}

// built returns the path of a server that is built from its Go module. Where the
// module cannot be fetched, as on a machine without a network, it skips the test, or
// fails it if MFA_TEST_REQUIRE=1.
func built(t *testing.T, module, version string) string {
	t.Helper()
	program, err := store.Build(t, module, version)
	if err != nil && os.Getenv("MFA_TEST_REQUIRE") == "1" {
		t.Fatalf("%s@%s is required, but cannot be built: %q", module, version, err)
	}
	if err != nil {
		t.Skipf("skipped: %s@%s has not been built, and cannot be: %q", module, version, err)
	}
	return program
}
