package main

import (
	"database/sql"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"
)

// A sessionStore is an scs.Store on the application's database.
type sessionStore struct{ db *sql.DB }

// errSessionOver is returned when a request would bring back a session that has
// ended.
var errSessionOver = errors.New("the session was ended by another request")

// Find implements scs.Store.
func (s *sessionStore) Find(token string) ([]byte, bool, error) {
	var data []byte
	err := s.db.QueryRow("SELECT data FROM sessions WHERE token = ? AND expires > ? AND data IS NOT NULL",
		token, time.Now().UnixNano()).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// Commit implements scs.Store. It refuses to write to a session that was
// deleted, so that a slow request cannot undo a log-out.
func (s *sessionStore) Commit(token string, data []byte, expires time.Time) error {
	if _, err := s.db.Exec("DELETE FROM sessions WHERE expires <= ?", time.Now().UnixNano()); err != nil {
		return err
	}
	result, err := s.db.Exec(`INSERT INTO sessions (token, data, expires) VALUES (?, ?, ?)
		ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires = excluded.expires WHERE data IS NOT NULL`,
		token, data, expires.UnixNano())
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errSessionOver)
	}
	return nil
}

// Delete implements scs.Store. It keeps the token, without data, until the
// session would have expired.
func (s *sessionStore) Delete(token string) error {
	_, err := s.db.Exec("UPDATE sessions SET data = NULL WHERE token = ?", token)
	return err
}

// A sealedCodec encrypts what scs stores. Sessions hold tokens and proofs, and
// for some minutes the secrets that are on the screen.
type sealedCodec struct{ sealer *sealer }

const sessionData = "session"

// Encode implements scs.Codec.
func (c sealedCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	data, err := scs.GobCodec{}.Encode(deadline, values)
	if err != nil {
		return nil, err
	}
	return c.sealer.seal(sessionData, data), nil
}

// Decode implements scs.Codec. It returns an empty session for data that does not
// open, as after a change of the key.
func (c sealedCodec) Decode(sealed []byte) (time.Time, map[string]any, error) {
	data, err := c.sealer.open(sessionData, sealed)
	if err != nil {
		return time.Now().Add(sessionLifetime), map[string]any{}, nil
	}
	return scs.GobCodec{}.Decode(data)
}
