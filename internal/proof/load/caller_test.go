package load

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfatest"
)

// A user is a user's devices and knowledge. One caller acts for it.
type user struct {
	id    string
	now   time.Time // of the user's own clock, which never goes back
	app   *mfatest.Authenticator
	codes []string // unspent backup codes that the user knows
	phone bool
	anew  bool // the operation under way replaces the app

	device  string    // a trusted device's token; "" for none
	trusted time.Time // when that trust expires
}

// A caller acts for its users, on engines of its own, as one of many processes
// would.
type caller struct {
	soak   *soak
	ctx    context.Context
	random *mathrand.Rand
	clock  *mfatest.Clock // shows the time of the user it acts for
	code   string         // from the last message
	users  []*user
	config mfa.Config
	engine *mfa.Engine
	sure   *mfa.Engine // on the same store, without faults
	took   map[string]*latencies
}

func (s *soak) newCaller(ctx context.Context, number uint64) (*caller, error) {
	c := &caller{soak: s, ctx: ctx, random: mathrand.New(mathrand.NewPCG(1, number)), clock: mfatest.NewClock(start), took: make(map[string]*latencies)}
	c.config = mfa.Config{Issuer: "ACME", Keys: [][]byte{world.Key(1)}, SMS: c, Now: c.clock.Now,
		SMSCodes: mfa.SMSConfig{InsecureNoNumberLimits: true}, BackupCodes: mfa.BackupCodeConfig{Count: s.plan.codes}}
	var err error
	if c.engine, err = c.on(s.faulty); err == nil {
		c.sure, err = c.on(s.ledger)
	}
	return c, err
}

// SendSMS implements mfa.SMSSender.
func (c *caller) SendSMS(_ context.Context, message mfa.SMS) error {
	c.code = message.Code
	return nil
}

// on returns an engine like the caller's on another store.
func (c *caller) on(store mfa.Store) (*mfa.Engine, error) {
	config := c.config
	config.Store = store
	return mfa.New(config)
}

// newKey returns the URI of a key from another system.
func newKey(user string) string {
	var secret [20]byte
	rand.Read(secret[:])
	return "otpauth://totp/ACME:" + user + "?secret=" + base32.StdEncoding.EncodeToString(secret[:]) + "&issuer=ACME"
}

// adopt imports an app that a user had in another system.
func (c *caller) adopt(u *user) error {
	uri := newKey(u.id)
	app, err := mfatest.NewAuthenticator(uri)
	if err == nil {
		u.app, u.anew = app, false
		err = c.sure.ImportTOTP(c.ctx, u.id, uri)
	}
	return err
}

// An operation returns an error if the engine does not answer as it must.
type operation struct {
	weight int
	do     func(c *caller, u *user) error
}

var operations = []operation{
	{600, (*caller).loginByApp}, {100, (*caller).stepUp}, {100, (*caller).status}, {60, (*caller).loginOnDevice},
	{15, (*caller).loginByBackupCode}, {15, (*caller).loginBySMS}, {15, (*caller).enrollApp}, {15, (*caller).changePassword},
	{15, (*caller).sameCodeTwice}, {10, (*caller).guess}, {5, (*caller).removePhone}, {20, (*caller).startAgain},
}

// next does one operation for one user.
func (c *caller) next() {
	total := 0
	for _, o := range operations {
		total += o.weight
	}
	n, do := c.random.IntN(total), operations[0].do
	for _, o := range operations {
		if n -= o.weight; n < 0 {
			do = o.do
			break
		}
	}
	u := c.users[c.random.IntN(len(c.users))]
	c.wait(u, period+time.Duration(c.random.Int64N(int64(10*time.Minute))))
	if err := do(c, u); err != nil {
		if !errors.Is(err, world.ErrStore) {
			c.soak.findings.add(ofUser, "%s: %v", u.id, err)
		}
		c.settle(u)
	}
}

// wait advances a user's clock by d, so that the app shows a code that was not
// accepted before.
func (c *caller) wait(u *user, d time.Duration) {
	u.now = u.now.Add(d)
	c.clock.Set(u.now)
}

