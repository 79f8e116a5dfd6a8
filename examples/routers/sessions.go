package routers

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// Sessions stand for those that a host has already: access tokens, here in memory
// and without end. Users log in with their name as password.
type Sessions struct {
	mu    sync.Mutex
	users map[string]mfahttp.User
}

// NewSessions returns none.
func NewSessions() *Sessions { return &Sessions{users: make(map[string]mfahttp.User)} }

// Password returns the user whose name and password are in the body, or
// mfahttp.ErrNoSession.
func Password(r *http.Request) (userID string, err error) {
	var body struct{ Name, Password string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Name == "" || body.Name != body.Password {
		return "", mfahttp.ErrNoSession
	}
	return body.Name, nil
}

// Tokens are what a client receives.
type Tokens struct {
	Access string `json:"access_token"`
}

// Begin begins a session.
func (s *Sessions) Begin(user mfahttp.User) Tokens {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := rand.Text()
	s.users[token] = user
	return Tokens{token}
}

func token(r *http.Request) string {
	return mfahttp.BearerToken(r)
}

// User implements [mfahttp.Session].
func (s *Sessions) User(r *http.Request) (mfahttp.User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, ok := s.users[token(r)]
	if !ok {
		return mfahttp.User{}, mfahttp.ErrNoSession
	}
	return user, nil
}

// Account implements [mfahttp.Session].
func (s *Sessions) Account(_ context.Context, userID string) (string, error) {
	return userID + "@example.com", nil
}

// Complete implements [mfahttp.Session].
func (s *Sessions) Complete(_ http.ResponseWriter, _ *http.Request, login *mfa.Login, _ *mfa.TrustedDevice) (any, error) {
	return s.Begin(proved(mfahttp.User{ID: login.UserID}, login)), nil
}

// Proved implements [mfahttp.Session].
func (s *Sessions) Proved(_ http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, ok := s.users[token(r)]
	if !ok {
		return mfahttp.ErrNoSession
	}
	s.users[token(r)] = proved(user, login)
	return nil
}

// proved returns the user with what a login proved.
func proved(user mfahttp.User, login *mfa.Login) mfahttp.User {
	if login.Proof != "" {
		user.Proof = login.Proof
	}
	user.ProvedAt = maps.Clone(user.ProvedAt)
	if user.ProvedAt == nil {
		user.ProvedAt = make(map[string]time.Time)
	}
	user.ProvedAt[login.Action] = login.Time
	return user
}
