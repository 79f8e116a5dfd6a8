// Package timing measures whether the time of a refusal depends on a secret.
//
// Without it, a comparison that ends at the first difference could slip through
// where the attack package's reading of the source misses it. Statistics want a
// quiet machine and a minute, so it runs on request alone:
//
//	MFA_TEST_TIMING=1 go test -v ./internal/proof/timing
package timing
