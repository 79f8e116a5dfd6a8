package mfa

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/token"
)

// What a challenge is for. The other actions are the host's.
const (
	ActionLogin  = "login"
	ActionManage = "manage" // changing factors
	ActionEnroll = "enroll" // of a Login that an enrollment gave, and of its message
)

// A Challenge asks a user for a code. As JSON it is the body for the client,
// as of [ChallengeError]; no other form of it shows the token.
type Challenge struct {
	Token     string // mfa_tmp_...
	Action    string
	Methods   []Method // what the user may answer with, in the order to offer it
	Phone     string   // masked; "" without sms
	ExpiresAt time.Time
}

// MarshalJSON writes the body for the client.
func (c Challenge) MarshalJSON() ([]byte, error) {
	return json.Marshal(prompt{Required: true, Token: c.Token, Methods: orEmpty(c.Methods)})
}

// Format does not show the token, whatever the verb.
func (c Challenge) Format(f fmt.State, _ rune) { io.WriteString(f, c.redacted()) }

// LogValue does not show the token.
func (c Challenge) LogValue() slog.Value { return slog.StringValue(c.redacted()) }

func (c Challenge) redacted() string {
	return fmt.Sprintf("mfa.Challenge{redacted, Action:%q Methods:%s}", c.Action, joinMethods(c.Methods))
}

// prompt is what clients get instead of a session.
type prompt struct {
	Required           bool     `json:"mfa_required,omitempty"`
	EnrollmentRequired bool     `json:"mfa_enrollment_required,omitempty"`
	Token              string   `json:"mfa_token"`
	Methods            []Method `json:"available_methods"`
}

// A Login says that a user has proved a second factor.
type Login struct {
	UserID          string    `json:"user_id"`
	Method          Method    `json:"method"`
	AMR             []string  `json:"amr"` // RFC 8176; the host adds "pwd" where there was a password
	Time            time.Time `json:"time"`
	Action          string    `json:"action"`
	BackupCodesLeft int       `json:"backup_codes_left"`

	// Proof is for WithProof and TrustDevice, after a login, an enrollment or
	// an ActionManage step-up: keep it in the session. It is good for
	// Config.ProofTTL. "" after any other step-up.
	Proof string `json:"-"`
}

// Format does not show the proof, whatever the verb.
func (l Login) Format(f fmt.State, _ rune) { io.WriteString(f, l.redacted()) }

// LogValue does not show the proof.
func (l Login) LogValue() slog.Value { return slog.StringValue(l.redacted()) }

func (l Login) redacted() string {
	return fmt.Sprintf("mfa.Login{UserID:%q Method:%s Action:%q Time:%s redacted}", l.UserID, l.Method, l.Action, l.Time.Format(time.RFC3339))
}

// A TrustedDevice is one on which its user is not asked for a code.
type TrustedDevice struct {
	Token     string    `json:"-"` // mfa_dev_...; for a cookie that scripts cannot read
	ExpiresAt time.Time `json:"expires_at"`
}

// Format does not show the token, whatever the verb.
func (d TrustedDevice) Format(f fmt.State, _ rune) { io.WriteString(f, d.redacted()) }

// LogValue does not show the token.
func (d TrustedDevice) LogValue() slog.Value { return slog.StringValue(d.redacted()) }

func (d TrustedDevice) redacted() string {
	return fmt.Sprintf("mfa.TrustedDevice{redacted, ExpiresAt:%s}", d.ExpiresAt.Format(time.RFC3339))
}

// A LoginOption is an option of BeginLogin.
type LoginOption func(*loginOptions)

type loginOptions struct{ device string }

// WithTrustedDevice shows the Token of a [TrustedDevice]. One that does not
// hold is the same as none.
func WithTrustedDevice(token string) LoginOption {
	return func(o *loginOptions) { o.device = token }
}

