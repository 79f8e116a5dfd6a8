-- +goose Up
CREATE TABLE mfa_users (
	user_id    VARBINARY(255) NOT NULL PRIMARY KEY,
	version    BIGINT NOT NULL,
	methods    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	data       BLOB NOT NULL,
	updated_at DATETIME(6) NOT NULL
) ENGINE=InnoDB
-- The marker of this store. Without it, the store counts as lost.
SELECT '' AS user_id, 0 AS version, '' AS methods, UNHEX(REPLACE(UUID(), '-', '')) AS data, UTC_TIMESTAMP(6) AS updated_at;