// settle finds out which state a fault has left. What was acknowledged before it
// must still hold.
func (c *caller) settle(u *user) {
	status, err := c.sure.Status(c.ctx, u.id)
	if err != nil {
		c.soak.findings.add(ofUser, "%s: %v", u.id, err)
		return
	}
	has := make(map[mfa.Method]bool)
	for _, f := range status.Factors {
		has[f.Method] = true
	}
	if u.phone, u.device = has[mfa.MethodSMS], ""; status.BackupCodesLeft != len(u.codes) {
		u.codes = nil // there are some, but it is unknown which
	}
	if err = c.sure.Unlock(c.ctx, u.id); u.anew || !has[mfa.MethodTOTP] {
		u.codes, u.phone = nil, false
		err = errors.Join(err, c.sure.Reset(c.ctx, u.id), c.adopt(u))
	}
	if err != nil {
		c.soak.findings.add(ofUser, "%s: %v", u.id, err)
	}
}

// timed records how long an operation takes unless a fault hits it.
func (c *caller) timed(operation string, do func() error) error {
	before := time.Now()
	err := do()
	if !errors.Is(err, world.ErrStore) {
		if c.took[operation] == nil {
			c.took[operation] = new(latencies)
		}
		c.took[operation].add(time.Since(before))
	}
	return err
}

// refused returns nil if err is want, and otherwise an error that wraps err.
func refused(what string, err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("%s: got %w, want %v", what, orNil(err), want)
}

var errNil = errors.New("success")

func orNil(err error) error {
	if err == nil {
		return errNil
	}
	return err
}

// begin begins a login that must be challenged.
func (c *caller) begin(u *user, opts ...mfa.LoginOption) (token string, err error) {
	err = c.engine.BeginLogin(c.ctx, u.id, opts...)
	var challenge *mfa.ChallengeError
	if errors.As(err, &challenge) {
		return challenge.Token, nil
	}
	return "", fmt.Errorf("not challenged: %w", orNil(err))
}

// answer begins a login and answers it.
func (c *caller) answer(u *user, code string) (*mfa.Login, error) {
	token, err := c.begin(u)
	if err != nil {
		return nil, err
	}
	return c.engine.VerifyLogin(c.ctx, token, code)
}

func (c *caller) loginByApp(u *user) error {
	code := u.app.Code(u.now)
	if err := c.timed("login by app", func() error { _, err := c.answer(u, code); return err }); err != nil {
		return err
	}
	if c.random.IntN(20) > 0 {
		return nil
	}
	return c.timed("login, spent code of the app", func() error {
		_, err := c.answer(u, code)
		return refused("a spent code", err, mfa.ErrInvalidCode)
	})
}

func (c *caller) stepUp(u *user) error {
	return c.timed("step-up", func() error { _, err := c.prove(u, "pay"); return err })
}

// prove answers a step-up with a code from the app.
func (c *caller) prove(u *user, action string) (mfa.ChangeOption, error) {
	challenge, err := c.engine.BeginStepUp(c.ctx, u.id, action)
	if err != nil {
		return nil, err
	}
	login, err := c.engine.VerifyStepUp(c.ctx, u.id, challenge.Token, action, u.app.Code(u.now))
	if err != nil {
		return nil, err
	}
	return mfa.WithProof(login.Proof), nil
}

// status checks the result of Status, and the version in the store, against what
// was acknowledged.
func (c *caller) status(u *user) error {
	var status *mfa.Status
	if err := c.timed("status", func() (err error) { status, err = c.engine.Status(c.ctx, u.id); return err }); err != nil {
		return err
	}
	return c.compare(u, status)
}

func (c *caller) compare(u *user, status *mfa.Status) error {
	want := []mfa.Method{mfa.MethodTOTP}
	if u.phone {
		want = append(want, mfa.MethodSMS)
	}
	var methods []mfa.Method
	for _, f := range status.Factors {
		if f.Method != mfa.MethodBackupCode {
			methods = append(methods, f.Method)
		}
	}
	if fmt.Sprint(methods) != fmt.Sprint(want) || u.codes != nil && status.BackupCodesLeft != len(u.codes) {
		return fmt.Errorf("status shows %v and %d backup codes, want %v and %d", methods, status.BackupCodesLeft, want, len(u.codes))
	}
	return c.soak.ledger.audit(c.ctx, u.id)
}

