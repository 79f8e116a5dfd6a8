package load

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfatest"
)

// What is timed, in the order of the report.
const (
	loginByApp        = "login by app"
	loginByWrongCode  = "login, wrong code of the app"
	loginBySpentCode  = "login, spent code of the app"
	loginByBackupCode = "login by backup code"
	loginBySMS        = "login by SMS"
	loginOnDevice     = "login on a trusted device"
	stepUp            = "step-up"
	status            = "status"
	enrollApp         = "enrollment of an app"
	enrollPhone       = "enrollment of a phone"
	newBackupCodes    = "new backup codes"
	unenroll          = "removal of a factor"
	passwordChange    = "password change"
	trustDevice       = "trusting a device"
	forgetDevices     = "forgetting devices"
	unlock            = "unlock"
	reset             = "reset"
	deletion          = "deletion of a user"
)

var timed = []string{
	loginByApp, loginByWrongCode, loginBySpentCode, loginByBackupCode, loginBySMS, loginOnDevice, stepUp, status,
	enrollApp, enrollPhone, newBackupCodes, unenroll, passwordChange, trustDevice, forgetDevices, unlock, reset, deletion,
}

// An operation is what users do so often, and one of how many of them.
type operation struct {
	weight int
	every  int // of so many users one does it
	do     func(c *caller, a *account)
}

var operations = []operation{
	{600, 1, (*caller).loginByApp},
	{100, 1, (*caller).stepUp},
	{100, 1, (*caller).status},
	{60, 1, (*caller).loginOnDevice},
	{50, 4, (*caller).loginBySMS},
	{25, 20, (*caller).loginByBackupCode},
	{15, 1, (*caller).enrollApp},
	{10, 4, (*caller).enrollPhone},
	{5, 1, (*caller).leave},
	{15, 1, (*caller).changePassword},
	{10, 1, (*caller).guessAndUnlock},
	{15, 1, (*caller).sameCodeTwice},
	{5, 20, (*caller).twoCodesAtOnce},
	{4, 1, (*caller).reset},
	{4, 1, (*caller).delete},
}

// draw chooses what is done next, and by which user.
func (c *caller) draw() (operation, *account) {
	total := 0
	for _, o := range operations {
		total += o.weight
	}
	n := c.random.IntN(total)
	var chosen operation
	for _, o := range operations {
		if n -= o.weight; n < 0 {
			chosen = o
			break
		}
	}
	users := c.soak.accounts
	for {
		if a := users[c.random.IntN(len(users)/chosen.every)*chosen.every]; a.TryLock() {
			return chosen, a
		}
	}
}

// next does one operation. A user without an app enrolls one instead.
func (c *caller) next() {
	o, a := c.draw()
	defer a.Unlock()
	if a.lost {
		return
	}
	if a.app == nil {
		c.enrollFirst(a)
		return
	}
	o.do(c, a)
}

// newKey is the URI of a key from another system.
func newKey(user string) string {
	var secret [20]byte
	rand.Read(secret[:])
	return "otpauth://totp/ACME:" + user + "?secret=" + base32.StdEncoding.EncodeToString(secret[:]) + "&issuer=ACME"
}

// adopt gives a user the app that they had in another system.
func (c *caller) adopt(a *account) error {
	uri := newKey(a.id)
	app, err := mfatest.NewAuthenticator(uri)
	if err != nil {
		return err
	}
	c.clock.Set(a.now)
	if err := c.sure.ImportTOTP(c.ctx, a.id, uri); err != nil {
		return err
	}
	a.app, a.shown.app = app, factor{enrolled: a.now.UnixNano()}
	return nil
}

// login begins a login and answers it.
func (c *caller) login(a *account, code string) (*mfa.Login, error) {
	err := c.engine.BeginLogin(c.ctx, a.id)
	var challenge *mfa.ChallengeError
	if !errors.As(err, &challenge) {
		return nil, fmt.Errorf("not challenged: %w", err)
	}
	return c.engine.VerifyLogin(c.ctx, challenge.Token, code)
}

