// Package attack holds one test for each published class of flaw of
// multi-factor authentication, named by its ID: go test -run TestA04 runs the
// one about a code that is used twice at once. docs/security-tests.md lists them.
// There is nothing in it to import.
package attack
