package attack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

const (
	importedSecret = "MZXW6YTBOJRGC6TROFZGS43UOVXGK5DF"
	importedKeyURI = "otpauth://totp/Old%20Co:planted-label?secret=" + importedSecret + "&issuer=Old%20Co"
	phone3         = "+33612345987"
)

// A scene is a world in which every secret is known. Everything that comes out of
// it is searched for each of them.
type scene struct {
	*world.World
	store  *world.FaultStore
	before map[string]mfa.Record // the store's records at the start of each call
	start  time.Time

	secrets map[string]string // by description, those that existed before the calls
	fresh   map[string]string // by description, those that the current call made
	seen    map[string]bool   // the texts already searched for secrets
	out     []string          // what has come out of the current call
	acted   bool              // whether the misfortune happened

	held // what the users and the host hold
}

type held struct {
	login, texted, stepUp, manage, enrollment, proof, device string // tokens
	right, wrong, spent, sms, backup, pending, pendingSMS    string // codes
	passkeyLogin                                             string // kim's token
	answered                                                 string // what her passkey answers
}

// newScene returns a scene with four users: ada has every kind of factor, bob
// imported ones, eve nothing confirmed, and kim a passkey. spoil, if not nil, is
// called with ada's app.
func newScene(t *testing.T, spoil func(s *scene, a world.App)) *scene {
	t.Helper()
	s := &scene{store: world.NewFaultStore(), secrets: make(map[string]string), fresh: make(map[string]string), seen: make(map[string]bool)}
	s.World = world.New(t, world.WithPasskeys, func(c *mfa.Config) {
		c.Store, c.BackupCodes.Count = s.store, 1
		c.Required = func(_ context.Context, userID string) (bool, error) { return userID == "eve", nil }
	})
	plant := func(what string, secrets ...string) {
		for i, secret := range secrets {
			s.secrets[fmt.Sprint(what, " ", i)] = secret
		}
	}
	plant("key of the engine", string(world.Key(1)))
	plant("phone number", world.Phone, world.Phone2, phone3, world.Phone[1:], world.Phone2[1:], phone3[1:])

	enrollment, err := s.EnrollTOTP(s.Ctx, "ada", "ada@example.com")
	world.OK(t, err)
	plant("enrollment", enrollment.Secret, enrollment.URI, enrollment.QRCode)
	a := s.Scan(enrollment.URI)
	login, err := s.VerifyEnrollment(s.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.OK(t, err)
	plant("proof of an enrollment", login.Proof)
	s.Clock.Advance(time.Minute)
	s.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	s.backup = "7f3k-2m9p"
	s.PlantCodes("ada", s.backup)
	world.OK(t, s.ImportTOTP(s.Ctx, "bob", importedKeyURI))
	world.OK(t, s.ImportSMS(s.Ctx, "bob", world.Phone2))
	plant("import", importedKeyURI, importedSecret, "planted-label")

	s.Clock.Advance(time.Minute)
	s.spent = a.Shows()
	s.Login("ada", s.spent)
	if spoil != nil {
		spoil(s, a)
	}
	token := stepUp(mfa.ActionManage).open(s.World, "ada")
	login, err = s.VerifyStepUp(s.Ctx, "ada", token, mfa.ActionManage, s.SentCode(token))
	world.OK(t, err)
	s.proof = login.Proof
	s.Clock.Advance(30 * time.Second)
	s.right, s.wrong = a.Shows(), other(a.Shows())
	device, err := s.TrustDevice(s.Ctx, "ada", s.proof, "")
	world.OK(t, err)
	s.device = device.Token
	s.texted = s.Begin("ada").Token
	s.sms = s.SentCode(s.texted)
	pending, err := s.EnrollTOTP(s.Ctx, "eve", "eve")
	world.OK(t, err)
	s.pending = s.Scan(pending.URI).Shows()
	plant("pending enrollment", pending.Secret, pending.URI, pending.QRCode)
	_, err = s.EnrollSMS(s.Ctx, "eve", phone3)
	world.OK(t, err)
	s.pendingSMS = s.Outbox.Code(phone3)
	s.Clock.Advance(30 * time.Second) // the cooldown; the app's present code stays valid
	s.login = s.Begin("ada").Token
	stepUp, err := s.BeginStepUp(s.Ctx, "ada", "pay")
	world.OK(t, err)
	manage, err := s.BeginStepUp(s.Ctx, "ada", mfa.ActionManage)
	world.OK(t, err)
	s.stepUp, s.manage, s.enrollment = stepUp.Token, manage.Token, s.MustEnroll("eve").Token
	key, _ := s.GivePasskey("kim", "kim's key")
	s.passkeyLogin = s.Begin("kim").Token
	s.answered = s.Asked(key, s.passkeyLogin)
	plant("token", s.login, s.texted, s.stepUp, s.manage, s.enrollment, s.proof, s.device, s.passkeyLogin)
	plant("code", s.right, s.wrong, s.spent, s.sms, s.backup, s.pending, s.pendingSMS)
	s.before, s.start = s.store.Snapshot(), s.Clock.Now()
	return s
}

// other returns a wrong code that looks as random as code does: a search would
// find 000000 in many places.
func other(code string) string {
	return strings.Map(func(digit rune) rune { return '0' + (digit-'0'+5)%10 }, code)
}

// An attempt is one call of an operation, used well or badly. It returns what the
// host gets.
type attempt struct {
	method, how string
	want        string // the error's code, if nothing else goes wrong
	do          func(s *scene, e *mfa.Engine) (any, error)
}

// none adapts operations that return only an error.
func none(err error) (any, error) { return nil, err }

// codesOf hides backup codes, which are plain strings: the host is meant to show
// them once.
func (s *scene) codesOf(codes []string, err error) (any, error) {
	for _, code := range codes {
		s.fresh["new backup code"] = code
	}
	return nil, err
}

var attempts = []attempt{
	{"BeginLogin", "with factors", "mfa_required", func(s *scene, e *mfa.Engine) (any, error) { return none(e.BeginLogin(s.Ctx, "ada")) }},
	{"BeginLogin", "on a trusted device", "", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.BeginLogin(s.Ctx, "ada", mfa.WithTrustedDevice(s.device)))
	}},
	{"BeginLogin", "on another's device", "mfa_required", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.BeginLogin(s.Ctx, "bob", mfa.WithTrustedDevice(s.device)))
	}},
	{"BeginLogin", "where MFA is required", "mfa_enrollment_required", func(s *scene, e *mfa.Engine) (any, error) { return none(e.BeginLogin(s.Ctx, "eve")) }},
	{"BeginStepUp", "", "", func(s *scene, e *mfa.Engine) (any, error) { return e.BeginStepUp(s.Ctx, "ada", "pay") }},
	{"BeginStepUp", "with a token as the action", "invalid_request", func(s *scene, e *mfa.Engine) (any, error) { return e.BeginStepUp(s.Ctx, "ada", s.login) }},
	{"DeleteUser", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.DeleteUser(s.Ctx, "ada")) }},
	{"CheckProof", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.CheckProof(s.Ctx, "ada", s.proof)) }},
	{"CheckProof", "with another token", "mfa_required", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.CheckProof(s.Ctx, "ada", s.device))
	}},
	{"Devices", "", "", func(s *scene, e *mfa.Engine) (any, error) { return e.Devices(s.Ctx, "ada") }},
	{"EnrollPasskey", "with a proof", "", func(s *scene, e *mfa.Engine) (any, error) {
		return e.EnrollPasskey(s.Ctx, "ada", "ada@example.com", mfa.WithProof(s.proof))
	}},
	{"EnrollPasskey", "without a proof", "mfa_required", func(s *scene, e *mfa.Engine) (any, error) {
		return e.EnrollPasskey(s.Ctx, "kim", "kim")
	}},
	{"EnrollSMS", "anew", "", func(s *scene, e *mfa.Engine) (any, error) { return e.EnrollSMS(s.Ctx, "eve", phone3) }},
	{"EnrollSMS", "with a proof", "", func(s *scene, e *mfa.Engine) (any, error) {
		return e.EnrollSMS(s.Ctx, "ada", world.Phone2, mfa.WithProof(s.proof))
	}},
	{"EnrollSMS", "without a proof", "mfa_required", func(s *scene, e *mfa.Engine) (any, error) { return e.EnrollSMS(s.Ctx, "ada", world.Phone2) }},
	{"EnrollSMS", "with what is no number", "invalid_phone", func(s *scene, e *mfa.Engine) (any, error) { return e.EnrollSMS(s.Ctx, "eve", phone3+"x") }},
	{"EnrollTOTP", "anew", "", func(s *scene, e *mfa.Engine) (any, error) { return e.EnrollTOTP(s.Ctx, "eve", "eve") }},
	{"EnrollTOTP", "with a proof", "", func(s *scene, e *mfa.Engine) (any, error) {
		return e.EnrollTOTP(s.Ctx, "ada", "ada", mfa.WithProof(s.proof))
	}},
	{"EnrollTOTP", "with another token as the proof", "mfa_required", func(s *scene, e *mfa.Engine) (any, error) {
		return e.EnrollTOTP(s.Ctx, "ada", "ada", mfa.WithProof(s.device))
	}},
	{"EnrollTOTP", "with a URI as the name", "invalid_request", func(s *scene, e *mfa.Engine) (any, error) { return e.EnrollTOTP(s.Ctx, "eve", importedKeyURI) }},
	{"EnrollmentUser", "", "", func(s *scene, e *mfa.Engine) (any, error) { return e.EnrollmentUser(s.Ctx, s.enrollment) }},
	{"EnrollmentUser", "with another token", "invalid_token", func(s *scene, e *mfa.Engine) (any, error) { return e.EnrollmentUser(s.Ctx, s.login) }},
	{"ForgetDevice", "by a token", "", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.ForgetDevice(s.Ctx, "ada", s.device))
	}},
	{"ForgetDevices", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.ForgetDevices(s.Ctx, "ada")) }},
	{"GenerateBackupCodes", "with a proof", "", func(s *scene, e *mfa.Engine) (any, error) {
		return s.codesOf(e.GenerateBackupCodes(s.Ctx, "ada", mfa.WithProof(s.proof)))
	}},
	{"GenerateBackupCodes", "without a proof", "mfa_required", func(s *scene, e *mfa.Engine) (any, error) { return s.codesOf(e.GenerateBackupCodes(s.Ctx, "ada")) }},
	{"GenerateBackupCodes", "without a factor", "not_enrolled", func(s *scene, e *mfa.Engine) (any, error) { return s.codesOf(e.GenerateBackupCodes(s.Ctx, "eve")) }},
	{"ImportSMS", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.ImportSMS(s.Ctx, "eve", phone3)) }},
	{"ImportSMS", "of what is no number", "invalid_phone", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.ImportSMS(s.Ctx, "eve", "sms:"+phone3))
	}},
	{"ImportTOTP", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.ImportTOTP(s.Ctx, "eve", importedKeyURI)) }},
	{"ImportTOTP", "with a bad escape", "invalid_request", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.ImportTOTP(s.Ctx, "eve", importedKeyURI+"%zz"))
	}},
	{"ImportTOTP", "with a line break", "invalid_request", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.ImportTOTP(s.Ctx, "eve", importedKeyURI+"\n&"))
	}},
	{"ImportTOTP", "with an unknown setting", "invalid_request", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.ImportTOTP(s.Ctx, "eve", importedKeyURI+"&digits="+importedSecret))
	}},
	{"ImportTOTP", "with a secret that is none", "invalid_request", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.ImportTOTP(s.Ctx, "eve", "otpauth://totp/planted-label?secret=1"+importedSecret))
	}},
	{"PasswordChanged", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.PasswordChanged(s.Ctx, "ada")) }},
	{"PasskeyOptions", "", "", func(s *scene, e *mfa.Engine) (any, error) { return e.PasskeyOptions(s.Ctx, s.passkeyLogin) }},
	{"PasskeyOptions", "without a passkey", "method_unavailable", func(s *scene, e *mfa.Engine) (any, error) {
		return e.PasskeyOptions(s.Ctx, s.login)
	}},
	{"Rename", "of a token", "not_enrolled", func(s *scene, e *mfa.Engine) (any, error) { return none(e.Rename(s.Ctx, "ada", s.login, "mine")) }},
	{"Rename", "to a token", "invalid_request", func(s *scene, e *mfa.Engine) (any, error) { return none(e.Rename(s.Ctx, "ada", "", s.login)) }},
	{"Reseal", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.Reseal(s.Ctx, "ada")) }},
	{"Reset", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.Reset(s.Ctx, "ada")) }},
	{"Revoke", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.Revoke(s.Ctx, "ada", mfa.MethodSMS)) }},
	{"Revoke", "of a token", "not_enrolled", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.Revoke(s.Ctx, "ada", mfa.MethodSMS, mfa.OnlyFactor(s.proof)))
	}},
	{"SendCode", "", "", func(s *scene, e *mfa.Engine) (any, error) { return e.SendCode(s.Ctx, s.login) }},
	{"SendCode", "with another token", "invalid_token", func(s *scene, e *mfa.Engine) (any, error) { return e.SendCode(s.Ctx, s.proof) }},
	{"Status", "", "", func(s *scene, e *mfa.Engine) (any, error) { return e.Status(s.Ctx, "ada") }},
	{"Status", "of nobody", "invalid_user", func(s *scene, e *mfa.Engine) (any, error) { return e.Status(s.Ctx, s.proof+"\x00") }},
	{"TrustDevice", "", "", func(s *scene, e *mfa.Engine) (any, error) { return e.TrustDevice(s.Ctx, "ada", s.proof, "") }},
	{"TrustDevice", "with another's proof", "invalid_token", func(s *scene, e *mfa.Engine) (any, error) { return e.TrustDevice(s.Ctx, "bob", s.proof, "") }},
	{"Unenroll", "with a proof", "", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.Unenroll(s.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(s.proof)))
	}},
	{"Unenroll", "without a proof", "mfa_required", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.Unenroll(s.Ctx, "ada", mfa.MethodSMS))
	}},
	{"Unenroll", "of a code", "not_enrolled", func(s *scene, e *mfa.Engine) (any, error) {
		return none(e.Unenroll(s.Ctx, "ada", mfa.Method(s.backup)))
	}},
	{"Unlock", "", "", func(s *scene, e *mfa.Engine) (any, error) { return none(e.Unlock(s.Ctx, "ada")) }},
	{"VerifyEnrollment", "of an app", "", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyEnrollment(s.Ctx, "eve", mfa.MethodTOTP, s.pending)
	}},
	{"VerifyEnrollment", "of a number", "", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyEnrollment(s.Ctx, "eve", mfa.MethodSMS, s.pendingSMS)
	}},
	{"VerifyEnrollment", "with a wrong code", "invalid_code", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyEnrollment(s.Ctx, "eve", mfa.MethodSMS, s.right)
	}},
	{"VerifyEnrollment", "of nothing", "no_pending_enrollment", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyEnrollment(s.Ctx, "bob", mfa.MethodTOTP, s.right)
	}},
	{"VerifyLogin", "by app", "", func(s *scene, e *mfa.Engine) (any, error) { return e.VerifyLogin(s.Ctx, s.login, s.right) }},
	{"VerifyLogin", "by passkey", "", func(s *scene, e *mfa.Engine) (any, error) { return e.VerifyLogin(s.Ctx, s.passkeyLogin, s.answered) }},
	{"VerifyLogin", "with another's passkey", "invalid_code", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyLogin(s.Ctx, s.login, s.answered)
	}},
	{"VerifyLogin", "by SMS", "", func(s *scene, e *mfa.Engine) (any, error) { return e.VerifyLogin(s.Ctx, s.texted, s.sms) }},
	{"VerifyLogin", "by backup code", "", func(s *scene, e *mfa.Engine) (any, error) { return e.VerifyLogin(s.Ctx, s.login, s.backup) }},
	{"VerifyLogin", "with a wrong code", "invalid_code", func(s *scene, e *mfa.Engine) (any, error) { return e.VerifyLogin(s.Ctx, s.texted, s.wrong) }},
	{"VerifyLogin", "with a wrong backup code", "invalid_code", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyLogin(s.Ctx, s.login, "zz"+s.backup[2:])
	}},
	{"VerifyLogin", "with a spent code", "invalid_code", func(s *scene, e *mfa.Engine) (any, error) { return e.VerifyLogin(s.Ctx, s.login, s.spent) }},
	{"VerifyLogin", "with a secret as the code", "invalid_code", func(s *scene, e *mfa.Engine) (any, error) { return e.VerifyLogin(s.Ctx, s.login, importedSecret) }},
	{"VerifyLogin", "with a long code", "invalid_code", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyLogin(s.Ctx, s.login, s.right+strings.Repeat(" ", 256))
	}},
	{"VerifyLogin", "with another token", "invalid_token", func(s *scene, e *mfa.Engine) (any, error) { return e.VerifyLogin(s.Ctx, s.stepUp, s.right) }},
	{"VerifyLogin", "with a forged token", "invalid_token", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyLogin(s.Ctx, s.login[:len(s.login)-1], s.right)
	}},
	{"VerifyStepUp", "", "", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyStepUp(s.Ctx, "ada", s.stepUp, "pay", s.right)
	}},
	{"VerifyStepUp", "that gives a proof", "", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyStepUp(s.Ctx, "ada", s.manage, mfa.ActionManage, s.right)
	}},
	{"VerifyStepUp", "as another user", "invalid_token", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyStepUp(s.Ctx, "bob", s.stepUp, "pay", s.right)
	}},
	{"VerifyStepUp", "for another action", "invalid_token", func(s *scene, e *mfa.Engine) (any, error) {
		return e.VerifyStepUp(s.Ctx, "ada", s.stepUp, "read", s.right)
	}},
}

