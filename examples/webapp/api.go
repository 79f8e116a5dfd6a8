package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

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
	route("POST /mfa/revoke", s.apiRevoke)
	route("POST /mfa/factors/{id}", s.apiRename)
	route("GET /mfa/devices", s.apiDevices)
	route("POST /mfa/devices/forget", s.apiForgetDevices)
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

// A prelude is what must come before tokens: a challenge or an enrollment.
type prelude struct {
	Challenged bool         `json:"mfa_required,omitempty"`
	Enrolling  bool         `json:"mfa_enrollment_required,omitempty"`
	Token      string       `json:"mfa_token"`
	Methods    []mfa.Method `json:"available_methods"`
	ExpiresAt  time.Time    `json:"expires_at"`
	Factors    []choice     `json:"factors,omitempty"`
}

// A choice is a factor that may answer a challenge.
type choice struct {
	ID     string     `json:"id,omitempty"`
	Method mfa.Method `json:"method"`
	Label  string     `json:"label,omitempty"`
	Phone  string     `json:"phone,omitempty"`
}

func choices(factors []mfa.Factor) (list []choice) {
	for _, f := range factors {
		list = append(list, choice{f.ID, f.Method, f.Label, f.Phone})
	}
	return list
}

// apiLogin answers with tokens, or with what must come first.
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
		return prelude{Challenged: true, Token: challenge.Token, Methods: challenge.Methods, ExpiresAt: challenge.ExpiresAt,
			Factors: choices(challenge.Factors)}, s.grants.pend(r.Context(), challenge.Token, u.Generation)
	case errors.As(err, &enrollment):
		return prelude{Enrolling: true, Token: enrollment.Token, Methods: enrollment.Methods, ExpiresAt: enrollment.ExpiresAt},
			s.grants.pend(r.Context(), enrollment.Token, u.Generation)
	}
	return nil, err
}

// apiVerifyLogin completes a login with the answer to its challenge.
func (s *server) apiVerifyLogin(_ http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		Token string `json:"mfa_token"`
		Code  string `json:"code"`
		Trust bool   `json:"trust_device"`
		Label string `json:"device_label"`
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
	device, err := s.trust(r.Context(), login, body.Label)
	if err != nil {
		return nil, err
	}
	granted.Device = device.Token
	return granted, nil
}

func (s *server) apiSendCode(_ http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		Token  string `json:"mfa_token"`
		Factor string `json:"factor_id"`
	}](r)
	if err != nil {
		return nil, err
	}
	var options []mfa.SendOption
	if body.Factor != "" {
		options = append(options, mfa.ToFactor(body.Factor))
	}
	return s.engine.SendCode(r.Context(), body.Token, options...)
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
		Label  string     `json:"label"`
		Keep   bool       `json:"keep_others"`
	}](r)
	if err != nil {
		return nil, err
	}
	options := []mfa.ChangeOption{mfa.WithProof(client.Proof), mfa.WithLabel(body.Label)}
	if body.Keep {
		options = append(options, mfa.KeepOthers())
	}
	switch body.Method {
	case mfa.MethodTOTP:
		return s.engine.EnrollTOTP(r.Context(), client.UserID, client.User.Email, options...)
	case mfa.MethodSMS:
		return s.engine.EnrollSMS(r.Context(), client.UserID, body.Phone, options...)
	}
	return nil, mfa.ErrMethodUnavailable
}

// apiVerify confirms an enrollment: of the method given, or else of what the user
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
	login, err := s.engine.VerifyEnrollment(r.Context(), client.UserID, body.Method, body.Code)
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
	return s.apiRemove(r, func(c client, which selection) error {
		return s.engine.Unenroll(r.Context(), c.UserID, which.Method, which.options(c.Proof)...)
	})
}

// apiRevoke removes a lost or stolen factor, also while MFA is required.
func (s *server) apiRevoke(_ http.ResponseWriter, r *http.Request) (any, error) {
	return s.apiRemove(r, func(c client, which selection) error {
		return s.revoke(r.Context(), c.UserID, c.Proof, which)
	})
}

// apiRemove removes the factor that the body names, and ends the user's other
// sessions.
func (s *server) apiRemove(r *http.Request, remove func(c client, which selection) error) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		Method mfa.Method `json:"method"`
		Factor string     `json:"factor_id"`
	}](r)
	if err != nil {
		return nil, err
	}
	which := selection{body.Method, body.Factor}
	if which.Factor != "" {
		if which.Method, err = s.methodOf(r.Context(), client.UserID, which.Factor); err != nil {
			return nil, err
		}
	}
	if err := remove(client, which); err != nil {
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

// methodOf returns the method of a factor of the user's, or mfa.ErrNotEnrolled.
func (s *server) methodOf(ctx context.Context, userID, factor string) (mfa.Method, error) {
	status, err := s.engine.Status(ctx, userID)
	if err != nil {
		return "", err
	}
	for _, f := range status.Factors {
		if f.ID == factor {
			return f.Method, nil
		}
	}
	return "", mfa.ErrNotEnrolled
}

func (s *server) apiRename(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		Label string `json:"label"`
	}](r)
	if err != nil {
		return nil, err
	}
	if err := s.engine.Rename(r.Context(), client.UserID, r.PathValue("id"), body.Label); err != nil {
		return nil, err
	}
	return s.engine.Status(r.Context(), client.UserID)
}

func (s *server) apiDevices(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	return s.devices(r.Context(), client.UserID)
}

func (s *server) devices(ctx context.Context, userID string) (any, error) {
	devices, err := s.engine.Devices(ctx, userID)
	if err != nil {
		return nil, err
	}
	return map[string][]mfa.TrustedDevice{"devices": devices}, nil
}

// apiForgetDevices ends the trust in one device, or in all of them.
func (s *server) apiForgetDevices(_ http.ResponseWriter, r *http.Request) (any, error) {
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		Device string `json:"device_id"`
		All    bool   `json:"all"`
	}](r)
	switch {
	case err != nil:
	case body.All:
		err = s.engine.ForgetDevices(r.Context(), client.UserID)
	case body.Device != "":
		err = s.engine.ForgetDevice(r.Context(), client.UserID, body.Device)
	default:
		err = errJSON
	}
	if err != nil {
		return nil, err
	}
	return s.devices(r.Context(), client.UserID)
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
	login, err := s.engine.VerifyStepUp(r.Context(), client.UserID, body.Token, mfa.ActionManage, body.Code)
	if err != nil {
		return nil, err
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
