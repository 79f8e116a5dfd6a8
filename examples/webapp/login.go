package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"

	"github.com/protekt/mfa"
)

// signIn is the one door. Every way in comes through it, from the pages and
// from the API: nothing else asks the engine what follows a right password.
//
// A nil error means that the user is in; a *mfa.ChallengeError that a code must
// follow, an *mfa.EnrollmentError that a factor must be enrolled first. The
// user is given with those two as well, as read before the engine was asked: a
// factor that is confirmed meanwhile ends a session of that generation.
func (s *server) signIn(r *http.Request, email, password, device string) (user, error) {
	u, err := s.rightPassword(r, email, password, device)
	if err != nil {
		return user{}, err
	}
	return u, s.engine.BeginLogin(r.Context(), u.ID, mfa.WithTrustedDevice(s.deviceToken(email, device)))
}

// rightPassword is the only function that checks a password. Each try is
// counted before it is made. A device that the account has trusted counts
// apart: strangers who guess do not lock the owner out.
func (s *server) rightPassword(r *http.Request, email, password, device string) (user, error) {
	byAccount, key := s.limits.account, canonical(email)
	if token := s.deviceToken(email, device); token != "" {
		byAccount, key = s.limits.device, token
	}
	if err := s.limits.address.take(address(r)); err != nil {
		return user{}, err
	}
	if err := byAccount.take(key); err != nil {
		return user{}, err
	}
	u, err := s.users.check(r.Context(), email, password)
	if err != nil {
		return user{}, err
	}
	s.limits.address.giveBack(address(r))
	byAccount.giveBack(key)
	return u, nil
}

func (s *server) signUpPage(w http.ResponseWriter, r *http.Request, v *visit) {
	s.show(w, r, v, "signup", http.StatusOK, form{})
}

// signUp makes an account and goes in by the door that all others take.
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
		v.Notice = "If there is an account with this address, a link is on its way to it."
	case err == nil && s.sessions.Token(r.Context()) == "":
		v.Notice = sessionOver
	}
	s.show(w, r, v, "login", http.StatusOK, form{})
}

func (s *server) logIn(w http.ResponseWriter, r *http.Request, v *visit) {
	s.signInPage(w, r, v, "login", r.PostFormValue("email"), r.PostFormValue("password"))
}

// A form is what was typed and may be shown again.
type form struct{ Email, Token string }

// signInPage does what signIn says.
func (s *server) signInPage(w http.ResponseWriter, r *http.Request, v *visit, page, email, password string) {
	u, err := s.signIn(r, email, password, s.device(r))
	var challenge *mfa.ChallengeError
	var enrollment *mfa.EnrollmentError
	next := session{UserID: u.ID, Generation: u.Generation}
	switch {
	case err == nil:
		next.State, next.AMR = signedIn, []string{"pwd"}
	case errors.As(err, &challenge):
		next.State, next.Prompt = passwordOnly, newPrompt(&challenge.Challenge)
	case errors.As(err, &enrollment):
		next.State, next.Enrollment = enrolling, enrollment.Token
	default:
		s.showError(w, r, v, page, err, form{Email: email})
		return
	}
	s.stepTo(w, r, v, next, next.State.home())
}

// stepTo goes on to a page in another state.
func (s *server) stepTo(w http.ResponseWriter, r *http.Request, v *visit, next session, path string) {
	if err := s.step(r.Context(), next); err != nil {
		s.fail(w, r, v, err)
		return
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// logOut works in every state.
func (s *server) logOut(w http.ResponseWriter, r *http.Request, v *visit) {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		s.fail(w, r, v, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (s *server) forgotPage(w http.ResponseWriter, r *http.Request, v *visit) {
	s.show(w, r, v, "forgot", http.StatusOK, form{})
}

// forgot mails a link, and says the same whether there is such an account.
func (s *server) forgot(w http.ResponseWriter, r *http.Request, v *visit) {
	email := r.PostFormValue("email")
	err := s.limits.forgot.take(address(r))
	if err == nil {
		err = s.limits.mail.take(canonical(email))
	}
	if err == nil {
		err = s.mailReset(r.Context(), email)
	}
	if err != nil {
		s.showError(w, r, v, "forgot", err, form{Email: email})
		return
	}
	http.Redirect(w, r, "/login?mailed=1", http.StatusSeeOther) // a notice would be a session for each stranger
}

// mailReset does the same work where there is no such account, so that the time
// does not tell. Hand mail to a queue: waiting for a provider would.
func (s *server) mailReset(ctx context.Context, email string) error {
	u, err := s.users.byEmail(ctx, email)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	secret, err := s.users.beginReset(ctx, u) // nobody's too
	if err != nil || u.ID == "" {
		return err
	}
	s.phone.mailLink(u.Email, "Choose a new password within 15 minutes:", "/reset?token="+secret)
	return nil
}

func (s *server) resetPage(w http.ResponseWriter, r *http.Request, v *visit) {
	s.show(w, r, v, "reset", http.StatusOK, form{Token: r.FormValue("token")})
}

// reset sets a new password, and no more: it logs nobody in. The user signs in
// with it, and is asked for a code as always. Whoever was signed in here is not
// any more.
func (s *server) reset(w http.ResponseWriter, r *http.Request, v *visit) {
	secret := r.PostFormValue("token")
	userID, err := s.users.resetUser(r.Context(), secret)
	if err == nil {
		err = s.newPassword(r.Context(), userID, r.PostFormValue("password"))
	}
	if err != nil {
		s.showError(w, r, v, "reset", err, form{Token: secret})
		return
	}
	s.stepTo(w, r, v, session{Notice: "Your password is changed. Please sign in with it."}, "/login")
}

// newPassword is the one way to set a password. Sessions, grants, challenges,
// proofs and trusted devices of the old one end; factors stay.
func (s *server) newPassword(ctx context.Context, userID, password string) error {
	if err := s.users.setPassword(ctx, userID, password); err != nil {
		return err
	}
	return s.engine.PasswordChanged(context.WithoutCancel(ctx), userID)
}
