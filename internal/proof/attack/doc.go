// Package attack has one test for each published class of flaws in multi-factor
// authentication, named by the class's ID: go test -run TestA04 runs the one
// about a code that is used twice at once. docs/security-tests.md lists them.
//
// Without it, an attack that is known from other systems could work here. Each
// test shows first that what it expects to be refused works where it should, and
// the package injects flaws into the engine to see that the tests catch them.
//
// It has tests only and nothing to import.
package attack
