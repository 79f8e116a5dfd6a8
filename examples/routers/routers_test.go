package routers

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

var account = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"account":true}`) })

// TestRecipes: on each router a user logs in, enrolls and logs in with the app.
func TestRecipes(t *testing.T) {
	gin.SetMode(gin.TestMode)
	recipes := map[string]func(*testing.T, *mfa.Engine) *client{
		"chi":  func(t *testing.T, e *mfa.Engine) *client { return serve(t, handlerOf(Chi(e, NewSessions(), account))) },
		"gin":  func(t *testing.T, e *mfa.Engine) *client { return serve(t, handlerOf(Gin(e, NewSessions(), account))) },
		"echo": func(t *testing.T, e *mfa.Engine) *client { return serve(t, handlerOf(Echo(e, NewSessions(), account))) },
		"scs":  func(t *testing.T, e *mfa.Engine) *client { return serve(t, handlerOf(SCS(e, cookies(), account))) },
		"fiber": func(t *testing.T, e *mfa.Engine) *client {
			app, err := Fiber(e, NewSessions(), account)
			if err != nil {
				t.Fatal(err)
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true})
			t.Cleanup(func() { app.Shutdown() })
			return &client{t: t, url: "http://" + listener.Addr().String(), http: &http.Client{}}
		},
	}
	for name, recipe := range recipes {
		t.Run(name, func(t *testing.T) { walk(t, recipe) })
	}
}

func walk(t *testing.T, recipe func(*testing.T, *mfa.Engine) *client) {
	clock := mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	engine, err := mfa.New(mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{bytes.Repeat([]byte("0\xff"), 16)}, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	c := recipe(t, engine)
	c.want(401, "GET", "/account", nil)
	c.want(401, "POST", "/auth/login", body{"name": "ada", "password": "wrong"})
	c.want(200, "POST", "/auth/login", body{"name": "ada", "password": "ada"})
	c.want(200, "GET", "/account", nil)
	c.want(200, "POST", "/mfa/enroll", body{"method": "totp"})
	app, err := mfatest.NewAuthenticator(c.last["totp_uri"].(string))
	if err != nil {
		t.Fatal(err)
	}
	c.want(200, "POST", "/mfa/verify", body{"code": app.Code(clock.Now())})
	second := body{"method": "totp", "keep_others": true}
	c.want(200, "POST", "/mfa/enroll", second) // with the proof
	c.want(405, "POST", "/mfa/status", nil)

	clock.Advance(time.Hour)
	c.want(403, "POST", "/mfa/enroll", second)
	c.want(200, "POST", "/mfa/step-up", body{"mfa_token": c.problem()["mfa_token"], "code": app.Code(clock.Now())})
	c.want(200, "POST", "/mfa/enroll", second)

	clock.Advance(time.Minute)
	c.forget()
	c.want(200, "POST", "/auth/login", body{"name": "ada", "password": "ada"})
	token := c.last["mfa_token"]
	if c.last["mfa_required"] != true {
		t.Errorf("%v", c.last)
	}
	c.want(401, "GET", "/account", nil)
	c.want(401, "POST", "/auth/mfa/verify", body{"mfa_token": token, "code": app.WrongCode(clock.Now())})
	c.want(200, "POST", "/auth/mfa/verify", body{"mfa_token": token, "code": app.Code(clock.Now()), "trust_device": true})
	c.want(200, "GET", "/account", nil)
	if c.want(200, "GET", "/mfa/status", nil); len(c.last["factors"].([]any)) != 1 {
		t.Errorf("%v", c.last)
	}
}

// TestACookieTrustsTheDevice: the next login on it has no second step.
func TestACookieTrustsTheDevice(t *testing.T) {
	clock := mfatest.NewClock(time.Now())
	engine, err := mfa.New(mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{bytes.Repeat([]byte("0\xff"), 16)}, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, handlerOf(SCS(engine, cookies(), account)))
	c.want(200, "POST", "/auth/login", body{"name": "ada", "password": "ada"})
	c.want(200, "POST", "/mfa/enroll", body{"method": "totp"})
	app, _ := mfatest.NewAuthenticator(c.last["totp_uri"].(string))
	c.want(200, "POST", "/mfa/verify", body{"code": app.Code(clock.Now())})
	clock.Advance(time.Minute)
	c.want(200, "POST", "/auth/login", body{"name": "ada", "password": "ada"})
	c.want(200, "POST", "/auth/mfa/verify", body{"code": app.Code(clock.Now()), "trust_device": true})
	if c.want(200, "POST", "/auth/login", body{"name": "ada", "password": "ada"}); c.last["mfa_required"] != nil {
		t.Errorf("%v", c.last)
	}
	c.want(200, "GET", "/account", nil)
}

// TestRecipesAreShort enough to be copied.
func TestRecipesAreShort(t *testing.T) {
	for _, name := range []string{"chi.go", "gin.go", "echo.go", "fiber.go", "scs.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(source, []byte("\n")); lines >= 40 {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
}

func cookies() *scs.SessionManager {
	sessions := scs.New()
	sessions.Cookie.Secure = true
	return sessions
}

// A client keeps cookies and the access token that it got last, and sends each
// challenge token only where it got one.
type client struct {
	t     *testing.T
	url   string
	http  *http.Client
	token string
	last  body // of a response
}

type body map[string]any

func handlerOf(handler http.Handler, err error) http.Handler {
	if err != nil {
		panic(err)
	}
	return handler
}

func serve(t *testing.T, handler http.Handler) *client {
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	c := &client{t: t, url: server.URL, http: server.Client()}
	c.http.Jar, _ = cookiejar.New(nil)
	return c
}

// forget forgets who is logged in.
func (c *client) forget() {
	c.token = ""
	if c.http.Jar != nil {
		c.http.Jar, _ = cookiejar.New(nil)
	}
}

func (c *client) problem() body {
	problem, _ := c.last["error"].(map[string]any)
	return problem
}

// want sends a request and fails unless it is answered with this status.
func (c *client) want(status int, method, path string, sent body) {
	c.t.Helper()
	var payload io.Reader
	if sent != nil {
		if sent["mfa_token"] == nil {
			delete(sent, "mfa_token")
		}
		data, err := json.Marshal(sent)
		if err != nil {
			c.t.Fatal(err)
		}
		payload = bytes.NewReader(data)
	}
	r, err := http.NewRequest(method, c.url+path, payload)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	c.last = nil
	json.NewDecoder(response.Body).Decode(&c.last)
	if response.StatusCode != status {
		c.t.Fatalf("%s %s: %d %v, want %d", method, path, response.StatusCode, c.last, status)
	}
	if path != "/account" && response.Header.Get("Cache-Control") == "" && c.last["access_token"] == nil {
		c.t.Errorf("%s %s may be cached", method, path)
	}
	if token, ok := c.last["access_token"].(string); ok {
		c.token = token
	}
}
