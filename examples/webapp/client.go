package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strings"
)

// A client is a caller of the API.
type client struct {
	grant
	User user
}

// client returns the client whose access token the request bears, or errUnsigned.
func (s *server) client(r *http.Request) (client, error) {
	g, err := s.grants.open(r.Context(), bearer(r))
	if err != nil {
		return client{}, err
	}
	u, err := s.userOf(r.Context(), g)
	return client{g, u}, err
}

// userOf returns a grant's user, or errUnsigned if the grant is over.
func (s *server) userOf(ctx context.Context, g grant) (user, error) {
	u, err := s.users.byID(ctx, g.UserID)
	if errors.Is(err, sql.ErrNoRows) || err == nil && u.Generation != g.Generation {
		return user{}, errUnsigned
	}
	return u, err
}

// enroller returns a client that may enroll: one that is signed in, or one that
// must enroll first, which has no grant yet.
func (s *server) enroller(r *http.Request) (client, error) {
	token := bearer(r)
	if !strings.HasPrefix(token, "mfa_enr_") {
		return s.client(r)
	}
	g, err := s.grants.pended(r.Context(), token)
	if err != nil {
		return client{}, err
	}
	if g.UserID, err = s.engine.EnrollmentUser(r.Context(), token); err != nil {
		return client{}, err
	}
	u, err := s.userOf(r.Context(), g)
	return client{g, u}, err
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
