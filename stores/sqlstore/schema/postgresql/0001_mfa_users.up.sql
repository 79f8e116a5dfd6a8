-- +goose Up
CREATE TABLE mfa_users (
	user_id    text COLLATE "C" PRIMARY KEY,
	version    bigint NOT NULL,
	methods    text NOT NULL,
	data       bytea NOT NULL,
	updated_at timestamptz NOT NULL
) WITH (fillfactor = 85);

-- The marker of this store. Without it, the store counts as lost.
INSERT INTO mfa_users VALUES ('', 0, '', decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), now());

-- For queries such as who has no MFA.
CREATE INDEX ON mfa_users (user_id) WHERE methods <> '';
