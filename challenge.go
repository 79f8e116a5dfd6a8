package mfa

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
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

// What verify takes besides the users and actions that challenges have.
const (
	anyUser  = "" // the user of the token, whoever that is
	noAction = "" // which no challenge is for
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
	// Factors are those that may answer, in the same order, each with its ID,
	// Method, Label and masked Phone alone.
	Factors   []Factor
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
	if err := e.offer(u, c); err != nil {
		return nil, err
	}
	claims := token.Claims{UserID: u.id, Action: action, Issued: u.IssueAt(u.now), Expires: c.ExpiresAt, Epoch: u.Epoch}
	rand.Read(claims.ID[:])
	c.Token = token.Seal(e.ring, token.Challenge, claims)
	u.event(Event{Type: EventChallenged, Action: action, ChallengeID: e.aboutChallenge(claims).ChallengeID})
	return c, nil
}

// offer sets what a user with a factor may answer with. Nothing at all is an
// error, never a way in.
func (e *Engine) offer(u *user, c *Challenge) error {
	refusal := ErrMethodUnavailable
	for _, f := range u.Factors() {
		switch {
		case u.Lane(f.Method).Closed(u.now):
			refusal = ErrFactorDisabled
		case !e.offers(f.Method):
		case f.Method == MethodBackupCode && u.BackupCodesLeft() == 0:
		default:
			if !slices.Contains(c.Methods, f.Method) {
				c.Methods = append(c.Methods, f.Method)
			}
			c.Factors = append(c.Factors, Factor{ID: factorID(f.ID), Method: f.Method, Label: f.Label, Phone: u.phone(f)})
		}
	}
	if len(c.Methods) == 0 {
		return refusal
	}
	return nil
}

// verify judges an answer to the challenge of a token, which must be this user's
// and for this action.
func (e *Engine) verify(ctx context.Context, text, userID, action, answered string) (*Login, error) {
	input, err := parseAnswer(answered)
	if err != nil {
		return nil, err
	}
	claims, err := e.openChallenge(ctx, text)
	if err != nil {
		return nil, err
	}
	if claims.Action != action || userID != anyUser && claims.UserID != userID {
		return nil, e.refuseToken(ctx, claims)
	}
	ticket := ticketOf(claims)
	switch {
	case input.passkey != "" && e.config.Passkeys != nil:
		return e.judge(ctx, claims, func(u *user) record.Verdict {
			return u.AnswerPasskey(ticket, e.passkeyRequest(u, claims, input.passkey), u.now)
		})
	case input.letters != "":
		return e.verifyBackupCode(ctx, claims, input.letters)
	}
	guess := e.guess(input.digits, func(tag seal.Tag) bool {
		return e.ring.Verify(tag, challengeCode, claims.UserID, string(claims.ID[:]), input.digits)
	})
	return e.judge(ctx, claims, func(u *user) record.Verdict { return u.Answer(ticket, guess, u.now) })
}

func (e *Engine) verifyBackupCode(ctx context.Context, claims token.Claims, letters string) (*Login, error) {
	ticket := ticketOf(claims)
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
		if err := u.report(verdict, e.aboutChallenge(claims)); err != nil {
			return err
		}
		u.event(u.verified(verdict, e.aboutChallenge(claims)))
		login = e.login(u, verdict, claims.Action)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return login, nil
}

// verified returns the event about an answer that was accepted.
func (u *user) verified(v record.Verdict, about Event) Event {
	event := u.about(v.Factor)
	event.Type, event.Method, event.Action, event.ChallengeID = EventVerified, v.Method, about.Action, about.ChallengeID
	return event
}

// chargeAndHash charges an attempt at a backup code, then computes its hash. If
// that fails nothing was compared, and the charge is taken back.
func (e *Engine) chargeAndHash(ctx context.Context, claims token.Claims, symbols string) (hash record.BackupHash, err error) {
	ticket := ticketOf(claims)
	var codes record.BackupCodes
	var charged, before time.Time
	err = e.update(ctx, claims.UserID, func(u *user) error {
		before = u.Lanes.BackupCode.LastFailure
		if err := u.report(u.Charge(ticket, u.now), e.aboutChallenge(claims)); err != nil {
			return err
		}
		codes, charged = *u.BackupCodes, u.now
		return nil
	})
	if err != nil {
		return hash, err
	}
	if hash, err = e.hashing.check(ctx, symbols, codes.Salt, codes.Cost); err != nil {
		// If this fails too the charge stays, which errs on the safe side.
		_ = e.undo(ctx, claims.UserID, func(u *user) { u.Uncharge(ticket, charged, before, u.now) })
	}
	return hash, err
}

