package mfa

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/token"
)

// The engine's own actions, for which a challenge asks. All others are the
// host's.
const (
	ActionLogin  = "login"
	ActionManage = "manage" // changing factors
	ActionEnroll = "enroll" // in the Login of an enrollment, and in its message
)

// A Challenge asks a user for a second factor. Marshalled as JSON it is the body
// for the client, as in [ChallengeError]; no other form of it shows the token.
type Challenge struct {
	// Token ("mfa_tmp_...") is what VerifyLogin, VerifyStepUp and SendCode take.
	Token  string
	Action string
	// Methods are those that the user may answer with, in the order in which to
	// offer them.
	Methods []Method
	// Phone is the masked number of MethodSMS, empty without one.
	Phone     string
	ExpiresAt time.Time
}

// MarshalJSON encodes the body for the client.
func (c Challenge) MarshalJSON() ([]byte, error) {
	return json.Marshal(prompt{Required: true, Token: c.Token, Methods: c.Methods})
}

// prompt is the body that clients receive instead of a session.
type prompt struct {
	Required           bool     `json:"mfa_required,omitempty"`
	EnrollmentRequired bool     `json:"mfa_enrollment_required,omitempty"`
	Token              string   `json:"mfa_token"`
	Methods            []Method `json:"available_methods"`
}

// challenge asks u for a code.
func (e *Engine) challenge(u *user, action string) (*Challenge, error) {
	c := &Challenge{Action: action, ExpiresAt: u.now.Add(e.config.ChallengeTTL)}
	var err error
	if c.Methods, err = e.availableMethods(u); err != nil {
		return nil, err
	}
	if slices.Contains(c.Methods, MethodSMS) {
		c.Phone = maskPhone(u.SMS.Phone)
	}
	claims := token.Claims{UserID: u.id, Action: action, Issued: u.IssueAt(u.now), Expires: c.ExpiresAt, Epoch: u.Epoch}
	rand.Read(claims.ID[:])
	c.Token = token.Seal(e.ring, token.Challenge, claims)
	u.event(EventChallenged, "", action, nil)
	return c, nil
}

// availableMethods returns the methods that a user with a factor may answer
// with. Without any it is an error, never a way in.
func (e *Engine) availableMethods(u *user) ([]Method, error) {
	var available []Method
	refusal := ErrMethodUnavailable
	for _, f := range u.Factors() {
		switch {
		case f.Lane.Closed(u.now):
			refusal = ErrFactorDisabled
		case f.Method == MethodSMS && e.config.SMS == nil:
		case f.Method == MethodBackupCode && u.BackupCodesLeft() == 0:
		default:
			available = append(available, f.Method)
		}
	}
	if len(available) == 0 {
		return nil, refusal
	}
	return available, nil
}

// verify judges a code for the challenge of a token.
func (e *Engine) verify(ctx context.Context, text, action, code string) (*Login, error) {
	digits, letters, err := parseCode(code)
	if err != nil {
		return nil, err
	}
	claims, err := e.openChallenge(text)
	if err != nil {
		return nil, err
	}
	if claims.Action != action {
		return nil, ErrInvalidToken
	}
	ticket := ticketOf(claims)
	if letters == "" {
		guess := e.guess(digits, func(tag seal.Tag) bool {
			return e.ring.Verify(tag, challengeCode, claims.UserID, string(claims.ID[:]), digits)
		})
		return e.judge(ctx, claims, func(u *user) record.Verdict { return u.Answer(ticket, guess, u.now) })
	}
	symbols, ok := parseBackupCode(letters)
	if !ok {
		return e.judge(ctx, claims, func(u *user) record.Verdict { return u.Misspelled(ticket, u.now) })
	}
	hash, err := e.chargeAndHash(ctx, claims, symbols)
	if err != nil {
		return nil, err
	}
	return e.judge(ctx, claims, func(u *user) record.Verdict {
		// A wrong code is saved like a right one: a store that fails must not
		// make a difference between them.
		u.mustSave = true
		return u.Redeem(ticket, hash, u.now)
	})
}