func (c *caller) loginOnDevice(u *user) error {
	if u.device == "" {
		login, err := c.answer(u, u.app.Code(u.now))
		if err != nil {
			return err
		}
		device, err := c.engine.TrustDevice(c.ctx, u.id, login.Proof, "")
		if err == nil {
			u.device, u.trusted = device.Token, device.ExpiresAt
		}
		return err
	}
	err := c.timed("login on a trusted device", func() error {
		return c.engine.BeginLogin(c.ctx, u.id, mfa.WithTrustedDevice(u.device))
	})
	if err != nil && !u.now.Before(u.trusted) {
		u.device = ""
		_, err = c.begin(u)
	}
	return err
}

func (c *caller) loginByBackupCode(u *user) error {
	if len(u.codes) == 0 {
		proof, err := c.prove(u, mfa.ActionManage)
		if err != nil {
			return err
		}
		return c.timed("new backup codes", func() (err error) {
			u.codes, err = c.engine.GenerateBackupCodes(c.ctx, u.id, proof)
			return err
		})
	}
	code := u.codes[0]
	u.codes = u.codes[1:]
	var login *mfa.Login
	if err := c.timed("login by backup code", func() (err error) { login, err = c.answer(u, code); return err }); err != nil {
		return err
	}
	if login.BackupCodesLeft != len(u.codes) {
		return fmt.Errorf("%d backup codes left, want %d", login.BackupCodesLeft, len(u.codes))
	}
	_, err := c.answer(u, code)
	if err := refused("a spent backup code", err, mfa.ErrInvalidCode); err != nil {
		return err
	}
	return c.engine.Unlock(c.ctx, u.id)
}

// betweenMessages keeps the messages to a user below ten a day.
const betweenMessages = 150 * time.Minute

func (c *caller) loginBySMS(u *user) error {
	c.wait(u, betweenMessages)
	if !u.phone {
		proof, err := c.prove(u, mfa.ActionManage)
		if err != nil {
			return err
		}
		return c.timed("enrollment of a phone", func() error {
			if _, err := c.engine.EnrollSMS(c.ctx, u.id, fmt.Sprintf("+1415%07d", c.random.IntN(1e7)), proof); err != nil {
				return err
			}
			_, err := c.engine.VerifyEnrollment(c.ctx, u.id, mfa.MethodSMS, c.code)
			if err == nil {
				u.phone, u.device = true, ""
			}
			return err
		})
	}
	return c.timed("login by SMS", func() error {
		token, err := c.begin(u)
		if err != nil {
			return err
		}
		if _, err := c.engine.SendCode(c.ctx, token); err != nil {
			return err
		}
		_, err = c.engine.VerifyLogin(c.ctx, token, c.code)
		return err
	})
}

func (c *caller) removePhone(u *user) error {
	if !u.phone {
		return nil
	}
	proof, err := c.prove(u, mfa.ActionManage)
	if err != nil {
		return err
	}
	return c.timed("removal of a factor", func() error {
		err := c.engine.Unenroll(c.ctx, u.id, mfa.MethodSMS, proof)
		if err == nil {
			u.phone, u.device = false, ""
		}
		return err
	})
}

// enrollApp enrolls an app in place of the current one.
func (c *caller) enrollApp(u *user) error {
	proof, err := c.prove(u, mfa.ActionManage)
	if err != nil {
		return err
	}
	return c.confirmApp(u, proof)
}

func (c *caller) confirmApp(u *user, opts ...mfa.ChangeOption) error {
	return c.timed("enrollment of an app", func() error {
		u.anew = true
		enrollment, err := c.engine.EnrollTOTP(c.ctx, u.id, u.id, opts...)
		if err != nil {
			return err
		}
		app, err := mfatest.NewAuthenticator(enrollment.URI)
		if err != nil {
			return err
		}
		if _, err = c.engine.VerifyEnrollment(c.ctx, u.id, mfa.MethodTOTP, app.Code(u.now)); err == nil {
			u.app, u.anew, u.device = app, false, ""
		}
		return err
	})
}

