package main

import (
	"context"
	"database/sql"
	"errors"
)

// settings are the project's, in the database: every process sees a change at
// once.
type settings struct{ db *sql.DB }

const mfaRequiredSetting = "mfa_required"

// mfaRequired is the engine's Config.Required. An application with several
// projects looks the user's project up here.
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
