// Package fuzz feeds the engine arbitrary bytes where the other suites feed it
// chosen ones: names for the key URI, strings for the JSON, and stored records.
//
// Without it, a record that no operation of the engine writes, but that decodes
// all the same, could make an operation panic or let a user with a factor pass.
// The seeds run with every go test; to search further:
//
//	go test -run '^$' -fuzz FuzzStoredRecord -fuzztime 10m ./internal/proof/fuzz
package fuzz
