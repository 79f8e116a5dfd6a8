// Package timing measures whether the time that a refusal takes depends on a
// secret.
//
// Without it, a comparison that ends at the first difference could slip through
// if package attack, which checks the source, misses it. The statistics need a
// quiet machine and a minute, so the test runs only on request:
//
//	MFA_TEST_TIMING=1 go test -v ./internal/proof/timing
package timing
