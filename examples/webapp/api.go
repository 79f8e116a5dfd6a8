package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// An api serves single-page and mobile clients: the endpoints of package mfahttp,
// over grants, and the application's own beside them. Clients send their access
// token as Authorization: Bearer, or browsers as a cookie.
type api struct {
	*server
	mfa        *mfahttp.Handler
	projectKey string // "" refuses all calls that need it
}

func newAPI(s *server, projectKey string) (*api, error) {
	a := &api{server: s, projectKey: projectKey}
	var err error
	a.mfa, err = mfahttp.New(mfahttp.Config{
		Engine:   s.engine,
		Session:  a,
		OnRemove: a.changed,
		OnError:  s.logFault,
		Now:      s.now,
	})
	return a, err
}

func (a *api) routes(mux *http.ServeMux) {
	route := func(pattern string, handle apiFunc) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(path, a.mfa.CrossOrigin(a.serve(method, handle)))
	}
	for _, path := range []string{"/auth/", "/mfa/", "/projects/", "/openapi.json"} {
		mux.Handle(path, a.mfa)
	}
	route("POST /auth/login", a.logIn)
	route("POST /auth/refresh", a.refresh)
	route("POST /auth/logout", a.logOut)
	route("PATCH /projects/{id}", a.updateProject)
}

// An apiFunc writes a response, or returns the error to write.
type apiFunc func(w http.ResponseWriter, r *http.Request) error

func (a *api) serve(method string, handle apiFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := error(errMethod)
		if r.Method == method {
			err = handle(w, r)
		} else {
			w.Header().Set("Allow", method)
		}
		if err != nil {
			a.logFault(r, err)
			explain(err).Write(w)
		}
	})
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(body)
}

// logIn answers with tokens, or with what must come first.
func (a *api) logIn(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		Device   string `json:"device_token"`
	}
	if err := mfahttp.ReadJSON(w, r, &body); err != nil {
		return err
	}
	u, err := a.signIn(r, body.Email, body.Password, body.Device)
	if token := tokenOf(err); token != "" {
		if err := a.grants.pend(r.Context(), token, u.Generation); err != nil {
			return err
		}
		a.mfa.Challenge(w, r, err)
		return nil
	}
	if err != nil {
		return err
	}
	fresh, err := a.begin(w, r, grant{UserID: u.ID, Generation: u.Generation})
	if err != nil {
		return err
	}
	reply(w, fresh)
	return nil
}

// tokenOf returns the token with which a login goes on after signIn, or "".
func tokenOf(err error) string {
	var challenge *mfa.ChallengeError
	var enrollment *mfa.EnrollmentError
	switch {
	case errors.As(err, &challenge):
		return challenge.Token
	case errors.As(err, &enrollment):
		return enrollment.Token
	}
	return ""
}

func (a *api) refresh(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Refresh string `json:"refresh_token"`
	}
	if err := mfahttp.ReadJSON(w, r, &body); err != nil {
		return err
	}
	fresh, g, err := a.grants.refresh(r.Context(), body.Refresh)
	if err != nil {
		return err
	}
	if _, err := a.userOf(r.Context(), g); err != nil {
		return errors.Join(err, a.grants.end(r.Context(), g.ID))
	}
	a.setAccess(w, fresh.Access)
	reply(w, fresh)
	return nil
}

// logOut ends the grant that the access token names, even if the token has expired
// or was replaced: its refresh token may still be valid for weeks. A page that closes
// meanwhile logs out all the same.
func (a *api) logOut(w http.ResponseWriter, r *http.Request) error {
	ctx := context.WithoutCancel(r.Context())
	g, err := a.grants.load(ctx, a.access(r), "at_")
	if err == nil {
		err = a.grants.end(ctx, g.ID)
	}
	if err != nil {
		return err
	}
	a.setAccess(w, "")
	reply(w, struct{}{})
	return nil
}

// updateProject is for servers that have the project's key, at which guesses are
// limited. The application has one project, whatever its ID.
func (a *api) updateProject(w http.ResponseWriter, r *http.Request) error {
	if err := a.limits.address.take(address(r)); err != nil {
		return err
	}
	given, want := sha256.Sum256([]byte(mfahttp.BearerToken(r))), sha256.Sum256([]byte(a.projectKey))
	if a.projectKey == "" || subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		a.log.WarnContext(r.Context(), "a wrong project key", "from", address(r))
		return mfahttp.ErrNoSession
	}
	a.limits.address.giveBack(address(r))
	var body struct {
		Required *bool `json:"mfa_required"`
	}
	if err := mfahttp.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.Required == nil {
		return mfa.ErrInvalidInput
	}
	if err := a.requireMFA(r.Context(), *body.Required); err != nil {
		return err
	}
	reply(w, map[string]any{"id": r.PathValue("id"), "mfa_required": *body.Required})
	return nil
}

