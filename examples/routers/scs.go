package routers

import (
	"encoding/json"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// SCS serves account, which only a complete login reaches, on net/http with scs.
func SCS(engine *mfa.Engine, sessions *scs.SessionManager, account http.Handler) (http.Handler, error) {
	own := cookieSession{sessions}
	handler, err := mfahttp.New(mfahttp.Config{Engine: engine, Session: own, Tokens: own})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/mfa/", handler)
	mux.Handle("/mfa/", handler)
	mux.Handle("GET /account", handler.RequireMFA(account))
	mux.Handle("POST /auth/login", handler.CrossOrigin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		userID, err := Password(r)
		if err == nil {
			err = engine.BeginLogin(r.Context(), userID, mfa.WithTrustedDevice(deviceOf(r)))
		}
		if err == nil {
			_, err = own.Complete(w, r, &mfa.Login{UserID: userID}, nil)
		}
		if err != nil {
			handler.Challenge(w, r, err) // the second step, or what is wrong
			return
		}
		json.NewEncoder(w).Encode(struct{}{})
	})))
	return sessions.LoadAndSave(mux), nil
}
