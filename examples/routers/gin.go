package routers

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// Gin serves account, which only a complete login reaches, on gin.
func Gin(engine *mfa.Engine, sessions *Sessions, account http.Handler) (http.Handler, error) {
	handler, err := mfahttp.New(mfahttp.Config{Engine: engine, Session: sessions})
	if err != nil {
		return nil, err
	}
	router := gin.New()
	router.Any("/auth/mfa/*path", gin.WrapH(handler))
	router.Any("/mfa/*path", gin.WrapH(handler))
	router.GET("/account", gin.WrapH(handler.RequireMFA(account)))
	router.POST("/auth/login", func(c *gin.Context) {
		userID, err := Password(c.Request)
		if err == nil {
			err = engine.BeginLogin(c.Request.Context(), userID)
		}
		if err != nil {
			handler.Challenge(c.Writer, c.Request, err) // the second step, or what is wrong
			return
		}
		c.JSON(http.StatusOK, sessions.Begin(mfahttp.User{ID: userID}))
	})
	return router, nil
}
