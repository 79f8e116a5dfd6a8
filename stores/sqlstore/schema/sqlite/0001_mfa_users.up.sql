-- +goose Up
CREATE TABLE mfa_users (
	user_id    TEXT NOT NULL PRIMARY KEY,
	version    INTEGER NOT NULL,
	methods    TEXT NOT NULL,
	data       BLOB NOT NULL,
	updated_at TEXT NOT NULL
) STRICT;

-- The marker of this store. Without it, the store counts as lost.
INSERT INTO mfa_users VALUES ('', 0, '', randomblob(16), strftime('%Y-%m-%d %H:%M:%f', 'now'));
