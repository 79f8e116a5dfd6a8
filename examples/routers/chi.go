package routers

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// Chi serves account, which only a complete login reaches, on chi.
func Chi(engine *mfa.Engine, sessions *Sessions, account http.Handler) (http.Handler, error) {
	handler, err := mfahttp.New(mfahttp.Config{Engine: engine, Session: sessions})
	if err != nil {
		return nil, err
	}
	router := chi.NewRouter()
	router.Handle("/auth/mfa/*", handler)
	router.Handle("/mfa/*", handler)
	router.With(handler.RequireMFA).Get("/account", account.ServeHTTP)
	router.Post("/auth/login", func(w http.ResponseWriter, r *http.Request) {
		userID, err := Password(r)
		if err == nil {
			err = engine.BeginLogin(r.Context(), userID)
		}
		if err != nil {
			handler.Challenge(w, r, err) // the second step, or what is wrong
			return
		}
		json.NewEncoder(w).Encode(sessions.Begin(mfahttp.User{ID: userID}))
	})
	return router, nil
}