// BeginLogin asks whether a user, whose password (or whatever comes first) was
// right, may pass. Only nil means yes: nothing is enrolled and nothing
// required, or the device is trusted. A user who must answer a challenge gets a
// *ChallengeError, one who must enroll first an *EnrollmentError.
func (e *Engine) BeginLogin(ctx context.Context, userID string, opts ...LoginOption) error {
	var options loginOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&options)
		}
	}
	u, err := e.load(ctx, userID)
	if err != nil {
		return err
	}
	if !u.Enrolled() {
		return e.mayPassWithout(ctx, u)
	}
	if e.trusts(u, options.device) {
		u.event(EventDeviceAccepted, "", ActionLogin, nil)
		e.emit(ctx, u.events...)
		return nil
	}
	challenge, err := e.challenge(u, ActionLogin)
	if err != nil {
		return err
	}
	e.emit(ctx, u.events...)
	return &ChallengeError{*challenge}
}

// mayPassWithout is for a user without factors.
func (e *Engine) mayPassWithout(ctx context.Context, u *user) error {
	required, err := e.required(ctx, u.id)
	if err != nil {
		return err
	}
	if !required {
		return nil
	}
	enrollment := &EnrollmentError{Methods: []Method{MethodTOTP}, ExpiresAt: u.now.Add(e.config.EnrollmentTTL)}
	if e.config.SMS != nil {
		enrollment.Methods = append(enrollment.Methods, MethodSMS)
	}
	enrollment.Token = token.Seal(e.ring, token.Enrollment, token.Claims{
		UserID: u.id, Issued: u.now, Expires: enrollment.ExpiresAt, Epoch: u.Epoch,
	})
	return enrollment
}

// EnrollmentUser gives the user of an EnrollmentError's token, as long as it is
// fresh and that user still has no factor: it leads to the enrollment pages
// and nowhere else.
func (e *Engine) EnrollmentUser(ctx context.Context, token string) (userID string, err error) {
	claims, err := e.openEnrollment(token)
	if err != nil {
		return "", err
	}
	u, err := e.load(ctx, claims.UserID)
	if err != nil {
		return "", err
	}
	if u.Enrolled() || claims.Epoch != u.Epoch {
		return "", ErrInvalidToken
	}
	return u.id, nil
}

// VerifyLogin answers a login challenge with a code: one of the authenticator
// app, the one that SendCode sent, or a backup code. A nil error means that the
// user is in.
func (e *Engine) VerifyLogin(ctx context.Context, token, code string) (*Login, error) {
	return e.answer(ctx, token, ActionLogin, code)
}

// BeginStepUp asks a user who is logged in to prove a factor again, for one
// action of the host's: 1 to 64 printable bytes. ActionManage allows changing
// factors; ActionLogin and ActionEnroll are refused.
func (e *Engine) BeginStepUp(ctx context.Context, userID, action string) (*Challenge, error) {
	if action == "" || len(action) > maxAction || !printable(action) || action == ActionLogin || action == ActionEnroll {
		return nil, fmt.Errorf("%w: the action must be 1 to %d printable bytes, and not %q or %q", ErrInvalidInput, maxAction, ActionLogin, ActionEnroll)
	}
	u, err := e.load(ctx, userID)
	if err != nil {
		return nil, err
	}
	if !u.Enrolled() {
		return nil, ErrNotEnrolled
	}
	challenge, err := e.challenge(u, action)
	if err != nil {
		return nil, err
	}
	e.emit(ctx, u.events...)
	return challenge, nil
}

// VerifyStepUp answers the challenge of a step-up for this action, or of a
// ChallengeError that an operation which changes factors returned
// (ActionManage).
func (e *Engine) VerifyStepUp(ctx context.Context, token, action, code string) (*Login, error) {
	if action == ActionLogin || action == ActionEnroll {
		return nil, ErrInvalidToken
	}
	return e.answer(ctx, token, action, code)
}

