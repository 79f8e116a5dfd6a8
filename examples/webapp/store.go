package main

import (
	"database/sql"

	"github.com/protekt/mfa"
)

// newStore keeps the engine's records.
func newStore(*sql.DB) (mfa.Store, error) { return mfa.NewMemoryStore(), nil }
