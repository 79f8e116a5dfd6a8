package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/protekt/mfa"
)

// apiRoutes registers the API for single-page and mobile clients. It uses no
// cookies: a client sends its access token, or while it must enroll the token of
// the mfa_enrollment_required answer, as Authorization: Bearer.
func (s *server) apiRoutes(mux *http.ServeMux) {
	route := func(pattern string, handle apiFunc) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(pattern, s.api(handle))
		mux.HandleFunc(path, s.api(func(w http.ResponseWriter, _ *http.Request) (any, error) {
			w.Header().Set("Allow", method)
			return nil, errMethod
		}))
	}
	unknown := s.api(func(http.ResponseWriter, *http.Request) (any, error) { return nil, errNoCall })
	mux.HandleFunc("/auth/", unknown)
	mux.HandleFunc("/mfa/", unknown)
	route("POST /auth/login", s.apiLogin)
	route("POST /auth/mfa/verify", s.apiVerifyLogin)
	route("POST /auth/mfa/send", s.apiSendCode)
	route("POST /auth/refresh", s.apiRefresh)
	route("POST /auth/logout", s.apiLogout)
	route("POST /mfa/enroll", s.apiEnroll)
	route("POST /mfa/verify", s.apiVerify)
	route("POST /mfa/backup-codes", s.apiBackupCodes)
	route("POST /mfa/unenroll", s.apiUnenroll)
	route("POST /mfa/step-up", s.apiStepUp)
	route("GET /mfa/status", s.apiStatus)
}

// An apiFunc returns the body of a successful response.
type apiFunc func(w http.ResponseWriter, r *http.Request) (any, error)

func (s *server) api(handle apiFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		body, err := handle(w, r)
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		s.writeJSON(w, r, http.StatusOK, body)
	}
}

// decode reads one JSON object, and nothing after it.
func decode[T any](r *http.Request) (body T, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return body, errNotJSON
	}
	decoder := json.NewDecoder(r.Body)
	object := &body // nil after a null
	if err = decoder.Decode(&object); err == nil && object != nil {
		if _, err = decoder.Token(); err == io.EOF {
			return body, nil
		}
	}
	return body, errors.Join(errJSON, err)
}

// apiLogin answers with tokens, or with what must come first: a challenge or an
// enrollment, whose errors marshal to the response's body.
func (s *server) apiLogin(_ http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		Device   string `json:"device_token"`
	}](r)
	if err != nil {
		return nil, err
	}
	u, err := s.signIn(r, body.Email, body.Password, body.Device)
	var challenge *mfa.ChallengeError
	var enrollment *mfa.EnrollmentError
	switch {
	case err == nil:
		return s.grants.begin(r.Context(), u.ID, u.Generation, "")
	case errors.As(err, &challenge):
		return challenge, s.grants.pend(r.Context(), challenge.Token, u.Generation)
	case errors.As(err, &enrollment):
		return enrollment, s.grants.pend(r.Context(), enrollment.Token, u.Generation)
	}
	return nil, err
}

// apiVerifyLogin completes a login with the answer to its challenge.
func (s *server) apiVerifyLogin(_ http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		Token string `json:"mfa_token"`
		Code  string `json:"code"`
		Trust bool   `json:"trust_device"`
	}](r)
	if err != nil {
		return nil, err
	}
	pending, err := s.grants.pended(r.Context(), body.Token)
	if err != nil {
		return nil, err
	}
	login, err := s.engine.VerifyLogin(r.Context(), body.Token, body.Code)
	if err != nil {
		return nil, err
	}
	granted, err := s.grants.begin(r.Context(), login.UserID, pending.Generation, login.Proof)
	if err != nil || !body.Trust {
		return granted, err
	}
	device, err := s.trust(r.Context(), login)
	if err != nil {
		return nil, err
	}
	granted.Device = device.Token
	return granted, nil
}

