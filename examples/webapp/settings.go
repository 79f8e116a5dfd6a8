package main

import (
	"context"
	"database/sql"
	"errors"
)

// settings holds the project's settings. They live in the database, so that every
// process sees a change at once.
type settings struct{ db *sql.DB }

const mfaRequiredSetting = "mfa_required"

// mfaRequired implements mfa.Config.Required. An application with several
// projects would look up the user's project here.
func (t *settings) mfaRequired(ctx context.Context, _ string) (bool, error) {
	var required bool
	err := t.db.QueryRowContext(ctx, "SELECT value FROM settings WHERE name = ?", mfaRequiredSetting).Scan(&required)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return required, err
}

func (t *settings) setMFARequired(ctx context.Context, required bool) error {
	_, err := t.db.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, mfaRequiredSetting, required)
	return err
}
