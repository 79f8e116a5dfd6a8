package mfahttp_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
	"github.com/protekt/mfa/mfatest"
)

// sessions are those that the host has already: here access tokens in a map.
type sessions map[string]mfahttp.User

func (s sessions) User(r *http.Request) (mfahttp.User, error) {
	user, ok := s[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !ok {
		return mfahttp.User{}, mfahttp.ErrNoSession
	}
	return user, nil
}

func (s sessions) Account(_ context.Context, userID string) (string, error) {
	return userID + "@example.com", nil
}

func (s sessions) Complete(_ http.ResponseWriter, _ *http.Request, login *mfa.Login, _ *mfa.TrustedDevice) (any, error) {
	token := rand.Text()
	s[token] = mfahttp.User{ID: login.UserID, Proof: login.Proof, ProvedAt: map[string]time.Time{login.Action: login.Time}}
	return map[string]string{"access_token": token}, nil
}

func (s sessions) Proved(_ http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	user, err := s.User(r)
	if err != nil {
		return err
	}
	if login.Proof != "" {
		user.Proof = login.Proof
	}
	user.ProvedAt[login.Action] = login.Time
	s[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] = user
	return nil
}

// A host beside whose sessions stand ten lines has all the endpoints.
func Example() {
	key := make([]byte, 32)
	rand.Read(key)
	engine, err := mfa.New(mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{key}})
	if err != nil {
		panic(err)
	}
	own := sessions{}

	handler, err := mfahttp.New(mfahttp.Config{Engine: engine, Session: own})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/mfa/", handler)
	mux.Handle("/mfa/", handler)
	mux.HandleFunc("POST /auth/login", func(w http.ResponseWriter, r *http.Request) {
		const user = "ada" // whose password was right
		if err := engine.BeginLogin(r.Context(), user); err != nil {
			handler.Challenge(w, r, err)
			return
		}
		tokens, _ := own.Complete(w, r, &mfa.Login{UserID: user}, nil)
		json.NewEncoder(w).Encode(tokens)
	})

	// What a client does.
	client := func(path, token, body string) map[string]any {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		var answer map[string]any
		json.Unmarshal(w.Body.Bytes(), &answer)
		return answer
	}
	token := client("/auth/login", "", `{}`)["access_token"].(string)
	enrollment := client("/mfa/enroll", token, `{"method":"totp"}`)
	app, _ := mfatest.NewAuthenticator(enrollment["totp_uri"].(string))
	fmt.Println(client("/mfa/verify", token, `{"code":"`+app.Code(time.Now())+`"}`)["method"])
	challenge := client("/auth/login", "", `{}`)
	fmt.Println(challenge["mfa_required"], challenge["available_methods"])
	code := app.Code(time.Now().Add(30 * time.Second)) // the next one: each works once
	tokens := client("/auth/mfa/verify", "", `{"mfa_token":"`+challenge["mfa_token"].(string)+`","code":"`+code+`"}`)
	fmt.Println(tokens["access_token"] != nil)
	// Output:
	// totp
	// true [totp]
	// true
}
