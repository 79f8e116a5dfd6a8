package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
	"github.com/protekt/mfa/mfatest"
)

// apiKey is the project's.
const apiKey = "pk_test"

// cookie holds the access token of browsers that use no bearer token.
const cookie = "access_token"

type user struct{ email, password string }

type session struct {
	user   mfahttp.User
	access string
}

// A host is the users, sessions and settings of the test server.
type host struct {
	engine   *mfa.Engine
	api      *mfahttp.Handler
	outbox   mfatest.Outbox
	required atomic.Bool
	ahead    atomic.Int64 // how far /test/clock has moved the clock

	mu       sync.Mutex
	users    map[string]*user
	sessions map[string]*session // by access token
	refresh  map[string]*session // by refresh token
}

func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}

func (h *host) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

func (h *host) routes(dist string) http.Handler {
	own := http.NewServeMux()
	own.HandleFunc("POST /auth/login", h.login)
	own.HandleFunc("POST /auth/refresh", h.renew)
	own.HandleFunc("POST /auth/logout", h.logout)
	own.HandleFunc("PATCH /projects/{id}", h.project)
	mux := http.NewServeMux()
	mux.Handle("/mfa/", h.api)
	mux.Handle("/auth/mfa/", h.api)
	mux.Handle("/auth/", h.api.CrossOrigin(own))
	mux.Handle("/projects/", h.api.CrossOrigin(own))
	mux.Handle("GET /app/", http.StripPrefix("/app/", http.FileServer(http.Dir(dist))))
	mux.HandleFunc("POST /test/users", h.addUser)
	mux.HandleFunc("GET /test/messages", h.messages)
	mux.HandleFunc("GET /test/clock", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, h.now().Unix()) })
	mux.HandleFunc("POST /test/clock", h.forward)
	mux.Handle("POST /test/transfer", h.api.CrossOrigin(h.api.RequireStepUp("transfer", 5*time.Minute, http.HandlerFunc(h.transfer))))
	return mux
}

var errCredentials = mfahttp.Problem{Status: http.StatusUnauthorized, Code: "invalid_credentials", Message: "The address or the password is not right."}

func (h *host) login(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Email, Password string
		DeviceToken     string `json:"device_token"`
	}
	json.NewDecoder(r.Body).Decode(&body)
	h.mu.Lock()
	u, ok := h.users[body.Email]
	h.mu.Unlock()
	if !ok || u.password != body.Password {
		errCredentials.Write(w)
		return
	}
	if err := h.engine.BeginLogin(r.Context(), u.email, mfa.WithTrustedDevice(body.DeviceToken)); err != nil {
		h.api.Challenge(w, r, err)
		return
	}
	reply(w, h.begin(w, mfahttp.User{ID: u.email, ProvedAt: map[string]time.Time{}}))
}

func (h *host) renew(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"refresh_token"`
	}
	json.NewDecoder(r.Body).Decode(&body)
	h.mu.Lock()
	s, ok := h.refresh[body.Token]
	delete(h.refresh, body.Token)
	if ok {
		delete(h.sessions, s.access)
	}
	h.mu.Unlock()
	if !ok {
		mfahttp.WriteError(w, mfa.ErrInvalidToken)
		return
	}
	reply(w, h.begin(w, s.user))
}

func (h *host) logout(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	delete(h.sessions, access(r))
	h.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", MaxAge: -1})
	reply(w, struct{}{})
}

func (h *host) project(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+apiKey {
		mfahttp.WriteError(w, mfahttp.ErrNoSession)
		return
	}
	var body struct {
		Required bool `json:"mfa_required"`
	}
	json.NewDecoder(r.Body).Decode(&body)
	h.required.Store(body.Required)
	reply(w, map[string]any{"id": r.PathValue("id"), "mfa_required": body.Required})
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(body)
}

// access returns the access token of a request: a bearer token, or the cookie's.
func access(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	if c, err := r.Cookie(cookie); err == nil {
		return c.Value
	}
	return ""
}

// User implements mfahttp.Session.
func (h *host) User(r *http.Request) (mfahttp.User, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.sessions[access(r)]
	if !ok {
		return mfahttp.User{}, mfahttp.ErrNoSession
	}
	return s.user, nil
}

// Account implements mfahttp.Session.
func (h *host) Account(_ context.Context, userID string) (string, error) { return userID, nil }

// Complete implements mfahttp.Session.
func (h *host) Complete(w http.ResponseWriter, _ *http.Request, login *mfa.Login, _ *mfa.TrustedDevice) (any, error) {
	return h.begin(w, mfahttp.User{ID: login.UserID, Proof: login.Proof, ProvedAt: map[string]time.Time{login.Action: login.Time}}), nil
}

// begin starts a session and returns its tokens.
func (h *host) begin(w http.ResponseWriter, u mfahttp.User) map[string]any {
	s := &session{user: u, access: "at_" + rand.Text()}
	refresh := "rt_" + rand.Text()
	h.mu.Lock()
	h.sessions[s.access], h.refresh[refresh] = s, s
	h.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: s.access, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return map[string]any{"access_token": s.access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 900}
}

// Proved implements mfahttp.Session.
func (h *host) Proved(_ http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.sessions[access(r)]
	if !ok {
		return errors.New("the session has ended")
	}
	if login.Proof != "" {
		s.user.Proof = login.Proof
	}
	s.user.ProvedAt = maps.Clone(s.user.ProvedAt)
	s.user.ProvedAt[login.Action] = login.Time
	return nil
}

func (h *host) addUser(_ http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users[r.FormValue("email")] = &user{email: r.FormValue("email"), password: r.FormValue("password")}
}

// messages answers with the code last sent to a phone.
func (h *host) messages(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte(h.outbox.Code(r.FormValue("phone"))))
}

// transfer stands for a route of the host's that wants a fresh second factor.
func (h *host) transfer(w http.ResponseWriter, _ *http.Request) { reply(w, struct{}{}) }

// forward moves the clock, so that a proof or a code expires while a test waits
// for nothing.
func (h *host) forward(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("by"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.ahead.Add(int64(d))
}
