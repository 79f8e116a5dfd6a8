package mfahttp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/protekt/mfa"
)

// A login is what a client gets instead of a session: the challenge to answer, or
// the enrollment to make.
type login struct {
	Required           bool         `json:"mfa_required,omitempty"`
	EnrollmentRequired bool         `json:"mfa_enrollment_required,omitempty"`
	Token              string       `json:"mfa_token,omitempty"`
	Methods            []mfa.Method `json:"available_methods"`
	ExpiresAt          time.Time    `json:"expires_at"`
	Factors            []Factor     `json:"factors,omitempty"`
}

// Challenge answers a login that is not complete, with the error of BeginLogin: a
// challenge or an enrollment as the body of a 200, as clients of the login expect
// it; any other error as such.
func (h *Handler) Challenge(w http.ResponseWriter, r *http.Request, err error) {
	var (
		challenge  *mfa.ChallengeError
		enrollment *mfa.EnrollmentError
		body       login
	)
	switch {
	case errors.As(err, &challenge):
		body = login{Required: true, Token: challenge.Token, Methods: challenge.Methods, Factors: factorsOf(challenge), ExpiresAt: challenge.ExpiresAt}
	case errors.As(err, &enrollment):
		body = login{EnrollmentRequired: true, Token: enrollment.Token, Methods: enrollment.Methods, ExpiresAt: enrollment.ExpiresAt}
	default:
		h.refuse(w, r, err)
		return
	}
	if h.config.Tokens != nil {
		if err := h.config.Tokens.KeepToken(w, r, body.Token); err != nil {
			h.refuse(w, r, err)
			return
		}
		body.Token = ""
	}
	writeJSON(w, http.StatusOK, body)
}

// An answer is what a client answers a challenge or a pending factor with.
type answer struct {
	Token   string          `json:"mfa_token"`
	Code    string          `json:"code"`
	Passkey json.RawMessage `json:"passkey"`
}

// text returns what the engine takes: a code, or the JSON of a passkey, which is
// an object. Null is no passkey, as it is no code.
func (a answer) text() (string, error) {
	switch {
	case len(a.Passkey) == 0, string(a.Passkey) == "null":
		return a.Code, nil
	case a.Code != "", a.Passkey[0] != '{':
		return "", errBody
	}
	return string(a.Passkey), nil
}

// token returns the token of the challenge that a request is about.
func (h *Handler) token(r *http.Request, given string) (string, error) {
	if h.config.Tokens == nil {
		return given, nil
	}
	if given != "" {
		return "", errBody
	}
	return h.config.Tokens.Token(r)
}

func (h *Handler) verifyLogin(w http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		answer
		Trust bool   `json:"trust_device"`
		Label string `json:"device_label"`
	}](r)
	if err != nil {
		return nil, err
	}
	text, err := body.text()
	if err != nil {
		return nil, err
	}
	token, err := h.token(r, body.Token)
	if err != nil {
		return nil, err
	}
	verified, err := h.config.Engine.VerifyLogin(r.Context(), token, text)
	if err != nil {
		return nil, err
	}
	var device *mfa.TrustedDevice
	if body.Trust {
		if device, err = h.trust(r, verified, body.Label); err != nil {
			h.fault(r, err) // which costs no login: the code is spent by then
		}
	}
	return h.complete(w, withLoginToken(r, token), verified, device)
}

// uncancelled returns r for what the host must do after a change, which stands even
// if the client has gone away.
func uncancelled(r *http.Request) *http.Request {
	return r.WithContext(context.WithoutCancel(r.Context()))
}

type loginTokenKey struct{}

func withLoginToken(r *http.Request, token string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), loginTokenKey{}, token))
}

// LoginToken returns, for the request of a Session.Complete, the token of the
// challenge or enrollment with which the login began, and "" for others. A host
// that must refuse logins from before a change, such as of the password, keeps
// under the token's hash what it knew when the password was right. Tokens that
// RequireMFA handed out are not among them.
func LoginToken(r *http.Request) string {
	token, _ := r.Context().Value(loginTokenKey{}).(string)
	return token
}

// trust trusts the device of a login. A label that the engine refuses is left out:
// it may be a browser's whole name.
func (h *Handler) trust(r *http.Request, login *mfa.Login, label string) (*mfa.TrustedDevice, error) {
	device, err := h.config.Engine.TrustDevice(r.Context(), login.UserID, login.Proof, label)
	if errors.Is(err, mfa.ErrInvalidInput) {
		return h.config.Engine.TrustDevice(r.Context(), login.UserID, login.Proof, "")
	}
	return device, err
}

// complete makes a login complete and returns the host's body, with the token of
// a device that the client is to keep.
func (h *Handler) complete(w http.ResponseWriter, r *http.Request, login *mfa.Login, device *mfa.TrustedDevice) (any, error) {
	body, err := h.config.Session.Complete(w, uncancelled(r), login, device)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]json.RawMessage)
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, errors.New("mfahttp: Session.Complete must return what marshals to a JSON object")
	}
	if fields == nil { // of null
		fields = make(map[string]json.RawMessage)
	}
	if device != nil && h.config.Tokens == nil {
		if fields["device_token"], err = json.Marshal(device.Token); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

func (h *Handler) sendCode(_ http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		Token  string  `json:"mfa_token"`
		Factor *string `json:"factor_id"`
	}](r)
	if err != nil {
		return nil, err
	}
	token, err := h.token(r, body.Token)
	if err != nil {
		return nil, err
	}
	var opts []mfa.SendOption
	if body.Factor != nil {
		opts = append(opts, mfa.ToFactor(*body.Factor))
	}
	return h.config.Engine.SendCode(r.Context(), token, opts...)
}

func (h *Handler) passkeyOptions(_ http.ResponseWriter, r *http.Request) (any, error) {
	body, err := decode[struct {
		Token string `json:"mfa_token"`
	}](r)
	if err != nil {
		return nil, err
	}
	token, err := h.token(r, body.Token)
	if err != nil {
		return nil, err
	}
	return h.config.Engine.PasskeyOptions(r.Context(), token)
}

func (h *Handler) stepUp(w http.ResponseWriter, r *http.Request) (any, error) {
	user, err := h.user(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		answer
		Action string `json:"action"`
	}](r)
	if err != nil {
		return nil, err
	}
	text, err := body.text()
	if err != nil {
		return nil, err
	}
	token, err := h.token(r, body.Token)
	if err != nil {
		return nil, err
	}
	if body.Action == "" {
		body.Action = mfa.ActionManage
	}
	login, err := h.config.Engine.VerifyStepUp(r.Context(), user.ID, token, body.Action, text)
	if err != nil {
		return nil, err
	}
	return login, h.config.Session.Proved(w, uncancelled(r), login)
}
