package routers

import (
	"encoding/json"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// Fiber serves account, which only a complete login reaches, on fiber. What
// writes with package mfahttp goes through fiber's adaptor for net/http.
func Fiber(engine *mfa.Engine, sessions *Sessions, account http.Handler) (*fiber.App, error) {
	handler, err := mfahttp.New(mfahttp.Config{Engine: engine, Session: sessions})
	if err != nil {
		return nil, err
	}
	app := fiber.New()
	app.All("/auth/mfa/*", adaptor.HTTPHandler(handler))
	app.All("/mfa/*", adaptor.HTTPHandler(handler))
	app.Get("/account", adaptor.HTTPHandler(handler.RequireMFA(account)))
	app.Post("/auth/login", adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		userID, err := Password(r)
		if err == nil {
			err = engine.BeginLogin(r.Context(), userID)
		}
		if err != nil {
			handler.Challenge(w, r, err) // the second step, or what is wrong
			return
		}
		json.NewEncoder(w).Encode(sessions.Begin(mfahttp.User{ID: userID}))
	}))
	return app, nil
}
