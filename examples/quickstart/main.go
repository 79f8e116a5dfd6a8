// Quickstart runs through the features of package mfa in one process, with a store
// in memory and messages that are printed instead of sent: a user enrolls, logs in,
// and fends off an impostor.
//
// On a terminal it asks for the codes of a real authenticator app, or simulates one.
// Elsewhere it plays both sides. It exits with status 1 if a step does not behave as
// it should.
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	attended := isTerminal(os.Stdin) && isTerminal(os.Stdout)
	if err := tell(context.Background(), os.Stdin, os.Stdout, attended); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// isTerminal reports whether f is a character device other than the null device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
