package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/protekt/mfa"
)

const (
	backupCodesPath = "/backup-codes"
	codesTTL        = 10 * time.Minute
)

// newCodes are shown until the user has saved them, but for codesTTL at most.
type newCodes struct {
	List  []string // if empty, yet to be generated
	Until time.Time
}

// holdsCodes reports whether it has redirected to the page of new codes. No link,
// other tab or other site can lead the user away from unsaved codes.
func (s *server) holdsCodes(w http.ResponseWriter, r *http.Request, v *visit) bool {
	if v.Codes == nil {
		return false
	}
	if !s.now().Before(v.Codes.Until) {
		v.Codes = nil
		s.keep(r.Context(), v.session)
		return false
	}
	if r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, backupCodesPath) {
		return false
	}
	if v.Problem = nil; v.Notice == "" {
		v.Alert = "Save your backup codes first."
	}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, backupCodesPath, http.StatusSeeOther)
	return true
}

// A backupCodesView shows new codes, or how many are left.
type backupCodesView struct {
	Codes    []string
	Enrolled bool
	Left     int
}

func (s *server) backupCodesPage(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.Codes != nil && len(v.Codes.List) == 0 {
		s.generateBackupCodes(w, r, v)
		return
	}
	status, err := s.engine.Status(r.Context(), v.UserID)
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	view := backupCodesView{Enrolled: len(status.Factors) > 0, Left: status.BackupCodesLeft}
	if v.Codes != nil {
		view.Codes = v.Codes.List
	}
	s.show(w, r, v, "backupcodes", http.StatusOK, view)
}

// generateBackupCodes replaces the set of backup codes. It ignores the request's
// cancellation, so that a browser that goes away finds the new set later: the old
// one is invalid by then.
func (s *server) generateBackupCodes(w http.ResponseWriter, r *http.Request, v *visit) {
	codes, err := s.engine.GenerateBackupCodes(context.WithoutCancel(r.Context()), v.UserID, mfa.WithProof(v.Proof))
	v.Codes = nil
	var challenge *mfa.ChallengeError
	switch {
	case errors.As(err, &challenge):
		s.confirm(w, r, v, challenge, backupCodesPath)
	case err != nil:
		s.refuse(w, r, v, backupCodesPath, err)
	default:
		v.Codes = &newCodes{List: codes, Until: s.now().Add(codesTTL)}
		s.keep(r.Context(), v.session)
		http.Redirect(w, r, backupCodesPath, http.StatusSeeOther)
	}
}

// downloadBackupCodes serves new codes as a text file, while they are shown.
func (s *server) downloadBackupCodes(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.Codes == nil {
		http.Error(w, "These backup codes are no longer available.", http.StatusGone)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="backup-codes.txt"`)
	text := issuer + " backup codes for " + v.User.Email + "\nEach works once.\n\n" + strings.Join(v.Codes.List, "\n") + "\n"
	w.Write([]byte(text))
}

// savedBackupCodes forgets the new codes, which the user has saved.
func (s *server) savedBackupCodes(w http.ResponseWriter, r *http.Request, v *visit) {
	v.Codes = nil
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, securityPath, http.StatusSeeOther)
}
