package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/protekt/mfa"
)

// signIn checks the password and asks the engine what must follow. Every way in,
// from the pages and from the API, goes through it.
//
// A nil error means that the user is in, an *mfa.ChallengeError that a code must
// follow, an *mfa.EnrollmentError that a factor must be enrolled first. With these
// two errors signIn returns the user as well. The user is read before the engine
// is asked, so that a factor confirmed in between ends the resulting session.
func (s *server) signIn(r *http.Request, email, password, device string) (user, error) {
	u, err := s.rightPassword(r, email, password, device)
	if err != nil {
		return user{}, err
	}
	_, token := s.openDevice(email, device)
	options := []mfa.LoginOption{mfa.WithTrustedDevice(token)}
	if u.HasMFA {
		options = append(options, mfa.ExpectEnrolled())
	}
	err = s.engine.BeginLogin(r.Context(), u.ID, options...)
	if errors.Is(err, mfa.ErrNotEnrolled) { // the engine's record is lost, or another user's
		return user{}, fmt.Errorf("%w: user %s", errFactorsLost, u.ID)
	}
	return u, err
}

// rightPassword returns the user with that address and password. Nothing else
// checks passwords. It counts every try before making it.
func (s *server) rightPassword(r *http.Request, email, password, device string) (user, error) {
	if err := s.limits.address.take(address(r)); err != nil {
		return user{}, err
	}
	limit, key, err := s.countedBy(r.Context(), email, device)
	if err != nil {
		return user{}, err
	}
	if err := limit.take(key); err != nil {
		return user{}, err
	}
	u, err := s.users.check(r.Context(), email, password)
	if err != nil {
		return user{}, err
	}
	s.limits.address.giveBack(address(r))
	limit.giveBack(key)
	return u, nil
}

// countedBy returns the limit, and the key in it, by which a try at an account's
// password counts. A device that the account trusts has a count of its own, so that
// strangers who guess do not lock the owner out. One that was forgotten has none,
// or guesses would add up over the years. Strangers cause no lookup, so timing does
// not reveal whether there is such an account.
func (s *server) countedBy(ctx context.Context, email, device string) (*limit, string, error) {
	id, _ := s.openDevice(email, device)
	if id == "" {
		return s.limits.account, canonical(email), nil
	}
	trusted, err := s.trusts(ctx, email, id)
	if trusted {
		return s.limits.device, id, nil
	}
	return s.limits.account, canonical(email), err
}

func (s *server) signUpPage(w http.ResponseWriter, r *http.Request, v *visit) {
	s.show(w, r, v, "signup", http.StatusOK, form{})
}

// signUp creates an account, then signs in as everybody does.
func (s *server) signUp(w http.ResponseWriter, r *http.Request, v *visit) {
	email, password := r.PostFormValue("email"), r.PostFormValue("password")
	err := s.limits.signUp.take(address(r))
	if err == nil {
		err = s.users.create(r.Context(), email, password)
	}
	if err != nil {
		s.showError(w, r, v, "signup", err, form{Email: email})
		return
	}
	s.signInPage(w, r, v, "signup", email, password)
}

func (s *server) loginPage(w http.ResponseWriter, r *http.Request, v *visit) {
	_, err := r.Cookie(s.sessions.Cookie.Name)
	switch {
	case r.FormValue("mailed") != "":
		v.Notice = "If there is an account with this address, we have sent it a link."
	case err == nil && s.sessions.Token(r.Context()) == "":
		v.Alert = sessionOver
	}
	s.show(w, r, v, "login", http.StatusOK, form{})
}

func (s *server) logIn(w http.ResponseWriter, r *http.Request, v *visit) {
	s.signInPage(w, r, v, "login", r.PostFormValue("email"), r.PostFormValue("password"))
}

// A form holds what was typed and may be shown again.
type form struct{ Email, Token string }

// signInPage signs in, and redirects to what must follow.
func (s *server) signInPage(w http.ResponseWriter, r *http.Request, v *visit, page, email, password string) {
	u, err := s.signIn(r, email, password, s.device(r))
	var challenge *mfa.ChallengeError
	var enrollment *mfa.EnrollmentError
	next := session{UserID: u.ID, Generation: u.Generation}
	switch {
	case err == nil:
		next.State, next.AMR = signedIn, []string{"pwd"}
	case errors.As(err, &challenge):
		next.State, next.Prompt = passwordOnly, s.newPromptFor(r.Context(), &challenge.Challenge)
	case errors.As(err, &enrollment):
		next.State, next.Enrollment = enrolling, enrollment.Token
	default:
		s.showError(w, r, v, page, err, form{Email: email})
		return
	}
	s.stepTo(w, r, v, next, next.State.home())
}

// stepTo stores the next session under a new ID, and redirects to path.
func (s *server) stepTo(w http.ResponseWriter, r *http.Request, v *visit, next session, path string) {
	if err := s.step(r.Context(), next); err != nil {
		s.fail(w, r, v, err)
		return
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// logOut ends the session, in any state.
func (s *server) logOut(w http.ResponseWriter, r *http.Request, v *visit) {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		s.fail(w, r, v, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