// loginWith logs in with a code of the app.
func (c *caller) loginWith(a *account, operation string, right bool, code string) bool {
	var login *mfa.Login
	err := c.time(operation, func() (err error) {
		login, err = c.login(a, code)
		return err
	})
	return c.judged(a, right, login, err, mfa.MethodTOTP)
}

func (c *caller) loginByApp(a *account) {
	c.later(a)
	if c.slips() {
		c.loginWith(a, loginByWrongCode, false, a.app.WrongCode(a.now))
		return
	}
	code := a.app.Code(a.now)
	if c.loginWith(a, loginByApp, true, code) && c.random.IntN(20) == 0 {
		c.again(a, code)
	}
}

// again answers with the code that was accepted last. It is refused, and costs
// nothing.
func (c *caller) again(a *account, code string) {
	err := c.time(loginBySpentCode, func() error {
		_, err := c.login(a, code)
		return err
	})
	if !errors.Is(err, mfa.ErrInvalidCode) && !faulted(err) {
		c.wrong(a, "the code of %v, accepted before: %v", a.spent, err)
	}
}

func (c *caller) loginByBackupCode(a *account) {
	if len(a.codes) == 0 {
		c.newBackupCodes(a)
		return
	}
	c.later(a)
	code := a.codes[0]
	right := !c.slips()
	if !right {
		code = "0000-000z"
	}
	var login *mfa.Login
	err := c.time(loginByBackupCode, func() (err error) {
		login, err = c.login(a, code)
		return err
	})
	if !c.judged(a, right, login, err, mfa.MethodBackupCode) {
		return
	}
	a.codes = a.codes[1:]
	if c.random.IntN(5) == 0 { // spent, it is a wrong one
		_, err := c.login(a, code)
		c.judged(a, false, nil, err, mfa.MethodBackupCode)
	}
}

func (c *caller) loginBySMS(a *account) {
	if a.shown.phone == (factor{}) {
		c.enrollPhone(a)
		return
	}
	c.wait(a, betweenMessages)
	c.later(a)
	right := !c.slips()
	var login *mfa.Login
	err := c.time(loginBySMS, func() error {
		token := c.begin(a)
		if token == "" {
			return errGivenUp
		}
		if _, err := c.engine.SendCode(c.ctx, token); err != nil {
			c.done(a, "SendCode", err)
			return errGivenUp
		}
		code := c.phone.code
		if wrong := a.app.WrongCode(a.now); !right && wrong != code {
			code = wrong
		} else {
			right = true
		}
		var err error
		login, err = c.engine.VerifyLogin(c.ctx, token, code)
		return err
	})
	if err != errGivenUp {
		c.judged(a, right, login, err, mfa.MethodSMS, mfa.MethodTOTP)
	}
}

func (c *caller) stepUp(a *account) {
	c.later(a)
	c.proveFor(a, "pay", !c.slips())
}

// proveFor answers a step-up with a code of the app.
func (c *caller) proveFor(a *account, action string, right bool) bool {
	code := a.app.Code(a.now)
	if !right {
		code = a.app.WrongCode(a.now)
	}
	var login *mfa.Login
	err := c.time(stepUp, func() error {
		challenge, err := c.engine.BeginStepUp(c.ctx, a.id, action)
		if err != nil {
			return err
		}
		login, err = c.engine.VerifyStepUp(c.ctx, challenge.Token, action, code)
		return err
	})
	return c.judged(a, right, login, err, mfa.MethodTOTP)
}

// prove gives a fresh proof; "" after a fault.
func (c *caller) prove(a *account) (proof string) {
	c.later(a)
	if a.proof == "" || !a.now.Before(a.proofUntil) {
		a.proof = ""
		c.proveFor(a, mfa.ActionManage, true)
	}
	return a.proof
}

// status looks, in one of ten times at the version in the store too.
func (c *caller) status(a *account) {
	c.wait(a, time.Second)
	var shown *mfa.Status
	err := c.time(status, func() (err error) {
		shown, err = c.engine.Status(c.ctx, a.id)
		return err
	})
	if !c.done(a, "Status", err) {
		return
	}
	if got := pictureOf(shown); got != a.shown {
		c.wrong(a, "looks like %+v, want %+v", got, a.shown)
	}
	if c.random.IntN(10) == 0 {
		c.soak.audit(c, a)
	}
}

