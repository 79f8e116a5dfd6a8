// Quickstart tells the whole story of package mfa in one process: a store in
// memory, messages that are printed instead of sent, and a user who enrolls,
// logs in, and is impersonated.
//
// With a terminal it asks for the codes of a real authenticator app, and offers
// to simulate one. Without one it plays both sides. It exits with 1 where any
// step does not behave.
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

// isTerminal tells whether somebody may be sitting there.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
