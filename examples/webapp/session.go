package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/gob"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// A state says how far a browser has come.
type state string

const (
	anonymous    state = ""
	passwordOnly state = "password_only" // must answer a challenge; reaches the prompt only
	enrolling    state = "enrolling"     // must enroll first; reaches enrollment only
	signedIn     state = "signed_in"
)

// A session is all that the server remembers of a browser. It is stored as one
// value, so that nothing is left over when the state changes. It never holds a
// password.
type session struct {
	State      state
	UserID     string
	Generation int64 // the user's, as read before the login was decided

	Prompt     *prompt   // password only: for the login; signed in: for a fresh proof
	Enrollment string    // the enrollment token, while enrolling
	Proof      string    // of the latest second factor, for mfa.WithProof
	PasswordAt time.Time // when the password was last asked for before a first factor
	Asked      *asked    // a form that awaits the password
	AMR        []string  // how the user signed in (RFC 8176)
	Setup      *setup    // a factor that awaits its first code
	Codes      *newCodes // until the user has saved them
	Notice     string    // to show on the next page
	Alert      string    // instead of a notice, if it is bad news
	Problem    *problem  // to show on the next page
}

func init() { gob.Register(session{}) }

const (
	sessionKey      = "session"
	sessionLifetime = 12 * time.Hour
)

// newSessions returns a manager that keeps sessions in the database, sealed and
// under the hash of their token. It does not use scs.New, which would start a
// goroutine for a store in memory.
func newSessions(db *sql.DB, sealer *sealer, secure bool) *scs.SessionManager {
	return &scs.SessionManager{
		Store:            &sessionStore{db},
		Codec:            sealedCodec{sealer},
		HashTokenInStore: true,
		Lifetime:         sessionLifetime,
		Cookie: scs.SessionCookie{
			Name:     cookieName("session", secure),
			Path:     "/",
			Secure:   secure,
			HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
		},
	}
}

// cookieName returns name with the prefix that binds a cookie to this host, which
// browsers accept over TLS only.
func cookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

const sessionOver = "Your session has ended. Please sign in."

// session returns the browser's session and its user. A session that is over
// counts as an anonymous one.
func (s *server) session(ctx context.Context) (session, user, error) {
	v, _ := s.sessions.Get(ctx, sessionKey).(session)
	if v.State == anonymous {
		return v, user{}, nil
	}
	u, err := s.users.byID(ctx, v.UserID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return session{}, user{}, err
	}
	over := err != nil || u.Generation != v.Generation
	if !over && v.State == enrolling {
		id, err := s.engine.EnrollmentUser(ctx, v.Enrollment)
		if err != nil && !errors.Is(err, mfa.ErrInvalidToken) {
			return session{}, user{}, err
		}
		over = id != u.ID
	}
	if over {
		// Write nothing. If another request of this browser has moved on to a new
		// ID meanwhile, a cookie with this one would sign the browser out.
		return session{Alert: sessionOver}, user{}, nil
	}
	return v, u, nil
}

// keep stores v, whose state is the same as before.
func (s *server) keep(ctx context.Context, v session) { s.sessions.Put(ctx, sessionKey, v) }

// step stores v, whose state or proof is new, under a new session ID. The old ID
// becomes worthless to whoever knows it.
func (s *server) step(ctx context.Context, v session) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.keep(ctx, v)
	return nil
}

// keepOnly ends the user's sessions apart from the one of generation from, as
// users.endOthers does, once factors have changed, and records whether there is one,
// since no event tells of a change whose answer was lost. It ends that session too, and
// returns ErrNoSession, if no factor is left although MFA is required by now: the
// engine asked the policy before it removed the last one.
func (s *server) keepOnly(ctx context.Context, id string, from int64) (generation int64, err error) {
	ctx = context.WithoutCancel(ctx)
	if generation, err = s.users.endOthers(ctx, id, from); err != nil {
		return 0, err
	}
	if err := s.users.recordMFA(ctx, id); err != nil {
		return 0, errors.Join(err, s.users.endSessions(ctx, id))
	}
	status, err := s.engine.Status(ctx, id)
	if err == nil && (!status.Required || enrolled(status)) {
		return generation, nil
	}
	return 0, errors.Join(cmp.Or(err, mfahttp.ErrNoSession), s.users.endSessions(ctx, id))
}

// home returns the path where a browser in that state belongs.
func (st state) home() string {
	switch st {
	case passwordOnly:
		return "/login/mfa"
	case enrolling:
		return "/enroll"
	case signedIn:
		return "/dashboard"
	}
	return "/login"
}