// A misfortune makes something go wrong around the engine.
type misfortune struct {
	name   string
	adjust func(s *scene, c *mfa.Config)
	before func(s *scene) // called before each attempt
}

var errHost = errors.New("the host's fault")

// A hostPanic is a value with a secret in it, with which a host's part panics.
type hostPanic struct{ Message mfa.SMS }

var misfortunes = func() []misfortune {
	list := []misfortune{
		{name: "a cancelled context", before: func(s *scene) {
			ctx, cancel := context.WithCancel(s.T.Context())
			cancel()
			s.Ctx, s.acted = ctx, true
		}},
		{name: "another key", adjust: func(s *scene, c *mfa.Config) { c.Keys, s.acted = [][]byte{world.Key(100)}, true }},
		{name: "a clock out of range", adjust: func(s *scene, c *mfa.Config) {
			c.Now = func() time.Time { s.acted = true; return time.Unix(1<<40, 0) }
		}},
		{name: "a store that panics", adjust: func(s *scene, c *mfa.Config) { c.Store = panickingStore{s} }},
		{name: "numbers that cannot be counted", adjust: func(s *scene, c *mfa.Config) {
			c.SMSCodes.Numbers, s.acted = world.FailingStore{Err: errHost}, true
		}},
		{name: "a policy that fails", adjust: func(s *scene, c *mfa.Config) {
			c.Required = func(context.Context, string) (bool, error) { s.acted = true; return false, errHost }
		}},
		{name: "a policy that panics", adjust: func(s *scene, c *mfa.Config) {
			c.Required = func(context.Context, string) (bool, error) { s.acted = true; panic(errHost) }
		}},
		{name: "a verifier that panics with the response", adjust: func(s *scene, c *mfa.Config) { c.Passkeys = panickingVerifier{s: s} }},
		{name: "a refused message", adjust: func(s *scene, c *mfa.Config) {
			c.SMSCodes.Allow = func(context.Context, string, string) error { s.acted = true; return errHost }
		}},
		{name: "a sender that quotes the message", adjust: func(s *scene, c *mfa.Config) {
			c.SMS = s.sends(quotingSender{errHost}.SendSMS)
		}},
		{name: "a sender that panics with the message", adjust: func(s *scene, c *mfa.Config) {
			c.SMS = s.sends(func(_ context.Context, m mfa.SMS) error { panic(m) })
		}},
		{name: "a sender that panics with what holds the message", adjust: func(s *scene, c *mfa.Config) {
			c.SMS = s.sends(func(_ context.Context, m mfa.SMS) error { panic(hostPanic{m}) })
		}},
		{name: "a text that panics with the message", adjust: func(s *scene, c *mfa.Config) {
			c.SMSCodes.Text = func(_ context.Context, m mfa.SMS) string {
				s.fresh["code of a message"], s.acted = m.Code, true
				panic(&m)
			}
		}},
		{name: "a listener that panics with the event", adjust: func(s *scene, c *mfa.Config) {
			listen := c.OnEvent
			c.OnEvent = func(ctx context.Context, event mfa.Event) {
				listen(ctx, event)
				s.acted = true
				panic(event)
			}
		}},
	}
	for _, f := range []world.Fault{world.Fails, world.FailsLate, world.EverTooLate} {
		for at := 1; at <= 4; at++ {
			list = append(list, misfortune{name: fmt.Sprintf("a store whose call %d %s", at, f), before: func(s *scene) { s.store.Arm(s.before, at, f) }})
		}
	}
	return list
}()