// guess returns a one-time code with what the engine's settings say about it.
func (e *Engine) guess(digits string, sent func(seal.Tag) bool) record.Guess {
	guess := record.Guess{Digits: digits, Reach: 1, Sent: sent}
	if e.config.TOTP.Strict {
		guess.Reach = 0
	}
	return guess
}

// report returns the caller's error for a verdict, nil if the code was accepted
// or may be compared, and adds the events about a refusal.
func (u *user) report(v record.Verdict, about Event) error {
	about.Method, about.Failures = v.Method, v.Failures
	switch v.Result {
	case record.Accepted, record.Admitted:
		return nil
	case record.Wrong:
		err := &CodeError{TriesLeft: v.TriesLeft}
		about.Type, about.Err = EventRefused, err
		if v.Err != nil {
			about.Err = fmt.Errorf("%w: %w", err, v.Err)
		}
		u.event(about)
		for _, disabled := range v.Disabled {
			about.Type, about.Method, about.Err = EventFactorDisabled, disabled, ErrFactorDisabled
			u.event(about)
		}
		return err
	case record.Cloned:
		err := fmt.Errorf("%w: %w", &CodeError{TriesLeft: v.TriesLeft}, ErrClonedPasskey)
		about.Type, about.Err = EventRefused, err
		u.event(about)
		return err
	case record.Replayed:
		err := &CodeError{TriesLeft: v.TriesLeft, Spent: true}
		about.Type, about.Err = EventReplayed, err
		u.event(about)
		return err
	case record.Unjudged:
		return &CodeError{TriesLeft: v.TriesLeft}
	case record.Throttled:
		return u.throttled(v.RetryAt, false, about)
	case record.Disabled:
		about.Type, about.Err = EventThrottled, ErrFactorDisabled
		u.event(about)
		return ErrFactorDisabled
	}
	about.Type, about.Err = EventTokenRefused, ErrInvalidToken
	u.event(about)
	return ErrInvalidToken
}

func (e *Engine) openChallenge(ctx context.Context, text string) (token.Claims, error) {
	return e.openOrReport(ctx, token.Challenge, text, e.config.ChallengeTTL)
}

func (e *Engine) openEnrollment(ctx context.Context, text string) (token.Claims, error) {
	return e.openOrReport(ctx, token.Enrollment, text, e.config.EnrollmentTTL)
}

// openOrReport is openToken with an event for a token that is refused.
func (e *Engine) openOrReport(ctx context.Context, kind token.Kind, text string, ttl time.Duration) (token.Claims, error) {
	claims, err := e.openToken(kind, text, ttl)
	if err != nil && claims.UserID != "" {
		return token.Claims{}, e.refuseToken(ctx, claims)
	}
	return claims, err
}

// refuseToken refuses a token of the engine's own making.
func (e *Engine) refuseToken(ctx context.Context, claims token.Claims) error {
	event := e.aboutChallenge(claims)
	event.Type, event.UserID, event.Time, event.Err = EventTokenRefused, claims.UserID, e.now(), ErrInvalidToken
	e.emit(ctx, event)
	return ErrInvalidToken
}

// clockSkew is how far apart the clocks of two processes may be, as in RFC 4120
// §3.1.3. A token or pending factor that is valid for longer than one begun
// now could be was made by a clock that ran ahead.
const clockSkew = 5 * time.Minute

// openToken opens a token of a kind that is neither forged nor expired: it
// expires when it says, or ttl after its issue if that is earlier now. With an
// error come the claims of a token that is not forged. The caller checks the
// claims against the user's record.
func (e *Engine) openToken(kind token.Kind, text string, ttl time.Duration) (token.Claims, error) {
	claims, ok := token.Open(e.ring, kind, text)
	if !ok {
		return token.Claims{}, ErrInvalidToken
	}
	now := e.now()
	claims.Expires = earlier(claims.Expires, claims.Issued.Add(ttl))
	if !now.Before(claims.Expires) || claims.Expires.After(now.Add(ttl+clockSkew)) {
		return claims, ErrInvalidToken
	}
	return claims, nil
}

func ticketOf(claims token.Claims) record.Ticket {
	return record.Ticket{ID: claims.ID, Epoch: claims.Epoch, Issued: claims.Issued, Expires: claims.Expires}
}

// aboutChallenge returns an event with what a token says about its challenge.
func (e *Engine) aboutChallenge(claims token.Claims) Event {
	event := Event{Action: claims.Action}
	if e.config.OnEvent != nil && claims.ID != ([8]byte{}) { // which enrollment tokens lack
		event.ChallengeID = hex.EncodeToString(claims.ID[:])
	}
	return event
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