// judge carries out a decision. OnEvent and the caller learn the verdict once it
// is saved.
func (e *Engine) judge(ctx context.Context, claims token.Claims, decide func(u *user) record.Verdict) (*Login, error) {
	var login *Login
	err := e.update(ctx, claims.UserID, func(u *user) error {
		verdict := decide(u)
		if err := u.report(verdict, claims.Action); err != nil {
			return err
		}
		login = e.login(u, verdict.Method, claims.Action)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return login, nil
}

// chargeAndHash charges an attempt at a backup code, then computes its hash.
func (e *Engine) chargeAndHash(ctx context.Context, claims token.Claims, symbols string) (hash record.BackupHash, err error) {
	var codes record.BackupCodes
	err = e.update(ctx, claims.UserID, func(u *user) error {
		if err := u.report(u.Charge(ticketOf(claims), u.now), claims.Action); err != nil {
			return err
		}
		codes = *u.BackupCodes
		return nil
	})
	if err != nil {
		return hash, err
	}
	return e.hashing.hash(ctx, symbols, codes.Salt, codes.Cost)
}

// guess returns a one-time code with what the engine's settings say about it.
func (e *Engine) guess(digits string, sent func(seal.Tag) bool) record.Guess {
	guess := record.Guess{Digits: digits, Reach: 1, Sent: sent}
	if e.config.TOTP.Strict {
		guess.Reach = 0
	}
	return guess
}

// report turns a verdict into events and the caller's error.
func (u *user) report(v record.Verdict, action string) error {
	switch v.Result {
	case record.Admitted:
		return nil
	case record.Accepted:
		if action == ActionEnroll {
			u.event(EventEnrolled, v.Method, action, nil)
		} else {
			u.event(EventVerified, v.Method, action, nil)
		}
		return nil
	case record.Wrong:
		err := &CodeError{TriesLeft: v.TriesLeft}
		u.event(EventRefused, v.Method, action, err)
		for _, disabled := range v.Disabled {
			u.event(EventFactorDisabled, disabled, action, ErrFactorDisabled)
		}
		return err
	case record.Replayed:
		err := &CodeError{TriesLeft: v.TriesLeft}
		u.event(EventReplayed, v.Method, action, err)
		return err
	case record.Unjudged:
		return &CodeError{TriesLeft: v.TriesLeft}
	case record.Throttled:
		return u.throttled(v.RetryAt, v.Method, action)
	case record.Disabled:
		u.event(EventThrottled, v.Method, action, ErrFactorDisabled)
		return ErrFactorDisabled
	}
	return ErrInvalidToken
}

func (e *Engine) openChallenge(text string) (token.Claims, error) {
	return e.openToken(token.Challenge, text, e.config.ChallengeTTL)
}

func (e *Engine) openEnrollment(text string) (token.Claims, error) {
	return e.openToken(token.Enrollment, text, e.config.EnrollmentTTL)
}

// clockSkew is how far apart the clocks of two processes may be, as in RFC 4120
// §3.1.3. A token or pending factor that is valid for longer than one begun
// then could be was made by a clock that ran ahead.
const clockSkew = 5 * time.Minute

// openToken opens a token of a kind that is neither forged nor expired. The
// caller checks it against the user's record.
func (e *Engine) openToken(kind token.Kind, text string, ttl time.Duration) (token.Claims, error) {
	claims, ok := token.Open(e.ring, kind, text)
	now := e.now()
	if !ok || !now.Before(claims.Expires) || claims.Expires.After(now.Add(ttl+clockSkew)) {
		return token.Claims{}, ErrInvalidToken
	}
	return claims, nil
}

func ticketOf(claims token.Claims) record.Ticket {
	return record.Ticket{ID: claims.ID, Epoch: claims.Epoch, Issued: claims.Issued, Expires: claims.Expires}
}