// sends returns a sender that records the code and calls send.
func (s *scene) sends(send world.SenderFunc) mfa.SMSSender {
	return world.SenderFunc(func(ctx context.Context, message mfa.SMS) error {
		s.fresh["code of a message"], s.acted = message.Code, true
		return send(ctx, message)
	})
}

// A quotingSender fails with an error that quotes the whole message.
type quotingSender struct{ err error }

type quotingError struct {
	Message mfa.SMS
	Body    string
	cause   error
}

func (e quotingError) Error() string {
	return fmt.Sprintf("to %s (msisdn=%s): cannot send %q: %v", e.Message.To, e.Message.To[1:], e.Body, e.cause)
}

func (e quotingError) Unwrap() error { return e.cause }

func (s quotingSender) SendSMS(_ context.Context, message mfa.SMS) error {
	return quotingError{message, message.Body, s.err}
}

// A panickingVerifier panics with a text that contains only the response's length.
type panickingVerifier struct {
	world.Verifier
	s *scene
}

func (v panickingVerifier) VerifyRequest(_ mfa.PasskeyUser, _ []byte, _ []mfa.Passkey, response string) (mfa.Passkey, error) {
	v.s.acted = true
	panic(fmt.Sprint("a response of ", len(response), " bytes"))
}

// A panickingStore logs what it should save or delete, and panics.
type panickingStore struct{ s *scene }

