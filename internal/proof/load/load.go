// Package load runs many users at once, for as long as it is told, on one store:
// TestSoak mixes all that users do while calls of the store fail now and then,
// and TestFlood has many wrong backup codes arrive at once.
//
// Without it, what takes minutes or a real database to show could slip through:
// memory, goroutines or connections that grow, a save that was acknowledged and
// lost, honest users kept out by a flood. TestSoakBites shows that the soak finds
// broken stores.
//
// Both are short by default. The long ones, whose figures are in
// docs/performance.md:
//
//	MFA_TEST_SOAK=10m go test -v -timeout 60m -run TestSoak .
//	MFA_TEST_FLOOD=10000 go test -v -timeout 60m -run TestFlood .
package load
