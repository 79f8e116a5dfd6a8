package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"net/http"
	"time"
)

// resetTTL is how long a mailed link is valid.
const resetTTL = 15 * time.Minute

// beginReset returns a secret with which the user may choose a new password.
func (t *users) beginReset(ctx context.Context, u user) (secret string, err error) {
	secret = rand.Text()
	hash := sha256.Sum256([]byte(secret))
	if _, err = t.db.ExecContext(ctx, "DELETE FROM resets WHERE user_id = ? OR expires <= ?", u.ID, t.now().Unix()); err != nil {
		return "", err
	}
	_, err = t.db.ExecContext(ctx, "INSERT INTO resets (hash, user_id, expires) VALUES (?, ?, ?)", hash[:], u.ID, t.now().Add(resetTTL).Unix())
	return secret, err
}

// resetUser returns the ID of the user to whom the secret was mailed, or
// errResetLink.
func (t *users) resetUser(ctx context.Context, secret string) (id string, err error) {
	hash := sha256.Sum256([]byte(secret))
	err = t.db.QueryRowContext(ctx, "SELECT user_id FROM resets WHERE hash = ? AND expires > ?", hash[:], t.now().Unix()).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errResetLink
	}
	return id, err
}

func (s *server) forgotPage(w http.ResponseWriter, r *http.Request, v *visit) {
	s.show(w, r, v, "forgot", http.StatusOK, form{})
}

// forgot mails a link if there is such an account, and answers the same if not.
func (s *server) forgot(w http.ResponseWriter, r *http.Request, v *visit) {
	email := r.PostFormValue("email")
	err := s.limits.forgot.take(address(r))
	if err == nil {
		err = s.limits.mail.take(canonical(email))
	}
	if err == nil {
		err = s.mailReset(r.Context(), email)
	}
	if err != nil {
		s.showError(w, r, v, "forgot", err, form{Email: email})
		return
	}
	http.Redirect(w, r, "/login?mailed=1", http.StatusSeeOther) // a notice would create a session for every stranger
}

// mailReset does the same work if there is no such account, so that timing does
// not reveal it. Waiting for a mail provider would: hand mail to a queue.
func (s *server) mailReset(ctx context.Context, email string) error {
	u, err := s.users.byEmail(ctx, email)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	secret, err := s.users.beginReset(ctx, u) // for an unknown user, too
	if err != nil || u.ID == "" {
		return err
	}
	s.phone.mailLink(u.Email, "Choose a new password within 15 minutes:", "/reset?token="+secret)
	return nil
}

func (s *server) resetPage(w http.ResponseWriter, r *http.Request, v *visit) {
	s.show(w, r, v, "reset", http.StatusOK, form{Token: r.FormValue("token")})
}

// reset sets a new password and signs nobody in: the user signs in with it and is
// asked for a code as always. Whoever was signed in to this browser is signed out.
func (s *server) reset(w http.ResponseWriter, r *http.Request, v *visit) {
	secret := r.PostFormValue("token")
	userID, err := s.users.resetUser(r.Context(), secret)
	if err == nil {
		err = s.newPassword(r.Context(), userID, r.PostFormValue("password"))
	}
	if err != nil {
		s.showError(w, r, v, "reset", err, form{Token: secret})
		return
	}
	s.stepTo(w, r, v, session{Notice: "Your password was changed. Please sign in with it."}, "/login")
}

// newPassword sets a password. Nothing else does. It ends the sessions, grants,
// challenges, proofs and trusted devices of the old one, and keeps the factors.
func (s *server) newPassword(ctx context.Context, userID, password string) error {
	if err := s.users.setPassword(ctx, userID, password); err != nil {
		return err
	}
	return s.engine.PasswordChanged(context.WithoutCancel(ctx), userID)
}
