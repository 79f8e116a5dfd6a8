package openapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfahttp"
)

// A host has users without passwords, and access tokens that never expire, each of
// which is also the refresh token.
type host struct {
	*world.World
	t        *testing.T
	document *document
	handler  *mfahttp.Handler
	mux      *http.ServeMux
	sessions map[string]mfahttp.User // by the Authorization header
	broken   error                   // if non-nil, returned instead of a session
	store    *store
	sender   world.SenderFunc
	required bool
}

// A store fails with the errors that a test sets.
type store struct {
	mfa.Store
	load, save error
}

func (s *store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	if s.load != nil {
		return mfa.Record{}, s.load
	}
	return s.Store.Load(ctx, userID)
}

func (s *store) Save(ctx context.Context, record mfa.Record) error {
	if s.save != nil {
		return s.save
	}
	return s.Store.Save(ctx, record)
}

var errBroken = errors.New("the host's disk is full")

func newHost(t *testing.T, d *document, adjust ...func(*mfa.Config)) *host {
	t.Helper()
	h := &host{t: t, document: d, sessions: make(map[string]mfahttp.User), store: &store{Store: mfa.NewMemoryStore()}, mux: http.NewServeMux()}
	options := append([]func(*mfa.Config){world.WithPasskeys, world.RequiredWhen(&h.required), func(c *mfa.Config) {
		outbox := c.SMS
		c.Store = h.store
		c.SMS = world.SenderFunc(func(ctx context.Context, message mfa.SMS) error {
			if h.sender != nil {
				return h.sender(ctx, message)
			}
			return outbox.SendSMS(ctx, message)
		})
	}}, adjust...)
	h.World = world.New(t, options...)
	var err error
	if h.handler, err = mfahttp.New(mfahttp.Config{Engine: h.Engine, Session: h, Now: h.Clock.Now}); err != nil {
		t.Fatal(err)
	}
	h.mux.Handle("/", h.handler)
	h.own("POST /auth/login", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var body struct{ Email string }
		json.NewDecoder(r.Body).Decode(&body)
		user, _, _ := strings.Cut(body.Email, "@")
		if err := h.BeginLogin(r.Context(), user); err != nil {
			h.handler.Challenge(w, r, err)
			return nil, nil
		}
		return h.Complete(w, r, &mfa.Login{UserID: user}, nil)
	})
	h.own("POST /auth/refresh", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var body struct {
			RefreshToken string `json:"refresh_token"`
		}
		json.NewDecoder(r.Body).Decode(&body)
		user, ok := h.sessions["Bearer "+body.RefreshToken]
		if !ok {
			return nil, mfahttp.ErrNoSession
		}
		return h.Complete(w, r, &mfa.Login{UserID: user.ID}, nil)
	})
	h.own("POST /auth/logout", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		_, err := h.User(r)
		delete(h.sessions, r.Header.Get("Authorization"))
		return struct{}{}, err
	})
	h.own("PATCH /projects/{id}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		if r.Header.Get("Authorization") != "Bearer key" {
			return nil, mfahttp.ErrNoSession
		}
		var body struct {
			Required bool `json:"mfa_required"`
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		h.required = body.Required
		return map[string]any{"id": r.PathValue("id"), "mfa_required": h.required}, err
	})
	return h
}

// own serves one of the host's own endpoints. If serve returns a nil body, it has
// written the response itself.
func (h *host) own(pattern string, serve func(http.ResponseWriter, *http.Request) (any, error)) {
	h.mux.Handle(pattern, h.handler.CrossOrigin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := serve(w, r)
		switch {
		case err != nil:
			mfahttp.WriteError(w, err)
		case body != nil:
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(body)
		}
	})))
}

func (h *host) User(r *http.Request) (mfahttp.User, error) {
	user, ok := h.sessions[r.Header.Get("Authorization")]
	switch {
	case h.broken != nil:
		return mfahttp.User{}, h.broken
	case !ok:
		return mfahttp.User{}, mfahttp.ErrNoSession
	}
	return user, nil
}

func (h *host) Account(context.Context, string) (string, error) {
	return "ada@example.com", nil
}

func (h *host) Complete(_ http.ResponseWriter, _ *http.Request, login *mfa.Login, _ *mfa.TrustedDevice) (any, error) {
	token := "at_" + rand.Text()
	h.sessions["Bearer "+token] = mfahttp.User{ID: login.UserID, Proof: login.Proof, ProvedAt: map[string]time.Time{login.Action: login.Time}}
	return map[string]any{"access_token": token, "refresh_token": token, "token_type": "Bearer", "expires_in": 900}, nil
}

func (h *host) Proved(_ http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	user := h.sessions[r.Header.Get("Authorization")]
	if login.Proof != "" {
		user.Proof = login.Proof
	}
	user.ProvedAt[login.Action] = login.Time
	h.sessions[r.Header.Get("Authorization")] = user
	return nil
}

// An answer is the body of a response, decoded.
type answer map[string]any

// send sends a request, has the exchange checked, and returns the response's body
// and the code of its error.
func (h *host) send(method, path, token, body string, headers ...string) (answer, string) {
	h.t.Helper()
	request := func() *http.Request {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r
	}
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, request())
	a := make(answer)
	json.Unmarshal(w.Body.Bytes(), &a)
	h.document.check(h.t, request(), body, w.Result())
	problem, _ := a["error"].(map[string]any)
	code, _ := problem["code"].(string)
	if problem != nil {
		a = problem
	}
	return a, code
}

func (h *host) post(path, token string, body any) (answer, string) {
	h.t.Helper()
	if body == nil {
		return h.send("POST", path, token, "")
	}
	return h.send("POST", path, token, world.JSON(h.t, body))
}

// ok posts a request that must succeed.
func (h *host) ok(path, token string, body any) answer {
	h.t.Helper()
	a, code := h.post(path, token, body)
	if code != "" {
		h.t.Fatalf("%s: %v", path, a)
	}
	return a
}

// refused posts a request that must be refused with the error code want.
func (h *host) refused(want, path, token string, body any) answer {
	h.t.Helper()
	a, code := h.post(path, token, body)
	if code != want {
		h.t.Fatalf("%s: %v, want %s", path, a, want)
	}
	return a
}

// fields are the fields of a request's body.
type fields map[string]any

// begin begins a login and returns the token of its challenge.
func (h *host) begin(user string) string {
	h.t.Helper()
	token, _ := h.ok("/auth/login", "", fields{"email": user + "@example.com", "password": "x"})["mfa_token"].(string)
	return token
}

// login returns the access token of a user without a factor.
func (h *host) login(user string) string {
	h.t.Helper()
	return h.ok("/auth/login", "", fields{"email": user + "@example.com", "password": "x"})["access_token"].(string)
}

// answerWith completes a login with a code and returns the access token.
func (h *host) answerWith(user, code string) string {
	h.t.Helper()
	return h.ok("/auth/mfa/verify", "", fields{"mfa_token": h.begin(user), "code": code})["access_token"].(string)
}