// changePassword reports a new password, which invalidates the user's challenges
// and trusted devices.
func (c *caller) changePassword(u *user) error {
	token, err := c.begin(u)
	if err != nil {
		return err
	}
	device := u.device
	u.device = ""
	if err := c.timed("password change", func() error { return c.engine.PasswordChanged(c.ctx, u.id) }); err != nil {
		return err
	}
	_, err = c.engine.VerifyLogin(c.ctx, token, u.app.Code(u.now))
	if err := refused("an earlier challenge", err, mfa.ErrInvalidToken); err != nil {
		return err
	}
	_, err = c.begin(u, mfa.WithTrustedDevice(device))
	return err
}

// startAgain resets or deletes a user, who then enrolls again.
func (c *caller) startAgain(u *user) error {
	take := c.engine.Reset
	if c.random.IntN(2) == 0 {
		take = c.engine.DeleteUser
	}
	token, err := c.begin(u)
	if err != nil {
		return err
	}
	u.anew, u.codes, u.phone, u.device = true, nil, false, ""
	if err := c.timed("reset or deletion", func() error { return take(c.ctx, u.id) }); err != nil {
		return err
	}
	if err := c.engine.BeginLogin(c.ctx, u.id); err != nil {
		return fmt.Errorf("a user without a factor: %w", err)
	}
	if err := c.confirmApp(u); err != nil {
		return err
	}
	_, err = c.engine.VerifyLogin(c.ctx, token, u.app.Code(u.now))
	return refused("an earlier challenge", err, mfa.ErrInvalidToken)
}

// together has n goroutines act on the same version of the user's record.
func (c *caller) together(n int, act func(engine *mfa.Engine, i int) error) []error {
	errs := make([]error, n)
	engine, err := c.on(world.NewBarrier(c.soak.faulty, n))
	if err != nil {
		return []error{err}
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = act(engine, i) })
	}
	all.Wait()
	return errs
}

// atOnce answers n challenges with one code at once, and returns how many were
// accepted and how many refused with want.
func (c *caller) atOnce(u *user, n int, code string, want error) (accepted, wrong int, err error) {
	tokens := make([]string, n)
	for i := range tokens {
		if tokens[i], err = c.begin(u); err != nil {
			return 0, 0, err
		}
	}
	for _, one := range c.together(n, func(engine *mfa.Engine, i int) error {
		_, err := engine.VerifyLogin(c.ctx, tokens[i], code)
		return err
	}) {
		switch {
		case one == nil:
			accepted++
		case errors.Is(one, want):
			wrong++
		default:
			err = one
		}
	}
	return accepted, wrong, err
}

// sameCodeTwice answers two challenges at once with one code, which may be
// accepted for only one of them.
func (c *caller) sameCodeTwice(u *user) error {
	accepted, _, err := c.atOnce(u, 2, u.app.Code(u.now), mfa.ErrInvalidCode)
	if accepted > 1 || accepted == 0 && err == nil {
		return fmt.Errorf("a code entered twice at once was accepted %d times", accepted)
	}
	return err
}

// guess has five wrong codes judged at once. Each counts, so that the right one
// is refused until the support desk unlocks the user.
func (c *caller) guess(u *user) error {
	const guesses = 5
	_, wrong, err := c.atOnce(u, guesses, u.app.WrongCode(u.now), mfa.ErrInvalidCode)
	if err != nil {
		return err
	}
	if wrong != guesses {
		return fmt.Errorf("%d of %d wrong codes at once were judged wrong", wrong, guesses)
	}
	if _, err := c.answer(u, u.app.Code(u.now)); !errors.As(err, new(*mfa.ThrottledError)) {
		return fmt.Errorf("a right code after five wrong ones: %w", orNil(err))
	}
	if err := c.timed("unlock", func() error { return c.engine.Unlock(c.ctx, u.id) }); err != nil {
		return err
	}
	_, err = c.answer(u, u.app.Code(u.now))
	return err
}

// period is the length of every app's time steps.
const period = 30 * time.Second
