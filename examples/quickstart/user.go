package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// A user has an authenticator app, real or simulated, and a phone. Like a host's
// session, it keeps the proof of the latest login.
type user struct {
	*story
	id, phone string
	app       *mfatest.Authenticator // simulates the app, and knows wrong codes
	lastCode  string                 // the app's latest code that was accepted
	proof     string
	backup    []string
}

func (u *user) logsInWithoutMFA() error {
	u.chapter("Ada logs in. Nothing is enrolled and nothing required: BeginLogin returns nil.")
	return u.engine.BeginLogin(u.ctx, u.id)
}

func (u *user) enrolls() error {
	u.chapter("Ada turns on MFA: she scans a QR code with her authenticator app and confirms.")
	return u.answer("Code of the app", u.showsQRCode, func(code string) (*mfa.Login, error) {
		return u.engine.VerifyEnrollment(u.ctx, u.id, mfa.MethodTOTP, code)
	})
}

// showsQRCode begins an enrollment. The QR code comes last, so that a terminal of 24
// lines shows all of it together with the question.
func (u *user) showsQRCode() error {
	enrollment, err := u.engine.EnrollTOTP(u.ctx, u.id, u.id+"@example.com")
	if err != nil {
		return err
	}
	u.say("   URI: %s", enrollment.URI)
	u.say("   Key: %s", inGroups(enrollment.Secret))
	if u.app, err = mfatest.NewAuthenticator(enrollment.URI); err != nil || !u.attended {
		return err
	}
	return drawQR(u.out, enrollment.URI)
}

func (u *user) savesBackupCodes() error {
	u.chapter("Ada gets backup codes, which are shown once.")
	var err error
	if u.backup, err = u.engine.GenerateBackupCodes(u.ctx, u.id, mfa.WithProof(u.proof)); err != nil {
		return err
	}
	u.say("   %s", strings.Join(u.backup, "  "))
	return nil
}

func (u *user) logsInByApp() error {
	u.chapter("Ada logs in again. Now BeginLogin returns a ChallengeError, which the client receives as JSON:")
	var challenge *mfa.ChallengeError
	begin := func() (err error) {
		if challenge, err = u.challenged(); err != nil {
			return err
		}
		return u.showJSON(challenge)
	}
	if u.attended {
		u.say("   The code that confirmed the app is used up. Please wait for the next one.")
	}
	u.pass(time.Second)
	return u.answer("Next code of the app", begin, func(code string) (*mfa.Login, error) {
		return u.engine.VerifyLogin(u.ctx, challenge.Token, code)
	})
}

func (u *user) addsAPhone() error {
	u.chapter("Ada adds her phone. The number counts once she has entered the code sent to it.")
	if _, err := u.engine.EnrollSMS(u.ctx, u.id, u.phone, mfa.WithProof(u.proof)); err != nil {
		return err
	}
	login, err := u.engine.VerifyEnrollment(u.ctx, u.id, mfa.MethodSMS, u.received[u.phone])
	return u.welcome(login, err)
}

func (u *user) logsInBySMS() error {
	u.chapter("Ada logs in by SMS.")
	challenge, err := u.challenged()
	if err != nil {
		return err
	}
	if err := u.showJSON(challenge); err != nil {
		return err
	}
	u.pass(time.Second) // the cooldown between two messages
	delivery, err := u.engine.SendCode(u.ctx, challenge.Token)
	if err != nil {
		return err
	}
	if err := u.showJSON(delivery); err != nil {
		return err
	}
	return u.welcome(u.engine.VerifyLogin(u.ctx, challenge.Token, u.received[u.phone]))
}

func (u *user) logsInByBackupCode() error {
	u.chapter("Ada has lost her phone. She logs in by a backup code, in her own spelling.")
	challenge, err := u.challenged()
	if err != nil {
		return err
	}
	typed := strings.ToUpper(strings.ReplaceAll(u.backup[0], "-", " "))
	u.say("   She types %q.", typed)
	login, err := u.engine.VerifyLogin(u.ctx, challenge.Token, typed)
	if err := u.welcome(login, err); err != nil {
		return err
	}
	u.say("   %d backup codes are left.", login.BackupCodesLeft)
	return u.mustBeRefused("The same backup code again", mfa.ErrInvalidCode, u.backup[0])
}

func (u *user) repeatsACode() error {
	u.chapter("Somebody looked over Ada's shoulder and repeats her app's code. Each code works once.")
	return u.mustBeRefused("The code "+u.lastCode+" again", mfa.ErrInvalidCode, u.lastCode)
}

func (u *user) guesses() error {
	u.chapter("Somebody has Ada's password and guesses. The fifth wrong code ends the challenge, and for a while no code is checked.")
	challenge, err := u.challenged()
	if err != nil {
		return err
	}
	for range 5 {
		wrong := u.app.WrongCode(u.now())
		_, err := u.engine.VerifyLogin(u.ctx, challenge.Token, wrong)
		if !errors.Is(err, mfa.ErrInvalidCode) {
			return fmt.Errorf("a wrong code returned %v", err)
		}
		u.say("   %s: %v (%s)", wrong, err, mfa.ErrorCode(err))
	}
	if err := u.mustBeRefused("On that challenge, even a backup code", mfa.ErrInvalidToken, u.backup[1], challenge.Token); err != nil {
		return err
	}
	if challenge, err = u.challenged(); err != nil {
		return err
	}
	_, err = u.engine.VerifyLogin(u.ctx, challenge.Token, u.app.Code(u.now()))
	var throttled *mfa.ThrottledError
	if !errors.As(err, &throttled) {
		return fmt.Errorf("a code while the app is throttled returned %v", err)
	}
	u.say("   On a new one, the right code of the app: %v (%s)", err, mfa.ErrorCode(err))
	u.say("   Her other factors still work. Ada types a backup code.")
	return u.welcome(u.engine.VerifyLogin(u.ctx, challenge.Token, u.backup[1]))
}

