package routers

import (
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// Echo serves account, which only a complete login reaches, on echo.
func Echo(engine *mfa.Engine, sessions *Sessions, account http.Handler) (http.Handler, error) {
	handler, err := mfahttp.New(mfahttp.Config{Engine: engine, Session: sessions})
	if err != nil {
		return nil, err
	}
	router := echo.New()
	router.Any("/auth/mfa/*", echo.WrapHandler(handler))
	router.Any("/mfa/*", echo.WrapHandler(handler))
	router.GET("/account", echo.WrapHandler(handler.RequireMFA(account)))
	router.POST("/auth/login", func(c *echo.Context) error {
		userID, err := Password(c.Request())
		if err == nil {
			err = engine.BeginLogin(c.Request().Context(), userID)
		}
		if err != nil {
			handler.Challenge(c.Response(), c.Request(), err) // the second step, or what is wrong
			return nil
		}
		return c.JSON(http.StatusOK, sessions.Begin(mfahttp.User{ID: userID}))
	})
	return router, nil
}
