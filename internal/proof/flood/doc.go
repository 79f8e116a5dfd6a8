// Package flood sends a process many wrong backup codes at once, while honest
// users log in.
//
// Without it, an engine that computes as many password hashes as are asked for
// could slip through: it answers correctly, until there is no memory left. The
// flood is short by default. The long one, whose figures are in
// docs/performance.md:
//
//	MFA_TEST_FLOOD=10000 go test -v -timeout 60m ./internal/proof/flood
package flood
