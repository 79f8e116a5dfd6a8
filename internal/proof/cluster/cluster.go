// Package cluster tests whether the stores keep their promises on real clusters of
// servers, whose nodes are killed, stopped and cut off from each other while
// several client processes log users in.
//
// Without it, the stores would have been tested only against a single healthy
// server: a store that reads from a leader that no node follows any more, or a
// server whose compare-and-swap loses a race between nodes, passes every other
// test.
//
// A test starts its servers on loopback ports, with a proxy in front of each
// through which the other nodes reach it. The clients are this test binary,
// started again. The test sends each client its requests, so that one clock orders
// everything in the history, and checks the history afterwards:
//
//   - no code is accepted twice;
//   - no acknowledged change is lost;
//   - BeginLogin never returns nil for a user whose enrollment was acknowledged;
//   - a right code that nobody has used is accepted, or the call fails.
//
// How long users were locked out is reported but not checked. docs/stores.md has
// the results.
//
//	MFA_TEST_CLUSTER=1 go test -v -timeout 30m .                   # a minute for each cluster
//	MFA_TEST_CLUSTER=1 MFA_TEST_LONG=1 go test -v -timeout 1h .    # every fault once, on every setting
//	MFA_TEST_CLUSTER=1 MFA_TEST_LONG=10 go test -v -timeout 8h .   # ten times
//
// Servers that are Go programs are built at the versions that the tests name, in
// the user's cache directory; the others are Debian's. A test whose server cannot be
// fetched is skipped and says so. Linux only.
package cluster