func (p panickingStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	return p.s.store.Load(ctx, userID)
}

func (p panickingStore) Save(_ context.Context, record mfa.Record) error {
	p.s.acted = true
	p.s.out = append(p.s.out, fmt.Sprintf("cannot save %+v", record))
	panic(errHost)
}

func (p panickingStore) Delete(_ context.Context, userID string) error {
	p.s.acted = true
	panic(userID)
}

// H02: logs, events and errors contain codes, secrets or tokens. Every operation
// is called, used well and badly, in every misfortune, and everything that the
// host can print, log or encode as JSON is searched for every secret in every
// spelling. What is meant to hold a secret is excluded by name: the JSON for
// clients (clientJSON), messages to the sender, backup codes, and a host's own
// error behind Unwrap.
func TestH02NothingSecretIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which waits take no time
		s := newScene(t, nil)
		s.checkSearch()
		s.suffer(misfortune{name: "nothing", before: func(s *scene) { s.acted = true }}, func(c attempt, err error) {
			if got := mfa.ErrorCode(err); got != c.want {
				t.Errorf("%s %s: %v, want %q", c.method, c.how, err, c.want)
			}
		})
		for i, m := range misfortunes {
			if testing.Short() && i%4 > 0 {
				continue // a quarter of them will do
			}
			failures := 0
			s.suffer(m, func(c attempt, err error) {
				if mfa.ErrorCode(err) != c.want {
					failures++
				}
			})
			if failures == 0 {
				t.Errorf("%s changes no call's result", m.name)
			}
		}
		if len(s.seen) < 200 {
			t.Errorf("only %d different texts came out", len(s.seen))
		}
	})
}

