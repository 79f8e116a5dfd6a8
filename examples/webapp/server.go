package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/sqlstore"
)

// issuer is the name shown in authenticator apps, in messages and on the pages.
const issuer = "Protekt"

// A config configures a server. Only DB and Key are required.
type config struct {
	DB     *sql.DB
	Key    []byte           // 32 bytes
	SMS    mfa.SMSSender    // if nil, messages arrive on the page /phone
	Now    func() time.Time // if nil, time.Now
	Secure bool             // whether browsers may send cookies over TLS only
	Log    *slog.Logger     // if nil, nothing is logged

	// Origin is where browsers reach the application, such as
	// "https://www.example.com". Passkeys belong to it; "" offers none.
	Origin string

	ProjectKey string // lets other servers change the project; "" lets nobody

	App string // the folder of the built React application, if it is built

	BackupCodes mfa.BackupCodeConfig
}

// A server serves the application.
type server struct {
	engine   *mfa.Engine
	store    *sqlstore.Store
	users    *users
	settings *settings
	grants   *grants
	phone    *phone
	limits   limits
	sealer   *sealer
	sessions *scs.SessionManager
	pages    pages
	now      func() time.Time
	secure   bool
	origin   string
	log      *slog.Logger
	app      fs.FS
	forms    map[string]pageFunc // the handlers of forms, by path
	handler  http.Handler
}

func newServer(ctx context.Context, c config) (*server, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	sealer, err := newSealer(c.Key)
	if err != nil {
		return nil, err
	}
	s := &server{
		users:    &users{db: c.DB, now: c.Now, passwords: newPasswordHasher()},
		settings: &settings{c.DB},
		grants:   &grants{db: c.DB, now: c.Now, sealer: sealer},
		phone:    newPhone(c.Now),
		limits:   newLimits(c.Now),
		sealer:   sealer,
		sessions: newSessions(c.DB, sealer, c.Secure),
		now:      c.Now,
		secure:   c.Secure,
		origin:   c.Origin,
		log:      c.Log,
		app:      os.DirFS(c.App),
	}
	s.sessions.ErrorFunc = s.sessionFault
	if c.SMS == nil {
		c.SMS = s.phone
	}
	if s.store, err = sqlstore.New(ctx, c.DB, sqlstore.SQLite, sqlstore.Options{}); err != nil {
		return nil, err
	}
	numbers, err := sqlstore.New(ctx, c.DB, sqlstore.SQLite, sqlstore.Options{Table: numbersTable})
	if err != nil {
		return nil, err
	}
	var passkeys mfa.PasskeyVerifier
	if c.Origin != "" {
		if passkeys, err = newPasskeys(c.Origin); err != nil {
			return nil, err
		}
	}
	if s.engine, err = mfa.New(mfa.Config{
		Issuer:      issuer,
		Store:       s.store,
		Keys:        [][]byte{c.Key},
		SMS:         c.SMS,
		SMSCodes:    mfa.SMSConfig{Numbers: numbers},
		Passkeys:    passkeys,
		Required:    s.settings.mfaRequired,
		OnEvent:     s.onEvent,
		Now:         c.Now,
		BackupCodes: c.BackupCodes,
	}); err != nil {
		return nil, err
	}
	if s.pages, err = parsePages(); err != nil {
		return nil, err
	}
	api, err := newAPI(s, c.ProjectKey)
	if err != nil {
		return nil, err
	}
	s.handler = s.routes(api)
	return s, nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes lists, for each page, the states that may reach it.
func (s *server) routes(api *api) http.Handler {
	mux := http.NewServeMux()
	s.forms = make(map[string]pageFunc)
	page := func(pattern string, handle pageFunc, states ...state) {
		mux.Handle(pattern, s.sessions.LoadAndSave(s.gate(handle, states)))
		if path, ok := strings.CutPrefix(pattern, "POST "); ok {
			s.forms[path] = handle
		}
	}
	all := []state{anonymous, passwordOnly, enrolling, signedIn}

	page("GET /{$}", s.home, all...)
	page("POST /logout", s.logOut, all...)

	page("GET /signup", s.signUpPage, anonymous)
	page("POST /signup", s.signUp, anonymous)
	page("GET /login", s.loginPage, anonymous)
	page("POST /login", s.logIn, all...)
	page("GET /forgot", s.forgotPage, anonymous)
	page("POST /forgot", s.forgot, anonymous)
	page("GET /reset", s.resetPage, all...)
	page("POST /reset", s.reset, all...)

	page("GET /login/mfa", s.loginPrompt, passwordOnly)
	page("POST /login/mfa", s.answerLogin, passwordOnly)
	page("POST /login/mfa/send", s.sendLoginCode, passwordOnly)

	page("GET /enroll", s.enrollPage, enrolling, signedIn)
	page("GET /enroll/totp", s.totpPage, enrolling, signedIn)
	page("POST /enroll/totp", s.afterPassword(s.beginTOTP), enrolling, signedIn)
	page("POST /enroll/totp/verify", s.verifyTOTP, enrolling, signedIn)
	page("GET /enroll/passkey", s.passkeyPage, enrolling, signedIn)
	page("POST /enroll/passkey", s.afterPassword(s.beginPasskey), enrolling, signedIn)
	page("POST /enroll/passkey/verify", s.verifyPasskey, enrolling, signedIn)
	page("GET /enroll/sms", s.smsPage, enrolling, signedIn)
	page("POST /enroll/sms", s.afterPassword(s.beginSMS), enrolling, signedIn)
	page("POST /enroll/sms/verify", s.verifySMS, enrolling, signedIn)

	page("GET /dashboard", s.dashboard, signedIn)
	page("GET /security", s.securityPage, signedIn)
	page("POST /security/remove", s.removeFactor, signedIn)
	page("POST /security/revoke", s.revokeOwn, signedIn)
	page("POST /security/rename", s.renameFactor, signedIn)
	page("POST /security/forget-device", s.forgetDevice, signedIn)
	page("POST /security/forget-devices", s.forgetDevices, signedIn)
	page("POST /security/password", s.changePassword, signedIn)
	page("POST /security/delete", s.deleteAccount, signedIn)
	page("GET /enroll/password", s.passwordPage, signedIn)
	page("POST /enroll/password", s.answerPassword, signedIn)
	page("GET /confirm", s.confirmPrompt, signedIn)
	page("POST /confirm", s.answerConfirm, signedIn)
	page("POST /confirm/send", s.sendConfirmCode, signedIn)
	page("GET /backup-codes", s.backupCodesPage, signedIn)
	page("POST /backup-codes", s.generateBackupCodes, signedIn)
	page("GET /backup-codes/download", s.downloadBackupCodes, signedIn)
	page("POST /backup-codes/saved", s.savedBackupCodes, signedIn)

	page("GET /project", s.admin(s.projectPage), signedIn)
	page("POST /project/mfa-required", s.admin(s.proved(s.setRequired)), signedIn)
	page("POST /project/reset", s.admin(s.proved(s.resetUser)), signedIn)
	page("POST /project/revoke", s.admin(s.proved(s.revokeFactor)), signedIn)
	page("POST /project/unlock", s.admin(s.proved(s.unlockUser)), signedIn)

	mux.HandleFunc("GET /phone", s.phonePage)
	mux.HandleFunc("GET /docs", s.docs)
	mux.HandleFunc("GET /app/{file...}", s.appFile)
	mux.HandleFunc("GET /static/{file...}", s.staticFile)
	mux.Handle("/", s.sessions.LoadAndSave(s.gate(s.elsewhere(mux), all)))

	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(s.crossOrigin))
	site := http.NewServeMux()
	site.Handle("/", csrf.Handler(mux))
	api.routes(site)
	return s.protect(site)
}

