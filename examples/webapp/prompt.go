package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/protekt/mfa"
)

// A prompt is a challenge kept in the session. Since its token never leaves the
// server, no other browser can answer it.
type prompt struct {
	Token     string
	Methods   []mfa.Method
	Factors   []mfa.Factor // those that may answer
	ExpiresAt time.Time
	Sent      *mfa.SMSDelivery // the last message, if any
	To        string           // ID of the phone that it went to
	Asked     *asked           // what to do after a fresh proof; nil for a login
}

func newPrompt(c *mfa.Challenge) *prompt {
	return &prompt{Token: c.Token, Methods: c.Methods, Factors: c.Factors, ExpiresAt: c.ExpiresAt}
}

// phones returns the phones that a code may be sent to.
func (p *prompt) phones() (phones []mfa.Factor) {
	for _, f := range p.Factors {
		if f.Method == mfa.MethodSMS {
			phones = append(phones, f)
		}
	}
	return phones
}

// An asked is a form that awaits a fresh proof, or the password.
type asked struct {
	Path   string
	Form   url.Values
	Return string // path of its page
}

// Text returns what the form would do, for the user.
func (a *asked) Text() string {
	method := mfa.Method(a.Form.Get("method"))
	switch a.Path {
	case passkeyPath:
		return "You are about to set up a passkey."
	case totpPath:
		return "You are about to set up an authenticator app."
	case smsPath:
		return "You are about to set up the phone number " + a.Form.Get("phone") + "."
	case removePath, revokePath:
		return "You are about to remove a second factor: " + methodName(method) + "."
	case backupCodesPath:
		return "You are about to generate new backup codes. The old ones will stop working."
	}
	return "You are about to change a setting of the project or of another user."
}

// A promptView is what the page shows of a prompt.
type promptView struct {
	Path    string
	Login   bool   // for a login, else for a fresh proof
	Asked   string // what the fresh proof is for
	Method  mfa.Method
	Others  []mfa.Method
	Passkey passkeyForm
	Phone   mfa.Factor   // the one that a code goes to
	Phones  []mfa.Factor // those that a code may be sent to instead
	Sent    bool
	Resend  int  // seconds until another message may be sent
	Last    bool // whether no other message may be sent
}

const (
	loginPath   = "/login/mfa"
	confirmPath = "/confirm"
)

// view returns the prompt for the method that the user chose.
func (s *server) view(v *visit, path, chosen string) promptView {
	method := mfa.Method(chosen)
	if !slices.Contains(v.Prompt.Methods, method) {
		method = v.Prompt.Methods[0]
	}
	view := promptView{
		Path:   path,
		Login:  path == loginPath,
		Method: method,
		Sent:   v.Prompt.Sent != nil,
	}
	view.Phones = v.Prompt.phones()
	if method == mfa.MethodSMS {
		at := max(0, slices.IndexFunc(view.Phones, func(f mfa.Factor) bool { return f.ID == v.Prompt.To }))
		view.Phone = view.Phones[at]
		view.Phones = slices.Delete(view.Phones, at, at+1)
	}
	view.Others = slices.DeleteFunc(slices.Clone(v.Prompt.Methods), func(m mfa.Method) bool { return m == method || m == mfa.MethodSMS })
	if view.Sent {
		view.Resend = seconds(v.Prompt.Sent.ResendAfter.Sub(s.now()))
		view.Last = !v.Prompt.Sent.ResendAfter.Before(v.Prompt.ExpiresAt)
	}
	if v.Prompt.Asked != nil {
		view.Asked = v.Prompt.Asked.Text()
	}
	return view
}

// promptAt shows the prompt, or handles err, which an answer to it got.
func (s *server) promptAt(w http.ResponseWriter, r *http.Request, v *visit, path string, err error) {
	var wrong *mfa.CodeError
	switch {
	case v.Prompt == nil || !s.now().Before(v.Prompt.ExpiresAt), errors.Is(err, mfa.ErrInvalidToken):
		s.promptOver(w, r, v, "That took too long, or was already answered.")
	case errors.As(err, &wrong) && wrong.TriesLeft == 0:
		s.promptOver(w, r, v, "Too many wrong codes.")
	case err != nil:
		s.refuse(w, r, v, path+"?method="+string(s.view(v, path, r.FormValue("method")).Method), err)
	default:
		if p := v.Problem; p != nil && !s.now().Add(time.Duration(p.RetryAfter)*time.Second).Before(v.Prompt.ExpiresAt) {
			p.Again = "Start again"
			if v.State == passwordOnly {
				p.Again = "Sign in again"
			}
		}
		view := s.view(v, path, r.FormValue("method"))
		if view.Method == mfa.MethodPasskey {
			options, err := s.engine.PasskeyOptions(r.Context(), v.Prompt.Token)
			if errors.Is(err, mfa.ErrInvalidToken) {
				s.promptAt(w, r, v, path, err)
				return
			}
			if err != nil { // the page still offers the other methods
				p := s.report(w, r, err)
				v.Problem = &p
			} else {
				view.Passkey = s.passkeyForm(r, options)
			}
		}
		s.show(w, r, v, "prompt", http.StatusOK, view)
	}
}

// answerTo returns what was typed into a prompt's form, or a passkey's response.
func answerTo(r *http.Request) string {
	return cmp.Or(r.PostFormValue("passkey"), r.PostFormValue("code"))
}