// TestNothingOfALockedUserIsLogged searches what comes out while factors are
// delayed or disabled, which return errors of their own.
func TestNothingOfALockedUserIsLogged(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: the search for secrets of a locked user")
	}
	fail := func(s *scene, a world.App, n int) {
		for range n {
			_, err := s.VerifyLogin(s.Ctx, s.Begin("ada").Token, a.Wrong())
			world.WantErr(t, err, mfa.ErrInvalidCode)
			s.Clock.Advance(16 * time.Minute)
		}
	}
	for want, spoil := range map[string]func(s *scene, a world.App){
		"factor_disabled": func(s *scene, a world.App) { fail(s, a, 100) },
		"too_many_attempts": func(s *scene, a world.App) {
			fail(s, a, 20)
			s.VerifyLogin(s.Ctx, s.Begin("ada").Token, a.Wrong())
		},
	} {
		s := newScene(t, spoil)
		met := false
		s.suffer(misfortune{name: want, before: func(s *scene) { s.acted = true }}, func(_ attempt, err error) {
			met = met || mfa.ErrorCode(err) == want
		})
		if !met {
			t.Errorf("no call was refused as %s", want)
		}
	}
}

// suffer makes every attempt in a misfortune and searches what comes out.
func (s *scene) suffer(m misfortune, check func(c attempt, err error)) {
	s.T.Helper()
	s.acted = false
	healthy := s.Ctx
	e := s.Another(func(c *mfa.Config) {
		c.SMS = s.sends(s.Outbox.SendSMS)
		c.OnEvent = func(_ context.Context, event mfa.Event) { s.show(event) }
		s.acted = false
		if m.adjust != nil {
			m.adjust(s, c)
		}
	})
	always, met := s.acted, s.acted
	s.out = nil
	s.show(e)
	s.search("the engine, with " + m.name)
	for _, c := range attempts {
		s.acted = false
		clear(s.fresh)
		s.out = nil
		s.Ctx = healthy
		s.store.Arm(s.before, 0, "")
		if m.before != nil {
			m.before(s)
		}
		value, err := s.make(c, e)
		if !always && !s.acted && !s.store.Met {
			continue // the misfortune did not affect this call
		}
		met = true
		s.show(value)
		if err != nil {
			s.show(err)
			s.out = append(s.out, printedError(err)...)
		}
		s.search(fmt.Sprintf("%s %s, with %s", c.method, c.how, m.name))
		check(c, err)
	}
	s.Ctx = healthy
	if !met {
		s.T.Errorf("%s did not happen", m.name)
	}
}