// maxBody bounds a request's body, in bytes. A passkey's answer may be long.
const maxBody = 64 << 10

// policy lets a page load this site's styles, scripts and images, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// protect wraps every route: it sets headers and bounds bodies.
func (s *server) protect(next http.Handler) http.Handler {
	next = http.MaxBytesHandler(next, maxBody)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // under no-referrer, forms would send the Origin "null"
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		if s.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// A visit is one request from a browser.
type visit struct {
	session
	User user // whose password was right; zero for an anonymous browser
}

type pageFunc func(w http.ResponseWriter, r *http.Request, v *visit)

// gate calls next for browsers in one of the states, and redirects the others to
// where they belong.
func (s *server) gate(next pageFunc, states []state) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		session, u, err := s.session(r.Context())
		if err != nil {
			s.fail(w, r, &visit{}, err)
			return
		}
		if err := r.ParseForm(); err != nil {
			s.fail(w, r, &visit{session, u}, errors.Join(errForm, err))
			return
		}
		if !slices.Contains(states, session.State) {
			http.Redirect(w, r, session.State.home(), http.StatusSeeOther)
			return
		}
		v := &visit{session, u}
		if s.holdsCodes(w, r, v) {
			return
		}
		next(w, r, v)
	})
}

// sessionFault handles errors of loading and storing sessions.
func (s *server) sessionFault(w http.ResponseWriter, r *http.Request, err error) {
	s.log.ErrorContext(r.Context(), "session", "error", err)
	if !errors.Is(err, errSessionOver) {
		http.Error(w, "Something went wrong on our side. Please try again.", http.StatusServiceUnavailable)
	}
}

// elsewhere handles requests that no route matches. A GET of a path that only a
// form posts to, as when somebody types it, is redirected to the form's page.
func (s *server) elsewhere(mux *http.ServeMux) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, v *visit) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			other := &http.Request{Method: method, Host: r.Host, URL: r.URL}
			if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method) {
				allowed = append(allowed, method)
			}
		}
		switch {
		case len(allowed) == 0:
			s.fail(w, r, v, errNoPage)
		case r.Method == http.MethodGet:
			http.Redirect(w, r, path.Dir(r.URL.Path), http.StatusSeeOther)
		default:
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.fail(w, r, v, errMethod)
		}
	}
}

// home shows the front page.
func (s *server) home(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.State != anonymous {
		http.Redirect(w, r, v.State.home(), http.StatusSeeOther)
		return
	}
	s.show(w, r, v, "home", http.StatusOK, nil)
}

// dashboard stands for the application behind the login.
func (s *server) dashboard(w http.ResponseWriter, r *http.Request, v *visit) {
	status, err := s.engine.Status(r.Context(), v.UserID)
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.show(w, r, v, "dashboard", http.StatusOK, status)
}

// seconds returns d in whole seconds, rounded up.
func seconds(d time.Duration) int { return max(0, int((d+time.Second-1)/time.Second)) }
