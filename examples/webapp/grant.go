package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

const (
	accessTTL  = 15 * time.Minute
	refreshTTL = 30 * 24 * time.Hour // from the login, however often it is refreshed
)

// grants are the sessions of API clients. Their tokens are random and opaque, and
// the database holds hashes of them only.
type grants struct {
	db     *sql.DB
	now    func() time.Time
	sealer *sealer
}

// A grant is one login of an API client. Refreshing replaces both of its
// tokens.
type grant struct {
	ID         string
	UserID     string
	Generation int64 // the user's, as in a session
	Proof      string

	accessHash    []byte
	accessExpires int64
}

// tokens are what a client receives.
type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"` // seconds
}

const grantProof = "grant proof"

// pendingTTL is at least as long as the engine's challenge and enrollment tokens
// are valid.
const pendingTTL = 15 * time.Minute

// pend stores the user's generation under the token of an incomplete login, so
// that what ends sessions ends that login too.
func (t *grants) pend(ctx context.Context, token string, generation int64) error {
	if _, err := t.db.ExecContext(ctx, "DELETE FROM pending WHERE expires <= ?", t.now().Unix()); err != nil {
		return err
	}
	_, err := t.db.ExecContext(ctx, "INSERT INTO pending (hash, generation, expires) VALUES (?, ?, ?)",
		hashToken(token), generation, t.now().Add(pendingTTL).Unix())
	return err
}

// pended returns what pend stored under that token, or mfa.ErrInvalidToken.
func (t *grants) pended(ctx context.Context, token string) (generation int64, err error) {
	err = t.db.QueryRowContext(ctx, "SELECT generation FROM pending WHERE hash = ?", hashToken(token)).Scan(&generation)
	if errors.Is(err, sql.ErrNoRows) {
		err = mfa.ErrInvalidToken
	}
	return generation, err
}

// begin stores a new grant, of a user whose login is complete.
func (t *grants) begin(ctx context.Context, g grant) (tokens, error) {
	if _, err := t.db.ExecContext(ctx, "DELETE FROM grants WHERE refresh_expires <= ?", t.now().Unix()); err != nil {
		return tokens{}, err
	}
	id := rand.Text()
	fresh := newTokens(id)
	_, err := t.db.ExecContext(ctx, `INSERT INTO grants
		(id, user_id, generation, access_hash, access_expires, refresh_hash, refresh_expires, proof) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		id, g.UserID, g.Generation, hashToken(fresh.Access), t.now().Add(accessTTL).Unix(),
		hashToken(fresh.Refresh), t.now().Add(refreshTTL).Unix(), t.sealer.seal(grantProof+id, []byte(g.Proof)))
	return fresh, err
}

// newTokens returns random tokens that begin with their kind and the grant's ID,
// so that even a replaced token identifies its grant.
func newTokens(id string) tokens {
	return tokens{
		Access:    "at_" + id + "." + rand.Text(),
		Refresh:   "rt_" + id + "." + rand.Text(),
		Type:      "Bearer",
		ExpiresIn: seconds(accessTTL),
	}
}

func hashToken(token string) []byte {
	hash := sha256.Sum256([]byte(token))
	return hash[:]
}

// open returns the grant of a valid access token, or mfahttp.ErrNoSession.
func (t *grants) open(ctx context.Context, access string) (grant, error) {
	g, err := t.load(ctx, access, "at_")
	if err != nil {
		return grant{}, err
	}
	if subtle.ConstantTimeCompare(hashToken(access), g.accessHash) != 1 || t.now().Unix() >= g.accessExpires {
		return grant{}, mfahttp.ErrNoSession
	}
	return g, nil
}

// load returns the grant that a token names, without checking the token's secret.
func (t *grants) load(ctx context.Context, token, kind string) (g grant, err error) {
	rest, ok := strings.CutPrefix(token, kind)
	id, _, found := strings.Cut(rest, ".")
	if !ok || !found {
		return grant{}, mfahttp.ErrNoSession
	}
	var proof []byte
	err = t.db.QueryRowContext(ctx, `SELECT id, user_id, generation, access_hash, access_expires, proof
		FROM grants WHERE id = ?`, id).Scan(&g.ID, &g.UserID, &g.Generation, &g.accessHash, &g.accessExpires, &proof)
	if errors.Is(err, sql.ErrNoRows) {
		return grant{}, mfahttp.ErrNoSession
	}
	if err != nil {
		return grant{}, err
	}
	if proof, err = t.sealer.open(grantProof+g.ID, proof); err != nil {
		return grant{}, mfahttp.ErrNoSession
	}
	g.Proof = string(proof)
	return g, nil
}

// refresh replaces both tokens of a grant. If the refresh token has already been
// replaced, two parties hold it, and refresh ends the grant for both.
func (t *grants) refresh(ctx context.Context, refresh string) (tokens, grant, error) {
	g, err := t.load(ctx, refresh, "rt_")
	if err != nil {
		return tokens{}, grant{}, err
	}
	fresh := newTokens(g.ID)
	result, err := t.db.ExecContext(ctx, `UPDATE grants SET access_hash = ?, access_expires = ?, refresh_hash = ?
		WHERE id = ? AND refresh_hash = ? AND refresh_expires > ?`,
		hashToken(fresh.Access), t.now().Add(accessTTL).Unix(), hashToken(fresh.Refresh),
		g.ID, hashToken(refresh), t.now().Unix())
	if err != nil {
		return tokens{}, grant{}, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return tokens{}, grant{}, errors.Join(err, mfahttp.ErrNoSession, t.end(ctx, g.ID))
	}
	return fresh, g, nil
}

// end logs the client out.
func (t *grants) end(ctx context.Context, id string) error {
	_, err := t.db.ExecContext(ctx, "DELETE FROM grants WHERE id = ?", id)
	return err
}

// setProof stores a grant's latest proof.
func (t *grants) setProof(ctx context.Context, id, proof string) error {
	_, err := t.db.ExecContext(ctx, "UPDATE grants SET proof = ? WHERE id = ?", t.sealer.seal(grantProof+id, []byte(proof)), id)
	return err
}

// setGeneration lets a grant go on when the user's others end.
func (t *grants) setGeneration(ctx context.Context, id string, generation int64) error {
	_, err := t.db.ExecContext(ctx, "UPDATE grants SET generation = ? WHERE id = ?", generation, id)
	return err
}