func (c *caller) loginOnDevice(a *account) {
	if a.device == "" || !a.now.Before(a.deviceUntil) {
		c.trustDevice(a)
		return
	}
	c.wait(a, time.Minute)
	err := c.time(loginOnDevice, func() error {
		return c.engine.BeginLogin(c.ctx, a.id, mfa.WithTrustedDevice(a.device))
	})
	if c.done(a, "BeginLogin on a trusted device", err) && c.random.IntN(4) == 0 {
		c.forgetDevices(a)
	}
}

func (c *caller) trustDevice(a *account) {
	proof := c.prove(a)
	if proof == "" {
		return
	}
	var device *mfa.TrustedDevice
	err := c.time(trustDevice, func() (err error) {
		device, err = c.engine.TrustDevice(c.ctx, a.id, proof)
		return err
	})
	if c.done(a, "TrustDevice", err) {
		a.device, a.deviceUntil = device.Token, device.ExpiresAt
	}
}

func (c *caller) forgetDevices(a *account) {
	device := a.device
	a.device = ""
	err := c.time(forgetDevices, func() error { return c.engine.ForgetDevices(c.ctx, a.id) })
	if c.done(a, "ForgetDevices", err) {
		c.begin(a, mfa.WithTrustedDevice(device))
	}
}

// changePassword ends what was begun, proved and trusted before.
func (c *caller) changePassword(a *account) {
	c.later(a)
	token, device := c.begin(a), a.device
	if token == "" {
		return
	}
	a.renewed("")
	err := c.time(passwordChange, func() error { return c.engine.PasswordChanged(c.ctx, a.id) })
	if !c.done(a, "PasswordChanged", err) {
		return
	}
	_, err = c.engine.VerifyLogin(c.ctx, token, a.app.Code(a.now))
	c.dead(a, "a challenge from before the password was changed", err)
	c.begin(a, mfa.WithTrustedDevice(device))
}

// dead wants a token to be refused.
func (c *caller) dead(a *account, what string, err error) {
	if !errors.Is(err, mfa.ErrInvalidToken) && !faulted(err) {
		c.wrong(a, "%s: %v", what, err)
	}
}

func (c *caller) newBackupCodes(a *account) {
	proof := c.prove(a)
	if proof == "" {
		return
	}
	next := a.shown
	next.codes, next.left = factor{enrolled: a.now.UnixNano()}, c.soak.plan.codes
	var codes []string
	err := c.time(newBackupCodes, func() (err error) {
		codes, err = c.engine.GenerateBackupCodes(c.ctx, a.id, mfa.WithProof(proof))
		return err
	})
	if c.becomes(a, "GenerateBackupCodes", err, next) {
		a.codes = codes // none after a fault: nobody has seen them
		a.failures[mfa.MethodBackupCode] = between{}
	}
}

// enrollFirst lets a user in who has no factor, and gives them an app.
func (c *caller) enrollFirst(a *account) {
	c.wait(a, time.Minute)
	if c.done(a, "BeginLogin without a factor", c.engine.BeginLogin(c.ctx, a.id)) {
		c.confirmApp(a)
	}
}

func (c *caller) enrollApp(a *account) {
	if proof := c.prove(a); proof != "" {
		c.confirmApp(a, mfa.WithProof(proof))
	}
}

// confirmApp enrolls an app in place of the one there is. A typing error leaves
// that one.
func (c *caller) confirmApp(a *account, opts ...mfa.ChangeOption) {
	right := !c.slips()
	var app *mfatest.Authenticator
	var login *mfa.Login
	err := c.time(enrollApp, func() error {
		enrollment, err := c.engine.EnrollTOTP(c.ctx, a.id, a.id, opts...)
		if err != nil {
			return err
		}
		if app, err = mfatest.NewAuthenticator(enrollment.URI); err != nil {
			return err
		}
		code := app.Code(a.now)
		if !right {
			code = app.WrongCode(a.now)
		}
		login, err = c.engine.VerifyEnrollment(c.ctx, a.id, mfa.MethodTOTP, code)
		return err
	})
	next := a.shown
	next.app = factor{enrolled: a.now.UnixNano()}
	if c.confirmed(a, mfa.MethodTOTP, right, login, err, next) {
		a.app = app
		a.spend()
	}
}

