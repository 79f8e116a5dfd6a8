// Package house checks the rules of the repository itself: what hosts see of
// it, what it depends on, what may import what, and that the engine has one
// clock, one source of randomness and no goroutine. Without it, a change to any
// of these would pass every other test.
//
// It has tests only and nothing to import.
package house