// promptOver redirects to where the challenge began. It keeps the session's ID:
// if another request has just answered the challenge, as with a double click, the
// browser has that request's new session and must not lose it to this one.
func (s *server) promptOver(w http.ResponseWriter, r *http.Request, v *visit, why string) {
	if v.State == passwordOnly {
		s.keep(r.Context(), session{Alert: why + " Please sign in again."})
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	back := securityPath
	if v.Prompt != nil {
		back, v.Prompt = v.Prompt.Asked.Return, nil
		v.Alert = why + " Please try again."
		s.keep(r.Context(), v.session)
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// sendCode sends a message with a code for the prompt.
func (s *server) sendCode(w http.ResponseWriter, r *http.Request, v *visit, path string) {
	if v.Prompt == nil {
		s.promptAt(w, r, v, path, nil)
		return
	}
	if err := s.send(r.Context(), v.Prompt, r.PostFormValue("factor")); err != nil {
		s.promptAt(w, r, v, path, err)
		return
	}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, path+"?method=sms", http.StatusSeeOther)
}

// send sends a code to the phone of that ID, or else to the one last used.
func (s *server) send(ctx context.Context, p *prompt, phone string) error {
	var options []mfa.SendOption
	if phone != "" {
		options = append(options, mfa.ToFactor(phone))
	}
	sent, err := s.engine.SendCode(ctx, p.Token, options...)
	if err != nil {
		return err
	}
	p.Sent, p.To = sent, phone
	for _, f := range p.phones() {
		if phone == "" && f.Phone == sent.Phone {
			p.To = f.ID
		}
	}
	return nil
}

// newPromptFor returns the prompt of a challenge. If it begins with a text message,
// that is sent at once. One that cannot be sent now is left to the prompt's button.
func (s *server) newPromptFor(ctx context.Context, c *mfa.Challenge) *prompt {
	p := newPrompt(c)
	if p.Methods[0] == mfa.MethodSMS {
		if err := s.send(ctx, p, ""); err != nil {
			s.log.InfoContext(ctx, "sending a code", "error", err)
		}
	}
	return p
}

// loginPrompt shows the prompt that follows the password.
func (s *server) loginPrompt(w http.ResponseWriter, r *http.Request, v *visit) {
	s.promptAt(w, r, v, loginPath, nil)
}

func (s *server) sendLoginCode(w http.ResponseWriter, r *http.Request, v *visit) {
	s.sendCode(w, r, v, loginPath)
}

// answerLogin signs the user in if the code is right.
func (s *server) answerLogin(w http.ResponseWriter, r *http.Request, v *visit) {
	login, err := s.engine.VerifyLogin(r.Context(), v.Prompt.Token, answerTo(r))
	if err != nil {
		s.promptAt(w, r, v, loginPath, err)
		return
	}
	if r.PostFormValue("trust") != "" {
		if err := s.trustDevice(w, r, v, login); err != nil {
			s.log.ErrorContext(r.Context(), "trusting a device", "error", err) // which does not stop the login
		}
	}
	s.enter(w, r, v, login, "/dashboard", backupCodeNotice(login))
}

// enter signs the user in after a second factor, and redirects to path.
func (s *server) enter(w http.ResponseWriter, r *http.Request, v *visit, login *mfa.Login, path, notice string) {
	s.stepTo(w, r, v, v.entered(login, notice), path)
}

// entered returns the session that follows a second factor. It takes from the old
// one the generation and new backup codes only.
func (v *visit) entered(login *mfa.Login, notice string) session {
	return session{
		State:      signedIn,
		UserID:     login.UserID,
		Generation: v.Generation,
		Proof:      login.Proof,
		AMR:        append([]string{"pwd"}, login.AMR...),
		Codes:      v.Codes,
		Notice:     notice,
	}
}

// confirm asks for a fresh proof, and keeps the form that needed it, to be handled
// afterwards.
func (s *server) confirm(w http.ResponseWriter, r *http.Request, v *visit, challenge *mfa.ChallengeError, back string) {
	v.Prompt = s.newPromptFor(r.Context(), &challenge.Challenge)
	v.Prompt.Asked = &asked{Path: r.URL.Path, Form: r.PostForm, Return: back}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, confirmPath, http.StatusSeeOther)
}

func (s *server) confirmPrompt(w http.ResponseWriter, r *http.Request, v *visit) {
	s.promptAt(w, r, v, confirmPath, nil)
}

func (s *server) sendConfirmCode(w http.ResponseWriter, r *http.Request, v *visit) {
	s.sendCode(w, r, v, confirmPath)
}

// answerConfirm stores the new proof, then handles the form that needed it. It
// does so once, since the new session has no prompt.
func (s *server) answerConfirm(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.Prompt == nil {
		s.promptAt(w, r, v, confirmPath, nil)
		return
	}
	login, err := s.engine.VerifyStepUp(r.Context(), v.UserID, v.Prompt.Token, mfa.ActionManage, answerTo(r))
	if err != nil {
		s.promptAt(w, r, v, confirmPath, err)
		return
	}
	form := v.Prompt.Asked
	v.session = v.entered(login, backupCodeNotice(login))
	if err := s.step(r.Context(), v.session); err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.goOn(w, r, v, form)
}

// backupCodeNotice returns how many backup codes are left after one was used, or
// "" after another method.
func backupCodeNotice(login *mfa.Login) string {
	if login.Method != mfa.MethodBackupCode {
		return ""
	}
	return "You used a backup code. " + plural(login.BackupCodesLeft, "code is", "codes are") + " left."
}
