// Package attack has one test for each published class of flaws in multi-factor
// authentication, named after the class's ID: go test -run TestA04 runs the one
// for a code that two logins use at once. docs/security-tests.md lists them.
//
// Without it, an attack that is known from other systems could work here. Each
// test first shows that what it expects to be refused works where it should, and
// the package injects flaws into the engine to check that the tests catch them.
//
// It contains only tests and exports nothing.
package attack