// SendCode sends a code to the user's phone, for the challenge of this token
// alone. Calling it again sends another code and kills the first. Over a limit
// it is a *ThrottledError, and nothing is sent or changed.
func (e *Engine) SendCode(ctx context.Context, token string) (*SMSDelivery, error) {
	claims, err := e.openChallenge(token)
	if err != nil {
		return nil, err
	}
	ticket := ticketOf(claims)
	var phone string
	maySend := func(u *user) (record.Challenge, error) {
		c, ok := u.Open(ticket, u.now)
		switch {
		case !ok:
			return c, ErrInvalidToken
		case e.config.SMS == nil || u.SMS == nil:
			return c, ErrMethodUnavailable
		case u.SMS.Lane.Closed(u.now):
			return c, ErrFactorDisabled
		}
		phone = u.SMS.Phone
		return c, u.throttled(u.SendFor(c), MethodSMS, claims.Action)
	}
	err = e.update(ctx, claims.UserID, func(u *user) error {
		_, err := maySend(u)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := e.allow(ctx, claims.UserID, phone); err != nil {
		return nil, err
	}
	message := SMS{Code: newSMSCode(), UserID: claims.UserID, Action: claims.Action}
	tag := e.ring.MAC(challengeCode, claims.UserID, string(claims.ID[:]), message.Code)
	var delivery *SMSDelivery
	var cooldown time.Time
	err = e.update(ctx, claims.UserID, func(u *user) error {
		c, err := maySend(u)
		if err != nil {
			return err
		}
		message.To = phone
		message.ExpiresAt = earlier(u.now.Add(e.config.SMSCodes.TTL), claims.Expires)
		resend := u.Send(c, record.Code{Tag: tag, Expires: message.ExpiresAt}, u.now, e.config.SMSCodes.Cooldown)
		cooldown = u.Sent.Cooldown
		delivery = &SMSDelivery{Phone: maskPhone(phone), ExpiresAt: message.ExpiresAt, ResendAfter: resend}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := e.deliver(ctx, message, func(u *user) { u.Undelivered(ticket, tag, cooldown, u.now) }); err != nil {
		return nil, err
	}
	return delivery, nil
}

// TrustDevice lets a user who has just proved a factor pass on this device
// without one: proof is the Proof of a Login.
func (e *Engine) TrustDevice(ctx context.Context, userID, proof string) (*TrustedDevice, error) {
	u, err := e.load(ctx, userID)
	if err != nil {
		return nil, err
	}
	if !u.Enrolled() || !e.proves(u, proof) {
		return nil, ErrInvalidToken
	}
	device := &TrustedDevice{ExpiresAt: u.now.Add(e.config.TrustedDeviceTTL)}
	device.Token = token.Seal(e.ring, token.Device, token.Claims{
		UserID: u.id, Issued: u.now, Expires: device.ExpiresAt, Epoch: u.Devices,
	})
	u.event(EventDeviceTrusted, "", "", nil)
	e.emit(ctx, u.events...)
	return device, nil
}

// ForgetDevices ends the trust in every device of a user.
func (e *Engine) ForgetDevices(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		if u.exists() {
			u.ForgetDevices()
		}
		u.event(EventDevicesForgotten, "", "", nil)
		return nil
	})
}

// challenge asks u for a code.
func (e *Engine) challenge(u *user, action string) (*Challenge, error) {
	c := &Challenge{Action: action, ExpiresAt: u.now.Add(e.config.ChallengeTTL)}
	var err error
	if c.Methods, err = e.answers(u); err != nil {
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

// answers are the methods that a user with a factor may answer with. Having
// none is an error, never a way in.
func (e *Engine) answers(u *user) ([]Method, error) {
	var available []Method
	refusal := ErrMethodUnavailable
	for _, f := range u.Factors() {
		switch {
		case f.Lane.Closed(u.now):
			refusal = ErrFactorDisabled
		case f.Method == record.MethodSMS && e.config.SMS == nil:
		case f.Method == record.MethodBackupCode && u.BackupCodesLeft() == 0:
		default:
			available = append(available, methods[f.Method])
		}
	}
	if len(available) == 0 {
		return nil, refusal
	}
	return available, nil
}

// answer judges a code for a challenge.
func (e *Engine) answer(ctx context.Context, text, action, code string) (*Login, error) {
	if len(code) > maxCode {
		return nil, ErrInvalidCode
	}
	claims, err := e.openChallenge(text)
	if err != nil {
		return nil, err
	}
	if claims.Action != action {
		return nil, ErrInvalidToken
	}
	ticket := ticketOf(claims)
	digits, letters := parseCode(code)
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
		// tell them apart.
		u.mustSave = true
		return u.Redeem(ticket, hash, u.now)
	})
}

// judge carries out a verdict: it is saved, told to OnEvent, and only then to
// the caller.
func (e *Engine) judge(ctx context.Context, claims token.Claims, decide func(u *user) record.Verdict) (*Login, error) {
	var login *Login
	err := e.update(ctx, claims.UserID, func(u *user) error {
		verdict := decide(u)
		if err := u.report(verdict, claims.Action); err != nil {
			return err
		}
		login = e.login(u, methods[verdict.Method], claims.Action)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return login, nil
}

// chargeAndHash pays for a backup code, then computes its hash.
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

// report turns a verdict into events and the caller's error.
func (u *user) report(v record.Verdict, action string) error {
	method := methods[v.Method]
	switch v.Result {
	case record.Admitted:
		return nil
	case record.Accepted:
		if action == ActionEnroll {
			u.event(EventEnrolled, method, action, nil)
		} else {
			u.event(EventVerified, method, action, nil)
		}
		return nil
	case record.Wrong:
		err := &CodeError{TriesLeft: v.TriesLeft}
		u.event(EventRefused, method, action, err)
		for _, disabled := range v.Disabled {
			u.event(EventFactorDisabled, methods[disabled], action, ErrFactorDisabled)
		}
		return err
	case record.Replayed:
		err := &CodeError{TriesLeft: v.TriesLeft}
		u.event(EventReplayed, method, action, err)
		return err
	case record.Unjudged:
		return &CodeError{TriesLeft: v.TriesLeft}
	case record.Throttled:
		return u.throttled(v.RetryAt, method, action)
	case record.Disabled:
		u.event(EventThrottled, method, action, ErrFactorDisabled)
		return ErrFactorDisabled
	}
	return ErrInvalidToken
}

// login is what a user gets who has proved a factor.
func (e *Engine) login(u *user, method Method, action string) *Login {
	login := &Login{
		UserID:          u.id,
		Method:          method,
		AMR:             amr(method),
		Time:            u.now,
		Action:          action,
		BackupCodesLeft: u.BackupCodesLeft(),
	}
	if action == ActionLogin || action == ActionEnroll || action == ActionManage {
		login.Proof = token.Seal(e.ring, token.Proof, token.Claims{
			UserID: u.id, Issued: u.now, Expires: u.now.Add(e.config.ProofTTL), Epoch: u.Epoch,
		})
	}
	return login
}

// amr are the authentication method references of RFC 8176 §2. None is
// registered for backup codes.
func amr(method Method) []string {
	switch method {
	case MethodTOTP:
		return []string{"otp", "mfa"}
	case MethodSMS:
		return []string{"sms", "mfa"}
	}
	return []string{"mfa"}
}

// proves tells whether proof is a fresh one of this user's.
func (e *Engine) proves(u *user, proof string) bool {
	claims, err := e.openToken(token.Proof, proof, e.config.ProofTTL)
	return err == nil && claims.UserID == u.id && claims.Epoch == u.Epoch
}

// trusts tells whether device is a trusted one of this user's.
func (e *Engine) trusts(u *user, device string) bool {
	claims, err := e.openToken(token.Device, device, e.config.TrustedDeviceTTL)
	return err == nil && claims.UserID == u.id && claims.Epoch == u.Devices
}

func (e *Engine) openChallenge(text string) (token.Claims, error) {
	return e.openToken(token.Challenge, text, e.config.ChallengeTTL)
}

func (e *Engine) openEnrollment(text string) (token.Claims, error) {
	return e.openToken(token.Enrollment, text, e.config.EnrollmentTTL)
}

// clockSkew is by how much the clocks of two processes may differ, the same as
// in RFC 4120 §3.1.3. A token, or a pending factor, that lives longer than one
// begun then could was made by a clock that ran ahead.
const clockSkew = 5 * time.Minute

// openToken opens a token of that kind that is neither forged nor expired.
// Whether the user's record still bears it out is for the caller to see.
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

const (
	maxCode   = 64 // bytes
	maxAction = 64 // bytes
)

// parseCode sorts what somebody typed, white space and dashes dropped: ASCII
// digits alone, or something with a letter in it, or neither.
func parseCode(text string) (digits, letters string) {
	if isDigits(text) { // as nearly always
		return text, ""
	}
	text = strings.Map(func(r rune) rune {
		if isFiller(r) {
			return -1
		}
		return r
	}, text)
	if isDigits(text) {
		return text, ""
	}
	if strings.ContainsFunc(text, unicode.IsLetter) {
		return "", text
	}
	return "", ""
}

func joinMethods(list []Method) string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
