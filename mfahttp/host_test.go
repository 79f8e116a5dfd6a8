package mfahttp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfahttp"
)

// A host has users without passwords and bearer tokens without end.
type host struct {
	*world.World
	handler *mfahttp.Handler
	mux     *http.ServeMux
	faults  []error // that OnError got

	mu       sync.Mutex
	sessions map[string]mfahttp.User
	kept     string // the token that the only session keeps
	began    string // the token with which the last login to complete began
	broken   error  // what every call of the session returns
}

func newHost(t *testing.T, adjust func(*mfahttp.Config), engine ...func(*mfa.Config)) *host {
	t.Helper()
	h := &host{World: world.New(t, append(engine, world.WithPasskeys)...), sessions: make(map[string]mfahttp.User)}
	config := mfahttp.Config{
		Engine:  h.Engine,
		Session: h,
		Origins: []string{"https://app.example.com"},
		OnError: func(_ *http.Request, err error) { h.faults = append(h.faults, err) },
		Now:     h.Clock.Now,
	}
	if adjust != nil {
		adjust(&config)
	}
	var err error
	if h.handler, err = mfahttp.New(config); err != nil {
		t.Fatal(err)
	}
	h.mux = http.NewServeMux()
	h.mux.Handle("/", h.handler)
	h.mux.HandleFunc("POST /auth/login", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ User, Device string }
		json.NewDecoder(r.Body).Decode(&body)
		if err := h.Engine.BeginLogin(r.Context(), body.User, mfa.WithTrustedDevice(body.Device)); err != nil {
			h.handler.Challenge(w, r, err)
			return
		}
		tokens, _ := h.Complete(w, r, &mfa.Login{UserID: body.User}, nil)
		json.NewEncoder(w).Encode(tokens)
	})
	return h
}

func (h *host) User(r *http.Request) (mfahttp.User, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return mfahttp.User{}, h.broken
	}
	user, ok := h.sessions[r.Header.Get("Authorization")]
	if !ok {
		return mfahttp.User{}, mfahttp.ErrNoSession
	}
	return user, nil
}

func (h *host) Account(_ context.Context, userID string) (string, error) {
	return userID + "@example.com", h.broken
}

func (h *host) Complete(_ http.ResponseWriter, r *http.Request, login *mfa.Login, _ *mfa.TrustedDevice) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if login.Proof != "" { // not the host's own login, without MFA
		h.stands(r)
	}
	token := "at_" + rand.Text()
	h.sessions["Bearer "+token] = mfahttp.User{ID: login.UserID, Proof: login.Proof, ProvedAt: map[string]time.Time{login.Action: login.Time}}
	h.kept, h.began = "", mfahttp.LoginToken(r)
	return map[string]string{"access_token": token}, h.broken
}

// stands fails unless the request of what follows a change cannot be cancelled.
func (h *host) stands(r *http.Request) {
	if r.Context().Done() != nil {
		h.T.Errorf("%s: a client that goes away stops what follows the change", r.URL.Path)
	}
}

func (h *host) Proved(_ http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stands(r)
	user := h.sessions[r.Header.Get("Authorization")]
	if login.Proof != "" {
		user.Proof = login.Proof
	}
	user.ProvedAt[login.Action] = login.Time
	h.sessions[r.Header.Get("Authorization")] = user
	return h.broken
}

func (h *host) Token(*http.Request) (string, error) { return h.kept, h.broken }

func (h *host) KeepToken(_ http.ResponseWriter, _ *http.Request, token string) error {
	h.kept = token
	return h.broken
}

// An answer is a response as clients see it.
type answer struct {
	*httptest.ResponseRecorder
	body map[string]any
}

// call sends a body, if there is one, as a client with this access token.
func (h *host) call(method, path, token string, body any, headers ...string) answer {
	h.T.Helper()
	var payload []byte
	switch body := body.(type) {
	case nil:
	case string:
		payload = []byte(body)
	default:
		var err error
		if payload, err = json.Marshal(body); err != nil {
			h.T.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, "https://example.com"+path, bytes.NewReader(payload))
	if payload != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	ctx, cancel := context.WithCancel(h.Ctx)
	defer cancel()
	r = r.WithContext(ctx)
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	h.mux.ServeHTTP(a, r)
	json.Unmarshal(a.Body.Bytes(), &a.body)
	return a
}

func (h *host) post(path, token string, body any) answer {
	h.T.Helper()
	if body == nil {
		body = "{}"
	}
	return h.call("POST", path, token, body)
}

// ok fails unless the response is a success, and returns its body.
func (h *host) ok(a answer) map[string]any {
	h.T.Helper()
	if a.Code != http.StatusOK {
		h.T.Fatalf("%d %s", a.Code, a.Body)
	}
	if a.Header().Get("Cache-Control") != "no-store" && a.body["access_token"] == nil {
		h.T.Errorf("Cache-Control %q", a.Header().Get("Cache-Control"))
	}
	return a.body
}

// refused fails unless the response is this error, and returns what is in it.
func (h *host) refused(a answer, status int, code string) map[string]any {
	h.T.Helper()
	problem, _ := a.body["error"].(map[string]any)
	if a.Code != status || problem["code"] != code || problem["message"] == "" || a.Header().Get("Cache-Control") != "no-store" {
		h.T.Fatalf("%d %s, want %d %s", a.Code, a.Body, status, code)
	}
	return problem
}

// login logs a user in with a code and returns the access token.
func (h *host) login(user, code string) string {
	h.T.Helper()
	begun := h.ok(h.post("/auth/login", "", map[string]string{"User": user}))
	if token, ok := begun["access_token"].(string); ok {
		return token
	}
	return h.ok(h.post("/auth/mfa/verify", "", map[string]any{"mfa_token": begun["mfa_token"], "code": code}))["access_token"].(string)
}

var errBroken = errors.New("the host's table of sessions is locked, and here is a secret")
