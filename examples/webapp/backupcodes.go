package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/protekt/mfa"
)

const backupCodesPath = "/backup-codes"

// backupCodesView shows new codes, once, or how many are left.
type backupCodesView struct {
	Codes    []string
	Enrolled bool
	Left     int
}

func (s *server) backupCodesPage(w http.ResponseWriter, r *http.Request, v *visit) {
	status, err := s.engine.Status(r.Context(), v.UserID)
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	view := backupCodesView{Enrolled: len(status.Factors) > 0, Left: status.BackupCodesLeft}
	if v.Codes != nil {
		view.Codes = v.Codes
	}
	s.show(w, r, v, "backupcodes", http.StatusOK, view)
}

// generateBackupCodes makes a new set in place of the old one.
func (s *server) generateBackupCodes(w http.ResponseWriter, r *http.Request, v *visit) {
	codes, err := s.engine.GenerateBackupCodes(r.Context(), v.UserID, mfa.WithProof(v.Proof))
	var challenge *mfa.ChallengeError
	switch {
	case errors.As(err, &challenge):
		s.confirm(w, r, v, challenge, backupCodesPath)
	case err != nil:
		s.refuse(w, r, v, backupCodesPath, err)
	default:
		v.Codes = codes
		s.keep(r.Context(), v.session)
		http.Redirect(w, r, backupCodesPath, http.StatusSeeOther)
	}
}

// downloadBackupCodes gives them as a text file, while they are shown.
func (s *server) downloadBackupCodes(w http.ResponseWriter, r *http.Request, v *visit) {
	if len(v.Codes) == 0 {
		http.Redirect(w, r, backupCodesPath, http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="backup-codes.txt"`)
	text := issuer + " backup codes for " + v.User.Email + "\nEach works once.\n\n" + strings.Join(v.Codes, "\n") + "\n"
	w.Write([]byte(text))
}

// savedBackupCodes forgets them.
func (s *server) savedBackupCodes(w http.ResponseWriter, r *http.Request, v *visit) {
	v.Codes = nil
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, securityPath, http.StatusSeeOther)
}