// make makes a call. A panic of the host's is returned as an error, since a
// handler of the host's would print it.
func (s *scene) make(c attempt, e *mfa.Engine) (value any, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			switch thrown.(type) {
			case mfa.SMS, *mfa.SMS, mfa.Event, hostPanic, string:
			default:
				if thrown != any(errHost) {
					s.T.Errorf("%s %s: the engine panicked: %v", c.method, c.how, thrown)
				}
			}
			s.show(thrown)
			value, err = nil, fmt.Errorf("recovered: %v", thrown)
		}
	}()
	value, err = c.do(s, e)
	s.learn(value, err)
	return value, err
}

// learn adds to s.fresh the secrets that a call returned.
func (s *scene) learn(value any, err error) {
	switch v := value.(type) {
	case *mfa.TOTPEnrollment:
		if v != nil {
			s.fresh["new secret"], s.fresh["new URI"], s.fresh["new QR code"] = v.Secret, v.URI, v.QRCode
		}
	case *mfa.Challenge:
		if v != nil {
			s.fresh["new challenge"] = v.Token
		}
	case *mfa.Login:
		if v != nil {
			s.fresh["new proof"] = v.Proof
		}
	case *mfa.TrustedDevice:
		if v != nil {
			s.fresh["new device"] = v.Token
		}
	}
	var challenge *mfa.ChallengeError
	if errors.As(err, &challenge) {
		s.fresh["new challenge"] = challenge.Token
	}
	var enrollment *mfa.EnrollmentError
	if errors.As(err, &enrollment) {
		s.fresh["new enrollment token"] = enrollment.Token
	}
	maps.DeleteFunc(s.fresh, func(_, secret string) bool { return secret == "" })
}