// User implements mfahttp.Session. It remembers no times for RequireStepUp, which
// the application does not use.
func (a *api) User(r *http.Request) (mfahttp.User, error) {
	g, err := a.grant(r)
	return mfahttp.User{ID: g.UserID, Proof: g.Proof}, err
}

// Account implements mfahttp.Session.
func (a *api) Account(ctx context.Context, userID string) (string, error) {
	u, err := a.users.byID(ctx, userID)
	if errors.Is(err, sql.ErrNoRows) {
		err = mfahttp.ErrNoSession
	}
	return u.Email, err
}

// Complete implements mfahttp.Session. A login is refused if what ends sessions
// has happened since the password was right. A new factor ends all others, one of
// which may have begun without any.
func (a *api) Complete(w http.ResponseWriter, r *http.Request, login *mfa.Login, device *mfa.TrustedDevice) (any, error) {
	generation, err := a.grants.pended(r.Context(), mfahttp.LoginToken(r))
	if login.Action == mfa.ActionEnroll {
		generation, err = a.endOthers(r, login.UserID, generation, err)
	}
	if err != nil {
		return nil, err
	}
	g := grant{UserID: login.UserID, Generation: generation, Proof: login.Proof}
	u, err := a.userOf(r.Context(), g)
	if err != nil {
		return nil, err
	}
	if device != nil {
		device.Token = a.sealDevice(u.Email, device)
	}
	return a.begin(w, r, g)
}

// Proved implements mfahttp.Session.
func (a *api) Proved(_ http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	if login.Action == mfa.ActionEnroll {
		if err := a.changed(r, login.UserID); err != nil {
			return err
		}
	}
	g, err := a.grant(r)
	if err != nil || login.Proof == "" {
		return err
	}
	return a.grants.setProof(r.Context(), g.ID, login.Proof)
}

// changed ends the user's sessions apart from the caller's, once factors have
// changed.
func (a *api) changed(r *http.Request, userID string) error {
	g, err := a.grant(r)
	generation, err := a.endOthers(r, userID, g.Generation, err)
	if err != nil {
		return err
	}
	return a.grants.setGeneration(r.Context(), g.ID, generation)
}

// endOthers ends the user's sessions apart from the one of generation from, or all
// of them if an error, unknown, kept the caller from reading that generation.
func (a *api) endOthers(r *http.Request, userID string, from int64, unknown error) (int64, error) {
	if unknown != nil {
		return 0, errors.Join(unknown, a.users.endSessions(r.Context(), userID))
	}
	return a.keepOnly(r.Context(), userID, from)
}

// begin stores a grant and returns its tokens. It ends the grants of other users that
// the request bears: that of its cookie, which is replaced, and that of its header.
func (a *api) begin(w http.ResponseWriter, r *http.Request, g grant) (tokens, error) {
	for _, token := range []string{mfahttp.BearerToken(r), a.cookie(r)} {
		other, err := a.grants.load(r.Context(), token, "at_")
		if err == nil && other.UserID != g.UserID {
			err = a.grants.end(r.Context(), other.ID)
		}
		if err != nil && !errors.Is(err, mfahttp.ErrNoSession) {
			return tokens{}, err
		}
	}
	fresh, err := a.grants.begin(r.Context(), g)
	if err == nil {
		a.setAccess(w, fresh.Access)
	}
	return fresh, err
}

const accessCookie = "access_token"

// setAccess sets the cookie that holds a browser's access token, or deletes it if
// token is empty. Scripts cannot read it, and browsers send it from no other site.
func (a *api) setAccess(w http.ResponseWriter, token string) {
	age := seconds(accessTTL)
	if token == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name:     cookieName(accessCookie, a.secure),
		Value:    token,
		Path:     "/",
		MaxAge:   age,
		HttpOnly: true,
		Secure:   a.secure,
		SameSite: http.SameSiteStrictMode,
	})
}

// access returns the access token that a request bears, or "". A token in the header
// counts alone, even if it is wrong.
func (a *api) access(r *http.Request) string {
	if r.Header.Get("Authorization") != "" {
		return mfahttp.BearerToken(r)
	}
	return a.cookie(r)
}

// cookie returns the access token in a request's cookie, or "".
func (a *api) cookie(r *http.Request) string {
	cookie, err := r.Cookie(cookieName(accessCookie, a.secure))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// grant returns the grant whose access token a request bears, or ErrNoSession.
func (a *api) grant(r *http.Request) (grant, error) {
	g, err := a.grants.open(r.Context(), a.access(r))
	if err != nil {
		return grant{}, err
	}
	if _, err := a.userOf(r.Context(), g); err != nil {
		return grant{}, err
	}
	return g, nil
}

// userOf returns a grant's user, or ErrNoSession if the grant is over.
func (a *api) userOf(ctx context.Context, g grant) (user, error) {
	u, err := a.users.byID(ctx, g.UserID)
	if errors.Is(err, sql.ErrNoRows) || err == nil && u.Generation != g.Generation {
		return user{}, mfahttp.ErrNoSession
	}
	return u, err
}