func (u *user) mustEnroll() error {
	u.required = true
	u.chapter("The project now requires MFA. For Bob, who has none, BeginLogin returns an EnrollmentError:")
	var enrollment *mfa.EnrollmentError
	if err := u.engine.BeginLogin(u.ctx, u.id); !errors.As(err, &enrollment) {
		return fmt.Errorf("a login without MFA returned %v", err)
	}
	if err := u.showJSON(enrollment); err != nil {
		return err
	}
	userID, err := u.engine.EnrollmentUser(u.ctx, enrollment.Token)
	if err != nil {
		return err
	}
	u.say("   Its token lets %s reach the enrollment pages, and nothing else.", userID)
	begun, err := u.engine.EnrollTOTP(u.ctx, userID, userID+"@example.com")
	if err != nil {
		return err
	}
	if u.app, err = mfatest.NewAuthenticator(begun.URI); err != nil {
		return err
	}
	login, err := u.engine.VerifyEnrollment(u.ctx, userID, mfa.MethodTOTP, u.app.Code(u.now()))
	if err := u.welcome(login, err); err != nil {
		return err
	}
	if _, err := u.engine.EnrollmentUser(u.ctx, enrollment.Token); !errors.Is(err, mfa.ErrInvalidToken) {
		return fmt.Errorf("the enrollment token, used again, returned %v", err)
	}
	return nil
}

func (u *user) cannotTurnItOff() error {
	u.chapter("While MFA is required, Ada cannot turn it off.")
	err := u.engine.Unenroll(u.ctx, u.id, mfa.MethodTOTP, mfa.WithProof(u.proof))
	if !errors.Is(err, mfa.ErrEnforced) {
		return fmt.Errorf("Unenroll returned %v", err)
	}
	u.say("   %v (%s)", err, mfa.ErrorCode(err))
	status, err := u.engine.Status(u.ctx, u.id)
	if err != nil {
		return err
	}
	return u.showJSON(status)
}

// challenged begins a login, and returns its challenge.
func (u *user) challenged() (*mfa.ChallengeError, error) {
	err := u.engine.BeginLogin(u.ctx, u.id)
	var challenge *mfa.ChallengeError
	if !errors.As(err, &challenge) {
		return nil, fmt.Errorf("a login that must be challenged returned %v", err)
	}
	return challenge, nil
}

// mustBeRefused checks that VerifyLogin refuses a code, for the challenge of the given
// token or for a new one.
func (u *user) mustBeRefused(what string, want error, code string, token ...string) error {
	if token == nil {
		challenge, err := u.challenged()
		if err != nil {
			return err
		}
		token = []string{challenge.Token}
	}
	_, err := u.engine.VerifyLogin(u.ctx, token[0], code)
	if !errors.Is(err, want) {
		return fmt.Errorf("%s returned %v", what, err)
	}
	u.say("   %s: %v (%s)", what, err, mfa.ErrorCode(err))
	return nil
}

// welcome keeps the proof of a login.
func (u *user) welcome(login *mfa.Login, err error) error {
	if err != nil {
		return err
	}
	u.proof = login.Proof
	u.say("   %s is in, by %s (amr: %s).", login.UserID, login.Method, strings.Join(login.AMR, ", "))
	return nil
}

// answer calls begin, then asks for codes from the app until try accepts one: a
// person may mistype, or come back after the challenge or enrollment has expired.
func (u *user) answer(question string, begin func() error, try func(code string) (*mfa.Login, error)) error {
	if err := begin(); err != nil {
		return err
	}
	for {
		asked := u.attended
		code := u.code(question)
		login, err := try(code)
		if err == nil {
			u.lastCode = code
			return u.welcome(login, nil)
		}
		var wrong *mfa.CodeError
		switch {
		case !asked:
			return fmt.Errorf("the app's code: %w", err)
		case errors.Is(err, mfa.ErrInvalidToken), errors.Is(err, mfa.ErrNoPendingEnrollment):
			u.say("   That took too long (%v). Once more:", err)
			if err := begin(); err != nil {
				return err
			}
		case errors.As(err, &wrong) && wrong.TriesLeft > 0:
			u.say("   Refused: %v", err)
		default:
			return fmt.Errorf("the app's code: %w", err)
		}
	}
}

// code returns the app's code, as the person types it or as simulated.
func (u *user) code(question string) string {
	for u.attended {
		answer := u.ask(question + `, or "simulate"`)
		switch {
		case answer == "" || answer == "simulate":
			u.say("   From here on the app is simulated.")
			u.attended = false
		case !sixDigits(answer):
			u.say("   That is no code. The app shows six digits, such as 287 082.")
		default:
			return answer
		}
	}
	if u.lastCode != "" {
		u.pass(30 * time.Second) // until it shows the next code
	}
	code := u.app.Code(u.now())
	u.say("   The app shows %s.", code)
	return code
}

// sixDigits reports whether text holds six digits, apart from spaces.
func sixDigits(text string) bool {
	text = strings.ReplaceAll(text, " ", "")
	return len(text) == 6 && strings.Trim(text, "0123456789") == ""
}

// inGroups formats a key in groups of four.
func inGroups(key string) string {
	groups := make([]string, 0, len(key)/4+1)
	for group := range slices.Chunk([]byte(key), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, " ")
}
