// Package mfahttp serves package mfa over net/http: its errors as responses, the
// JSON endpoints that single-page and mobile clients call, and middleware.
//
// A host implements [Session] over the sessions or tokens that it has, and mounts
// a [Handler]:
//
//	handler, err := mfahttp.New(mfahttp.Config{Engine: engine, Session: sessions{}})
//	mux.Handle("/auth/mfa/", handler)
//	mux.Handle("/mfa/", handler)
//	mux.Handle("/openapi.json", handler) // if it may be public
//	mux.Handle("POST /auth/login", login) // the host's: checks the password, then
//	// if err := engine.BeginLogin(ctx, user.ID); err != nil { handler.Challenge(w, r, err); return }
//
// # Endpoints
//
//	POST /auth/mfa/verify      answers a login challenge: {"mfa_token","code"} or {"mfa_token","passkey":{...}}
//	POST /auth/mfa/send        sends a code: {"mfa_token"}, "factor_id"
//	POST /auth/mfa/passkey     options for navigator.credentials.get: {"mfa_token"}
//	POST /mfa/enroll           begins: {"method":"totp"}, {"method":"sms","phone"} or {"method":"passkey"}; "label", "keep_others"
//	POST /mfa/verify           confirms: {"code"} or {"passkey":{...}}; "method" if not what was begun last
//	POST /mfa/backup-codes     generates a set
//	POST /mfa/unenroll         removes: {"method"} or {"factor_id"}
//	POST /mfa/revoke           the same while MFA is required, for a lost factor beside others; behind a fresh proof
//	POST /mfa/factors/{id}     renames: {"label"}
//	POST /mfa/step-up          answers a step-up: {"mfa_token","code"} or with "passkey"; "action" if not "manage"
//	GET  /mfa/status           lists factors
//	GET  /mfa/devices          lists trusted devices
//	POST /mfa/devices/forget   {"device_id"} or {"all":true}
//	GET  /openapi.json         describes all of this in OpenAPI 3.1, as [OpenAPI] returns it
//
// A body is one JSON object of at most 16 KiB, or 64 KiB where a passkey may
// answer; unknown fields are ignored. Errors are {"error":{"code","message"}} with
// what [Problem] lists beside. Every response has Cache-Control: no-store.
//
// # Who holds the token of a challenge
//
// The client does, unless Config.Tokens is set: then it stays in the host's
// session, no response contains it and no request may.
package mfahttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/protekt/mfa"
)

// A Session is the host's sessions as the endpoints need them. Methods may be
// called at the same time. An error that is not [ErrNoSession] is a fault of the
// host's: the request is refused as internal. The requests of Complete and Proved
// are not cancelled, since what they follow stands even if the client is gone.
type Session interface {
	// User returns who is completely logged in, or ErrNoSession: for no session,
	// one that has expired or was ended, and one that still waits for a second
	// factor.
	User(r *http.Request) (User, error)

	// Account returns the name that an authenticator shows for a user, such as an
	// e-mail address. The user may be enrolling and not logged in yet. For one who
	// no longer exists it returns ErrNoSession.
	Account(ctx context.Context, userID string) (string, error)

	// Complete makes the login of login.UserID complete: it sets a cookie under a
	// new session ID, or returns tokens as a value that marshals to a JSON object;
	// nil is {}. It must store what Proved stores. Whoever is logged in by then is
	// not asked: a session of another user ends. device is the one that the user
	// chose to trust, or nil; its token, as Complete leaves it, goes to the client
	// beside the tokens, or into a cookie of Complete's if Config.Tokens is set.
	Complete(w http.ResponseWriter, r *http.Request, login *mfa.Login, device *mfa.TrustedDevice) (any, error)

	// Proved stores, in the session of the request, login.Proof unless it is
	// empty, and login.Time under login.Action, for User to return.
	Proved(w http.ResponseWriter, r *http.Request, login *mfa.Login) error
}

// A User is who is logged in.
type User struct {
	ID string
	// Proof is the last one stored, or "".
	Proof string
	// ProvedAt are the times stored last, by action. RequireStepUp reads them.
	ProvedAt map[string]time.Time
}

// ErrNoSession is returned by a Session if nobody is completely logged in.
var ErrNoSession = errors.New("mfahttp: not logged in")

// Tokens keep the token of the challenge or enrollment that a session is at.
type Tokens interface {
	// Token returns the token, or "" if there is none.
	Token(r *http.Request) (string, error)
	// KeepToken stores a token in place of an earlier one.
	KeepToken(w http.ResponseWriter, r *http.Request, token string) error
}

// Config configures a Handler. Engine and Session are required.
type Config struct {
	Engine  *mfa.Engine
	Session Session

	// Tokens, if non-nil, keeps challenge tokens in the host's session. If nil,
	// clients hold them.
	Tokens Tokens

	// Origins are those of other sites that may call, such as
	// "https://app.example.com": scheme, host and port. All other cross-origin
	// requests of browsers are refused.
	Origins []string

	// Message, if non-nil, returns the message for an error's code, in a language
	// of the host's choice; "" stands for the English one.
	Message func(r *http.Request, code string) string

	// OnRemove, if non-nil, is called once a user has removed a factor, or may have,
	// since a fault left it open. It is for a host that ends the user's other sessions
	// then, as it may in Session.Proved after an enrollment (mfa.ActionEnroll). If it
	// fails, so does the response, and the factor stays removed.
	OnRemove func(r *http.Request, userID string) error

	// OnError, if non-nil, receives errors that are faults rather than refusals,
	// for the host's log. The client learns nothing of them.
	OnError func(r *http.Request, err error)

	// Now is the clock by which RequireStepUp judges ages. If nil, it is time.Now.
	Now func() time.Time
}

// A Handler serves the endpoints.
type Handler struct {
	config  Config
	mux     *http.ServeMux
	origins *http.CrossOriginProtection
}

// New returns a handler.
func New(config Config) (*Handler, error) {
	if config.Engine == nil {
		return nil, errors.New("mfahttp: Config.Engine is nil: set it to what mfa.New returned")
	}
	if config.Session == nil {
		return nil, errors.New("mfahttp: Config.Session is nil: implement Session over the sessions that you have")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	h := &Handler{config: config, mux: http.NewServeMux(), origins: http.NewCrossOriginProtection()}
	for _, origin := range config.Origins {
		if u, err := url.Parse(origin); err != nil || u.Scheme == "" || u.Host == "" || strings.TrimPrefix(origin, u.Scheme+"://") != u.Host {
			return nil, fmt.Errorf("mfahttp: Config.Origins: %q is not scheme, host and port alone, like https://app.example.com", origin)
		}
		if err := h.origins.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("mfahttp: Config.Origins: %w", err)
		}
	}
	h.routes()
	return h, nil
}
