package mfahttp

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/protekt/mfa"
)

// enrollmentToken is how the token of an mfa.EnrollmentError begins.
const enrollmentToken = "mfa_enr_"

// An enroller is who may enroll: a user who is logged in, or one who must enroll to
// be, whom the token of an enrollment names.
type enroller struct {
	User
	token string // of the enrollment, or ""
}

// enroller returns who may enroll. A token that has expired or was used may still be
// in the session of a user who is logged in by now.
func (h *Handler) enroller(r *http.Request) (enroller, error) {
	token := BearerToken(r)
	if h.config.Tokens != nil {
		var err error
		if token, err = h.config.Tokens.Token(r); err != nil {
			return enroller{}, err
		}
	}
	if !strings.HasPrefix(token, enrollmentToken) {
		user, err := h.user(r)
		return enroller{User: user}, err
	}
	id, err := h.config.Engine.EnrollmentUser(r.Context(), token)
	if h.config.Tokens != nil && errors.Is(err, mfa.ErrInvalidToken) {
		if user, session := h.user(r); !errors.Is(session, ErrNoSession) {
			return enroller{User: user}, session
		}
	}
	return enroller{User{ID: id}, token}, err
}

func (h *Handler) enroll(_ http.ResponseWriter, r *http.Request) (any, error) {
	user, err := h.enroller(r)
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
	account, err := h.config.Session.Account(r.Context(), user.ID)
	if err != nil {
		return nil, err
	}
	opts := []mfa.ChangeOption{mfa.WithProof(user.Proof), mfa.WithLabel(body.Label)}
	if body.Keep {
		opts = append(opts, mfa.KeepOthers())
	}
	switch body.Method {
	case mfa.MethodTOTP:
		return h.config.Engine.EnrollTOTP(r.Context(), user.ID, account, opts...)
	case mfa.MethodSMS:
		return h.config.Engine.EnrollSMS(r.Context(), user.ID, body.Phone, opts...)
	case mfa.MethodPasskey:
		return h.config.Engine.EnrollPasskey(r.Context(), user.ID, account, opts...)
	}
	return nil, mfa.ErrMethodUnavailable
}

func (h *Handler) verifyEnrollment(w http.ResponseWriter, r *http.Request) (any, error) {
	user, err := h.enroller(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		answer
		Method mfa.Method `json:"method"`
	}](r)
	if err != nil {
		return nil, err
	}
	text, err := body.text()
	if err != nil {
		return nil, err
	}
	login, err := h.config.Engine.VerifyEnrollment(r.Context(), user.ID, body.Method, text)
	if err != nil {
		return nil, err
	}
	if user.token != "" {
		return h.complete(w, withLoginToken(r, user.token), login, nil)
	}
	return login, h.config.Session.Proved(w, uncancelled(r), login)
}

func (h *Handler) backupCodes(_ http.ResponseWriter, r *http.Request) (any, error) {
	user, err := h.user(r)
	if err != nil {
		return nil, err
	}
	codes, err := h.config.Engine.GenerateBackupCodes(r.Context(), user.ID, mfa.WithProof(user.Proof))
	if err != nil {
		return nil, err
	}
	return map[string][]string{"backup_codes": codes}, nil
}

// A selection names a method, or one factor of it.
type selection struct {
	Method mfa.Method `json:"method"`
	Factor *string    `json:"factor_id"`
}

// selected returns the method and options for the factors that a body names.
func (h *Handler) selected(r *http.Request, user User, s selection) (mfa.Method, []mfa.ChangeOption, error) {
	if s.Factor == nil {
		if s.Method == "" {
			return "", nil, errBody
		}
		return s.Method, nil, nil
	}
	status, err := h.config.Engine.Status(r.Context(), user.ID)
	if err != nil {
		return "", nil, err
	}
	for _, f := range status.Factors {
		if f.ID == *s.Factor && f.ID != "" && cmp.Or(s.Method, f.Method) == f.Method {
			return f.Method, []mfa.ChangeOption{mfa.OnlyFactor(f.ID)}, nil
		}
	}
	return "", nil, mfa.ErrNotEnrolled
}

func (h *Handler) unenroll(_ http.ResponseWriter, r *http.Request) (any, error) {
	return h.remove(r)
}

// revoke removes a lost factor. The only one of a user is for the host's support
// desk while MFA is required.
func (h *Handler) revoke(_ http.ResponseWriter, r *http.Request) (any, error) {
	return h.remove(r, mfa.Lost())
}

// remove removes the factors that a request selects, calls Config.OnRemove, and
// returns the user's status.
func (h *Handler) remove(r *http.Request, opts ...mfa.ChangeOption) (any, error) {
	user, err := h.user(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[selection](r)
	if err != nil {
		return nil, err
	}
	method, only, err := h.selected(r, user, body)
	if err != nil {
		return nil, err
	}
	opts = append(append(opts, only...), mfa.WithProof(user.Proof))
	err = h.config.Engine.Unenroll(r.Context(), user.ID, method, opts...)
	if err != nil && Explain(err).Status < http.StatusInternalServerError {
		return nil, err
	}
	// After a fault the factor may be gone all the same: the store's answer was lost.
	if h.config.OnRemove != nil {
		err = errors.Join(err, h.config.OnRemove(uncancelled(r), user.ID))
	}
	if err != nil {
		return nil, err
	}
	return h.config.Engine.Status(r.Context(), user.ID)
}

func (h *Handler) rename(_ http.ResponseWriter, r *http.Request) (any, error) {
	user, err := h.user(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		Label string `json:"label"`
	}](r)
	if err != nil {
		return nil, err
	}
	if err := h.config.Engine.Rename(r.Context(), user.ID, r.PathValue("id"), body.Label); err != nil {
		return nil, err
	}
	return h.config.Engine.Status(r.Context(), user.ID)
}

func (h *Handler) status(_ http.ResponseWriter, r *http.Request) (any, error) {
	user, err := h.user(r)
	if err != nil {
		return nil, err
	}
	return h.config.Engine.Status(r.Context(), user.ID)
}

func (h *Handler) devices(_ http.ResponseWriter, r *http.Request) (any, error) {
	user, err := h.user(r)
	if err != nil {
		return nil, err
	}
	return h.listDevices(r, user)
}

func (h *Handler) listDevices(r *http.Request, user User) (any, error) {
	devices, err := h.config.Engine.Devices(r.Context(), user.ID)
	if err != nil {
		return nil, err
	}
	return map[string][]mfa.TrustedDevice{"devices": devices}, nil
}

func (h *Handler) forgetDevices(_ http.ResponseWriter, r *http.Request) (any, error) {
	user, err := h.user(r)
	if err != nil {
		return nil, err
	}
	body, err := decode[struct {
		ID  string `json:"device_id"`
		All bool   `json:"all"`
	}](r)
	if err != nil {
		return nil, err
	}
	switch {
	case (body.ID == "") == !body.All: // neither or both
		err = errBody
	case body.All:
		err = h.config.Engine.ForgetDevices(r.Context(), user.ID)
	default:
		err = h.config.Engine.ForgetDevice(r.Context(), user.ID, body.ID)
	}
	if err != nil {
		return nil, err
	}
	return h.listDevices(r, user)
}