// betweenMessages keeps the messages to a user below ten a day.
const betweenMessages = 150 * time.Minute

func (c *caller) enrollPhone(a *account) {
	c.wait(a, betweenMessages)
	proof := c.prove(a)
	if proof == "" {
		return
	}
	right := !c.slips()
	next := a.shown
	next.phone = factor{enrolled: a.now.UnixNano()}
	var login *mfa.Login
	err := c.time(enrollPhone, func() error {
		delivery, err := c.engine.EnrollSMS(c.ctx, a.id, fmt.Sprintf("+1415%07d", c.random.IntN(1e7)), mfa.WithProof(proof))
		if err != nil {
			return err
		}
		next.number = delivery.Phone
		code := c.phone.code
		if !right {
			code = other(code)
		}
		login, err = c.engine.VerifyEnrollment(c.ctx, a.id, mfa.MethodSMS, code)
		return err
	})
	c.confirmed(a, mfa.MethodSMS, right, login, err, next)
}

// other is another code than that.
func other(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// confirmed takes the engine's verdict on the code of an enrollment.
func (c *caller) confirmed(a *account, method mfa.Method, right bool, login *mfa.Login, err error, next picture) bool {
	if !right {
		if !errors.Is(err, mfa.ErrInvalidCode) && !faulted(err) {
			c.wrong(a, "a wrong code to confirm %s: %v", method, err)
		}
		return false
	}
	if !c.becomes(a, "the enrollment of "+string(method), err, next) {
		return false
	}
	a.failures[method] = between{}
	proof := ""
	if login != nil {
		proof = login.Proof
	}
	a.renewed(proof)
	return true
}

// leave removes the phone, or else the app and all that goes with it.
func (c *caller) leave(a *account) {
	proof := c.prove(a)
	if proof == "" {
		return
	}
	method, next := mfa.MethodTOTP, picture{}
	if a.shown.phone != (factor{}) {
		method, next = mfa.MethodSMS, a.shown
		next.phone, next.number = factor{}, ""
	}
	err := c.time(unenroll, func() error { return c.engine.Unenroll(c.ctx, a.id, method, mfa.WithProof(proof)) })
	if !c.becomes(a, "Unenroll", err, next) {
		return
	}
	a.renewed("")
	delete(a.failures, method)
	if method == mfa.MethodTOTP {
		a.bare()
	}
}

func (c *caller) reset(a *account)  { c.startAgain(a, reset, c.engine.Reset) }
func (c *caller) delete(a *account) { c.startAgain(a, deletion, c.engine.DeleteUser) }

// startAgain takes everything from a user, who then enrolls anew. What they had
// from before is good for nothing, in between and after.
func (c *caller) startAgain(a *account, operation string, take func(ctx context.Context, userID string) error) {
	c.trustDevice(a)
	challenge, proof, device := c.begin(a), a.proof, a.device
	if a.lost || challenge == "" || proof == "" || device == "" {
		return
	}
	err := c.time(operation, func() error { return take(c.ctx, a.id) })
	if !c.becomes(a, operation, err, picture{}) {
		return
	}
	a.bare()
	refused := func() {
		_, err := c.engine.VerifyLogin(c.ctx, challenge, "000000")
		c.dead(a, "a challenge from before the "+operation, err)
		_, err = c.engine.TrustDevice(c.ctx, a.id, proof)
		c.dead(a, "a proof from before the "+operation, err)
	}
	c.soak.audit(c, a)
	if _, err := c.soak.ledger.Load(c.ctx, a.id); operation == deletion && !errors.Is(err, mfa.ErrNoRecord) {
		c.wrong(a, "a record is left by the deletion: %v", err)
	}
	refused()
	if c.enrollFirst(a); a.app == nil || a.lost {
		return
	}
	refused()
	c.begin(a, mfa.WithTrustedDevice(device))
}

// guessAndUnlock has five wrong codes judged at once. Each counts, so that the
// right one is refused until the support desk unlocks the user.
func (c *caller) guessAndUnlock(a *account) {
	c.later(a)
	const guesses = 5
	var tokens [guesses]string
	for i := range tokens {
		if tokens[i] = c.begin(a); tokens[i] == "" {
			return
		}
	}
	before := a.failures[mfa.MethodTOTP].most
	judged, unsure := 0, 0
	for _, err := range c.together(a, guesses, func(engine *mfa.Engine, i int) error {
		_, err := engine.VerifyLogin(c.ctx, tokens[i], a.app.WrongCode(a.now))
		return err
	}) {
		throttled := new(mfa.ThrottledError)
		switch {
		case errors.Is(err, mfa.ErrInvalidCode):
			judged++
		case faulted(err):
			unsure++
		case errors.As(err, &throttled) && before > 0:
		default:
			c.wrong(a, "one of five wrong codes at once: %v", err)
			return
		}
	}
	a.failed(mfa.MethodTOTP, judged, unsure)
	if a.failures[mfa.MethodTOTP].least >= guesses {
		_, err := c.login(a, a.app.Code(a.now))
		if throttled := new(mfa.ThrottledError); !errors.As(err, &throttled) && !faulted(err) {
			c.wrong(a, "a right code after five wrong ones: %v", err)
		}
	}
	err := c.time(unlock, func() error { return c.engine.Unlock(c.ctx, a.id) })
	if c.done(a, "Unlock", err) {
		clear(a.failures)
		c.loginWith(a, loginByApp, true, a.app.Code(a.now))
	}
}

// sameCodeTwice answers two challenges at once with one code, which is good for
// one of them.
func (c *caller) sameCodeTwice(a *account) {
	c.later(a)
	tokens := [2]string{c.begin(a), c.begin(a)}
	if tokens[0] == "" || tokens[1] == "" {
		return
	}
	accepted, faults := 0, 0
	for _, err := range c.together(a, 2, func(engine *mfa.Engine, i int) error {
		_, err := engine.VerifyLogin(c.ctx, tokens[i], a.app.Code(a.now))
		return err
	}) {
		switch {
		case err == nil:
			accepted++
		case faulted(err):
			faults++
		case !errors.Is(err, mfa.ErrInvalidCode):
			c.wrong(a, "one code twice at once: %v", err)
			return
		}
	}
	if accepted > 1 || accepted+faults == 0 {
		c.wrong(a, "one code twice at once is accepted %d times", accepted)
		return
	}
	var err error
	if accepted == 0 {
		err = world.ErrStore
	}
	c.judged(a, true, nil, err, mfa.MethodTOTP)
}

// twoCodesAtOnce answers two challenges at once, by the app and by a backup
// code. Both are good, and neither may undo the other.
func (c *caller) twoCodesAtOnce(a *account) {
	if len(a.codes) == 0 {
		c.newBackupCodes(a)
		return
	}
	c.later(a)
	tokens := [2]string{c.begin(a), c.begin(a)}
	if tokens[0] == "" || tokens[1] == "" {
		return
	}
	codes := [2]string{a.app.Code(a.now), a.codes[0]}
	errs := c.together(a, 2, func(engine *mfa.Engine, i int) error {
		_, err := engine.VerifyLogin(c.ctx, tokens[i], codes[i])
		return err
	})
	before := a.shown
	next := []picture{before}
	for i, method := range []mfa.Method{mfa.MethodTOTP, mfa.MethodBackupCode} {
		if errs == nil || !c.done(a, "two codes at once", errs[i]) && a.lost {
			return
		}
		var with []picture
		for _, p := range next {
			if with = append(with, p.used(method, a.now)); errs[i] != nil {
				with = append(with, p)
			}
		}
		next = with
	}
	a.shown = next[0]
	if !c.settles(a, "two codes at once", next...) {
		return
	}
	if a.shown.app != before.app {
		a.spend()
		a.failures[mfa.MethodTOTP] = between{}
	}
	if a.shown.left != before.left {
		a.codes = a.codes[1:]
		a.failures[mfa.MethodBackupCode] = between{}
	} else {
		a.failed(mfa.MethodBackupCode, 0, 1)
	}
}
