// Package load runs many users at once on one store, for as long as it is asked
// to: TestSoak mixes everything that users do while calls of the store fail now
// and then, and TestFlood sends many wrong backup codes at once.
//
// Without it, faults that show only after minutes or on a real database could slip
// through: a growing number of goroutines or connections, growing memory, a save
// that was acknowledged and lost, honest users kept out by a flood. TestSoakBites
// shows that the soak finds broken stores.
//
// Both are short by default. The long runs, whose figures are in
// docs/performance.md:
//
//	MFA_TEST_SOAK=10m go test -v -timeout 60m -run TestSoak .
//	MFA_TEST_FLOOD=10000 go test -v -timeout 60m -run TestFlood .
package load
