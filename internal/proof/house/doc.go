// Package house checks the rules of the repository itself: the exported API, the
// dependencies, which package may import which, and that the engine has one
// clock, one source of randomness and no goroutine. Without it, a change to any
// of these would pass every other test.
//
// It has tests only and nothing to import.
package house