// clientJSON lists the types whose JSON is made for the client.
var clientJSON = []reflect.Type{
	reflect.TypeFor[mfa.TOTPEnrollment](), reflect.TypeFor[mfa.Challenge](),
	reflect.TypeFor[mfa.ChallengeError](), reflect.TypeFor[mfa.EnrollmentError](),
}

// printed returns everything that fmt, slog and encoding/json produce for a value,
// by itself and inside other values. It leaves out JSON that is for the client.
func printed(value any) string {
	text := world.Printed(value, world.Verbs) + world.Printed([]any{value}, world.VerbsInside) +
		world.Printed(struct{ Value any }{value}, world.VerbsInside) + world.Printed(map[string]any{"key": value}, world.VerbsInside) +
		world.Logged("key", value)
	kind := reflect.TypeOf(value)
	if kind != nil && kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if slices.Contains(clientJSON, kind) {
		return text
	}
	data, err := json.Marshal(value)
	return text + string(data) + fmt.Sprint(err) + world.Logged("inside", []any{value})
}

func (s *scene) show(value any) {
	if v := reflect.ValueOf(value); v.IsValid() && (v.Kind() != reflect.Pointer || !v.IsNil()) {
		s.out = append(s.out, printed(value))
	}
}

// printedError returns the texts of an error and of errors that wrap it, as hosts
// do.
func printedError(err error) (texts []string) {
	texts = []string{err.Error(), mfa.ErrorCode(err)}
	for _, wrapped := range []error{fmt.Errorf("wrapped: %w", err), errors.Join(errHost, err), fmt.Errorf("%w, %w", err, errHost)} {
		texts = append(texts, world.Printed(wrapped, world.VerbsInside), world.Logged("error", wrapped))
	}
	return texts
}

