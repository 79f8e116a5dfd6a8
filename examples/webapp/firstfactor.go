package main

import (
	"net/http"
	"time"
)

const (
	passwordPath = "/enroll/password"
	passwordTTL  = 15 * time.Minute
)

// afterPassword asks a signed-in user for the password again before calling next
// for a first factor. There is no factor to prove yet, and whoever borrows a
// session could lock its owner out.
func (s *server) afterPassword(next pageFunc) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, v *visit) {
		if v.State == enrolling || s.now().Before(v.PasswordAt.Add(passwordTTL)) {
			next(w, r, v)
			return
		}
		status, err := s.engine.Status(r.Context(), v.UserID)
		switch {
		case err != nil:
			s.fail(w, r, v, err)
		case enrolled(status):
			next(w, r, v) // the engine asks for a proof
		default:
			v.Asked = &asked{Path: r.URL.Path, Form: r.PostForm}
			s.keep(r.Context(), v.session)
			http.Redirect(w, r, passwordPath, http.StatusSeeOther)
		}
	}
}

func (s *server) passwordPage(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.Asked == nil {
		http.Redirect(w, r, "/enroll", http.StatusSeeOther)
		return
	}
	s.show(w, r, v, "password", http.StatusOK, v.Asked.Text())
}

// answerPassword handles the form that awaited the password.
func (s *server) answerPassword(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.Asked == nil {
		http.Redirect(w, r, "/enroll", http.StatusSeeOther)
		return
	}
	if err := s.currentPassword(r, v); err != nil {
		s.refuse(w, r, v, passwordPath, err)
		return
	}
	form := v.Asked
	v.Asked, v.PasswordAt = nil, s.now()
	if err := s.step(r.Context(), v.session); err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.goOn(w, r, v, form)
}

// goOn handles a form that awaited the password or a proof.
func (s *server) goOn(w http.ResponseWriter, r *http.Request, v *visit, form *asked) {
	again := r.Clone(r.Context())
	again.URL.Path, again.PostForm, again.Form = form.Path, form.Form, form.Form
	s.forms[form.Path](w, again, v)
}
