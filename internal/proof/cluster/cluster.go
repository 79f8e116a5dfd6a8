// Package cluster holds the stores to their promises on real clusters of
// servers whose nodes are killed, stopped and cut off from each other while
// several client processes log users in.
//
// Without it, only a single healthy server would ever have been asked: a store
// that reads from a leader whom nobody follows any more, or a server whose
// compare-and-swap loses a race between nodes, passes every other test.
//
// A test starts its servers on loopback ports, with a proxy in front of each
// through which the other nodes reach it. The clients are this test binary,
// started again. The test tells each client what to do, so that one clock orders
// everything in its history, and judges the history afterwards:
//
//   - no code is accepted twice;
//   - no acknowledged change is lost;
//   - BeginLogin never returns nil for a user whose enrollment was acknowledged;
//   - a right code that nobody has used is not refused: there is an error.
//
// How long users were locked out is reported and not judged. docs/stores.md has
// what was seen.
//
//	MFA_TEST_CLUSTER=1 go test -v -timeout 30m .                   # a minute for each cluster
//	MFA_TEST_CLUSTER=1 MFA_TEST_LONG=1 go test -v -timeout 1h .    # every fault once, on every setting
//	MFA_TEST_CLUSTER=1 MFA_TEST_LONG=10 go test -v -timeout 8h .   # ten times
//
// Servers that are Go programs are built at the versions that the tests name, in
// the user's cache directory; the others are Debian's. Linux only.
package cluster