func (s *server) apiSendCode(_ http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		Token string `json:"mfa_token"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.engine.SendCode(r.Context(), body.Token)
}

func (s *server) apiRefresh(_ http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		Refresh string `json:"refresh_token"`
	}](r)
	if err != nil {
		return nil, err
	}
	fresh, g, err := s.grants.refresh(r.Context(), body.Refresh)
	if err != nil {
		return nil, err
	}
	if _, err := s.userOf(r.Context(), g); err != nil {
		return nil, errors.Join(err, s.grants.end(r.Context(), g.ID))
	}
	return fresh, nil
}

func (s *server) apiLogout(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.grants.end(r.Context(), client.ID)
}

func (s *server) apiEnroll(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.enroller(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		Method mfa.Method `json:"method"`
		Phone  string     `json:"phone"`
	}](r)
	if err != nil {
		return nil, err
	}
	var begun any
	switch body.Method {
	case mfa.MethodTOTP:
		begun, err = s.engine.EnrollTOTP(r.Context(), client.UserID, client.User.Email, mfa.WithProof(client.Proof))
	case mfa.MethodSMS:
		begun, err = s.engine.EnrollSMS(r.Context(), client.UserID, body.Phone, mfa.WithProof(client.Proof))
	default:
		err = mfa.ErrMethodUnavailable
	}
	if err != nil {
		return nil, err
	}
	return begun, s.grants.began(r.Context(), client.grant, bearer(r), body.Method)
}

// apiVerify confirms an enrollment: of the method given, or else of what this client
// began last. A client that had to enroll first is signed in then, and gets tokens.
func (s *server) apiVerify(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.enroller(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		Method mfa.Method `json:"method"`
		Code   string     `json:"code"`
	}](r)
	if err != nil {
		return nil, err
	}
	method := cmp.Or(body.Method, client.Begun)
	if method == "" {
		return nil, mfa.ErrNoPendingEnrollment
	}
	login, err := s.engine.VerifyEnrollment(r.Context(), client.UserID, method, body.Code)
	if err != nil {
		return nil, err
	}
	if client.Generation, err = s.users.endOthers(r.Context(), client.UserID, client.Generation); err != nil {
		return nil, err
	}
	if client.ID == "" {
		return s.grants.begin(r.Context(), client.UserID, client.Generation, login.Proof)
	}
	client.Proof = login.Proof
	return login, s.grants.keep(r.Context(), client.grant)
}

func (s *server) apiBackupCodes(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	codes, err := s.engine.GenerateBackupCodes(r.Context(), client.UserID, mfa.WithProof(client.Proof))
	if err != nil {
		return nil, err
	}
	return map[string][]string{"backup_codes": codes}, nil
}

func (s *server) apiUnenroll(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		Method mfa.Method `json:"method"`
	}](r)
	if err != nil {
		return nil, err
	}
	if err := s.engine.Unenroll(r.Context(), client.UserID, body.Method, mfa.WithProof(client.Proof)); err != nil {
		return nil, err
	}
	if client.Generation, err = s.users.endOthers(r.Context(), client.UserID, client.Generation); err != nil {
		return nil, err
	}
	if err := s.grants.keep(r.Context(), client.grant); err != nil {
		return nil, err
	}
	return s.engine.Status(r.Context(), client.UserID)
}

// apiStepUp takes the answer to the challenge of a 403 mfa_required. The proof stays
// on the server, and the client may repeat what was refused for 15 minutes.
func (s *server) apiStepUp(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		Token string `json:"mfa_token"`
		Code  string `json:"code"`
	}](r)
	if err != nil {
		return nil, err
	}
	login, err := s.engine.VerifyStepUp(r.Context(), body.Token, mfa.ActionManage, body.Code)
	if err != nil {
		return nil, err
	}
	if login.UserID != client.UserID {
		return nil, mfa.ErrInvalidToken
	}
	client.Proof = login.Proof
	return login, s.grants.keep(r.Context(), client.grant)
}

func (s *server) apiStatus(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	return s.engine.Status(r.Context(), client.UserID)
}