// search searches what has come out for every secret.
func (s *scene) search(where string) {
	s.T.Helper()
	for _, out := range s.out {
		if !s.seen[out] {
			s.seen[out] = true
			s.report(where, out, s.secrets)
		}
		s.report(where, out, s.fresh)
	}
}

func (s *scene) report(where, out string, secrets map[string]string) {
	s.T.Helper()
	for what, secret := range secrets {
		if found := leak(out, secret); found != "" {
			s.T.Errorf("%s: the %s is shown as %q", where, what, found)
		}
	}
}

// leak returns the spelling in which text contains secret, or "" if it does not.
func leak(text, secret string) string {
	for _, spelled := range knownSpellings(secret) {
		at := strings.Index(text, string(spelled))
		if code := len(spelled) <= 8 && strings.Trim(string(spelled), "0123456789") == ""; code && at >= 0 && !holdsCode(text, string(spelled)) {
			continue
		}
		if at >= 0 {
			return string(spelled)
		}
	}
	return ""
}

// knownSpellings caches the spellings of each secret, since many texts are
// searched for the same secrets.
var knownSpellings = func() func(secret string) [][]byte {
	known := make(map[string][][]byte)
	return func(secret string) [][]byte {
		if known[secret] == nil {
			known[secret] = world.Spellings(secret)
		}
		return known[secret]
	}
}()

var (
	number = regexp.MustCompile(`[0-9]+`)
	hexRun = regexp.MustCompile(`0[xX][0-9a-fA-F]+|[0-9a-fA-F]{10,}`)
)

// holdsCode reports whether a text contains a code as a number of its own. Inside
// addresses and hex digits, it may appear by accident; the hex form of a code is
// another spelling.
func holdsCode(text, code string) bool {
	return slices.Contains(number.FindAllString(hexRun.ReplaceAllString(text, " "), -1), code)
}

// checkSearch is the positive control: it checks that each secret is found, however
// it is printed.
func (s *scene) checkSearch() {
	for what, secret := range s.secrets {
		raw := []byte(secret)
		for name, text := range map[string]string{
			"as it is": fmt.Sprintf("text %s text", secret), "quoted": fmt.Sprintf("%q", secret), "in hex": fmt.Sprintf("%x", secret), "in HEX": fmt.Sprintf("%X", secret),
			"in spaced hex": fmt.Sprintf("% x", secret), "in 0x": fmt.Sprintf("%#x", secret), "as bytes": fmt.Sprintf("%v", raw), "as Go bytes": fmt.Sprintf("%#v", raw),
			"as JSON bytes": world.JSON(s.T, map[string][]byte{"text": raw}), "in a URL": "https://x/?a=" + strings.ReplaceAll(fmt.Sprintf("%q", secret), `"`, ""),
			"in a log": world.Logged("key", "text "+secret), "in an error": printed(fmt.Errorf("text %s", secret)),
		} {
			if leak(text, secret) == "" {
				s.T.Errorf("the %s is not found %s: %.80q", what, name, text)
			}
		}
		const nothing = "mfa: invalid code 2030-01-01T00:00:10Z +23*****678"
		if found := leak(nothing, secret); found != "" {
			s.T.Errorf("the %s is found in a text without it, as %q", what, found)
		}
	}
}

// TestEveryOperationIsSearched checks that no exported method is forgotten.
func TestEveryOperationIsSearched(t *testing.T) {
	engine := reflect.TypeFor[*mfa.Engine]()
	for i := range engine.NumMethod() {
		name := engine.Method(i).Name
		if name != "Format" && !slices.ContainsFunc(attempts, func(c attempt) bool { return c.method == name }) {
			t.Errorf("no attempt calls %s", name)
		}
	}
}
