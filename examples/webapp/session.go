package main

import (
	"context"
	"database/sql"
	"encoding/gob"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/protekt/mfa"
)

// A state is how far a browser has come.
type state string

const (
	anonymous    state = ""
	passwordOnly state = "password_only" // must answer a challenge: the prompt, and nothing else
	enrolling    state = "enrolling"     // must enroll first: enrollment, and nothing else
	signedIn     state = "signed_in"
)

// A session is all that the server remembers of a browser. It is stored as one
// value, so that nothing is left over when the state changes. No password is in
// it, in any state.
type session struct {
	State      state
	UserID     string
	Generation int64 // of the user, as read before the login was decided

	Prompt     *prompt   // password only: the login's; signed in: for the fresh proof
	Enrollment string    // while enrolling: the token
	Proof      string    // of the last second factor; for mfa.WithProof
	ProvedAt   time.Time // when that was; for what administrators do
	AMR        []string
	Setup      *setup    // a factor that waits for its first code
	Codes      *newCodes // until the user has saved them
	Notice     string    // for the next page
	Problem    *problem  // for the next page
}

func init() { gob.Register(session{}) }

const (
	sessionKey      = "session"
	sessionLifetime = 12 * time.Hour
)

// newSessions keeps sessions in the database, sealed and under the hash of
// their token. scs.New would start a goroutine for a store in memory.
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

// cookieName binds a cookie to this host where TLS allows it.
func cookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

const sessionOver = "Your session is over. Please sign in."

// session reads the browser's session. One that is over is an anonymous one.
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
		// Nothing is written: where another request of this browser has moved on
		// to a new ID, a cookie with this one would sign the browser out.
		return session{Notice: sessionOver}, user{}, nil
	}
	return v, u, nil
}

// keep remembers v, in the same state as before.
func (s *server) keep(ctx context.Context, v session) { s.sessions.Put(ctx, sessionKey, v) }

// step remembers v, which is in another state or has a new proof. The session
// gets a new ID: whoever knew the old one has nothing.
func (s *server) step(ctx context.Context, v session) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.keep(ctx, v)
	return nil
}

// home is where a browser in that state belongs.
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
