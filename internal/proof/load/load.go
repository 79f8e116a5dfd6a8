// Package load holds the engine to what only many users at once can show: that
// nothing is lost or leaks while a store fails now and then (TestSoak), and that
// a flood of wrong codes neither fills the memory nor keeps honest users out
// (TestFlood). All of it is in the tests.
//
// Both are short by themselves. The long ones, whose figures are in
// docs/performance.md:
//
//	MFA_TEST_SOAK=10m go test -v -timeout 60m -run TestSoak .
//	MFA_TEST_FLOOD=10000 go test -v -timeout 60m -run TestFlood .
package load
