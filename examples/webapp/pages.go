package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/protekt/mfa"
)

//go:embed templates
var templates embed.FS

// pages maps names to templates, each within the layout.
type pages map[string]*template.Template

const layout = "templates/layout.html"

func parsePages() (pages, error) {
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	parsed := make(pages)
	for _, file := range files {
		if file == layout {
			continue
		}
		name := strings.TrimSuffix(path.Base(file), ".html")
		page, err := template.New(path.Base(layout)).Funcs(template.FuncMap{
			"method": methodName,
			"when":   when,
			"day":    func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
			"stamp":  func(t time.Time) string { return t.Format(time.RFC3339) },
			"wait":   wait,
			"plural": plural,
			"amr":    amrText,
		}).ParseFS(templates, layout, file)
		if err != nil {
			return nil, err
		}
		parsed[name] = page
	}
	return parsed, nil
}

// A view is the data of a template.
type view struct {
	Page    string
	Issuer  string
	Visit   *visit
	Notice  string
	Alert   string
	Problem *problem
	Data    any
}

// SignedIn reports whether to show the navigation.
func (v view) SignedIn() bool { return v.Visit.State == signedIn }

// Known reports whether there is anything to sign out of.
func (v view) Known() bool { return v.Visit.State != anonymous }

// Mark returns the attributes that name a field's descriptions and mark it if its
// content was refused.
func (v view) Mark(field string, hints ...string) template.HTMLAttr {
	refused := ""
	if v.Problem != nil && fields[v.Problem.Code] == field {
		refused = ` aria-invalid="true" autofocus`
		hints = append([]string{"error"}, hints...)
	}
	if len(hints) == 0 {
		return ""
	}
	return template.HTMLAttr(`aria-describedby="` + strings.Join(hints, " ") + `"` + refused)
}

// At returns the view for one of several forms, without the problem of another.
func (v view) At(form string) view {
	if v.Problem != nil && v.Problem.Form != form {
		v.Problem = nil
	}
	return v
}

// show renders a page, with the problem that the session kept for it.
func (s *server) show(w http.ResponseWriter, r *http.Request, v *visit, page string, status int, data any) {
	if v.Problem != nil {
		status = v.Problem.Status
		if v.Problem.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(v.Problem.RetryAfter))
		}
	}
	s.render(w, r, v, page, status, v.Problem, data)
}

// render writes a page. It shows the session's notice and problem once.
func (s *server) render(w http.ResponseWriter, r *http.Request, v *visit, page string, status int, p *problem, data any) {
	notice, alert := v.Notice, v.Alert
	shown := notice != "" || alert != "" || v.Problem != nil
	v.Notice, v.Alert, v.Problem = "", "", nil
	if shown && s.sessions.Token(r.Context()) != "" {
		s.keep(r.Context(), v.session)
	}
	var b bytes.Buffer
	err := s.pages[page].Execute(&b, view{Page: page, Issuer: issuer, Visit: v, Notice: notice, Alert: alert, Problem: p, Data: data})
	if err != nil {
		s.log.ErrorContext(r.Context(), "rendering", "page", page, "error", err)
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	b.WriteTo(w)
}

// methodName returns what a method is called on pages and in mail.
func methodName(m mfa.Method) string {
	switch m {
	case mfa.MethodPasskey:
		return "Passkey"
	case mfa.MethodTOTP:
		return "Authenticator app"
	case mfa.MethodSMS:
		return "Text message"
	case mfa.MethodBackupCode:
		return "Backup codes"
	}
	return "Unknown method"
}

// when formats a time for people.
func when(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// wait formats a number of seconds for people, rounded up.
func wait(seconds int) string {
	if seconds >= 60 {
		minutes := (seconds + 59) / 60
		return plural(minutes, "minute", "minutes")
	}
	return plural(seconds, "second", "seconds")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// amrText formats how somebody signed in.
func amrText(amr []string) string {
	words := map[string]string{
		"pwd": "password",
		"pop": "passkey",
		"otp": "authenticator app",
		"sms": "text message",
		"mfa": "more than one factor",
	}
	var said []string
	for _, value := range amr {
		if word := words[value]; word != "" {
			said = append(said, word)
		}
	}
	return strings.Join(said, ", ")
}
