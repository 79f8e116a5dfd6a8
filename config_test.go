package mfa_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func goodConfig() mfa.Config {
	return mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{world.Key(1)}}
}

// TestZeroMeansDefault: three fields are all it takes.
func TestZeroMeansDefault(t *testing.T) {
	config := goodConfig()
	before := config
	if _, err := mfa.New(config); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(config, before) {
		t.Error("New changed the caller's Config")
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	ttls := map[string]struct {
		field func(*mfa.Config) *time.Duration
		most  time.Duration
	}{
		"TOTP.Period":       {func(c *mfa.Config) *time.Duration { return &c.TOTP.Period }, 120 * time.Second},
		"SMSCodes.TTL":      {func(c *mfa.Config) *time.Duration { return &c.SMSCodes.TTL }, 10 * time.Minute},
		"SMSCodes.Cooldown": {func(c *mfa.Config) *time.Duration { return &c.SMSCodes.Cooldown }, time.Hour},
		"ChallengeTTL":      {func(c *mfa.Config) *time.Duration { return &c.ChallengeTTL }, 10 * time.Minute},
		"EnrollmentTTL":     {func(c *mfa.Config) *time.Duration { return &c.EnrollmentTTL }, 24 * time.Hour},
		"ProofTTL":          {func(c *mfa.Config) *time.Duration { return &c.ProofTTL }, 24 * time.Hour},
		"TrustedDeviceTTL":  {func(c *mfa.Config) *time.Duration { return &c.TrustedDeviceTTL }, 400 * 24 * time.Hour},
	}
	refused := func(field string, change func(*mfa.Config)) {
		t.Helper()
		config := goodConfig()
		change(&config)
		engine, err := mfa.New(config)
		if !errors.Is(err, mfa.ErrInvalidInput) || engine != nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for field, ttl := range ttls {
		for _, bad := range []time.Duration{-1, -time.Minute, math.MinInt64, ttl.most + 1, ttl.most + time.Second, math.MaxInt64} {
			refused(field, func(c *mfa.Config) { *ttl.field(c) = bad })
		}
		config := goodConfig()
		*ttl.field(&config) = ttl.most
		_, err := mfa.New(config)
		world.OK(t, err)
	}
	for _, issuer := range []string{"", "a:b", "a\n", "\x00", "a\xff", strings.Repeat("a", 101), strings.Repeat("é", 17), "a\u202eb"} {
		refused("Issuer", func(c *mfa.Config) { c.Issuer = issuer })
	}
	refused("Store", func(c *mfa.Config) { c.Store = nil })
	for _, keys := range [][][]byte{nil, {}, {nil}, {{}}, {world.Key(1)[:31]}, {append(world.Key(1), 0)}, {make([]byte, 32)}, {world.Key(1), make([]byte, 32)}, {world.Key(1), world.Key(1)}} {
		refused("Keys", func(c *mfa.Config) { c.Keys = keys })
	}
	for _, algorithm := range []mfa.Algorithm{"sha1", "MD5", "SHA-1", " "} {
		refused("TOTP.Algorithm", func(c *mfa.Config) { c.TOTP.Algorithm = algorithm })
	}
	for _, digits := range []int{-1, 1, 5, 7, 9, 10, 19, math.MaxInt, math.MinInt} {
		refused("TOTP.Digits", func(c *mfa.Config) { c.TOTP.Digits = digits })
	}
	for _, period := range []time.Duration{1, time.Second - 1, 1500 * time.Millisecond} {
		refused("TOTP.Period", func(c *mfa.Config) { c.TOTP.Period = period })
	}
	for _, domain := range []string{"https://example.com", "example.com:443", "example.com/x", "a b", "@example.com", "a..b", ".", strings.Repeat("a", 64), "exämple.com", "a\nb", strings.Repeat("a.", 127) + "a"} {
		refused("SMSCodes.Domain", func(c *mfa.Config) { c.SMSCodes.Domain = domain })
	}
	for _, count := range []int{-1, 16, math.MaxInt, math.MinInt} {
		refused("BackupCodes.Count", func(c *mfa.Config) { c.BackupCodes.Count = count })
	}
	for _, groups := range []int{-1, 1, 9, math.MaxInt, math.MinInt} {
		refused("BackupCodes.Groups", func(c *mfa.Config) { c.BackupCodes.Groups = groups })
	}
}

func TestNewTakesAllThatMakesSense(t *testing.T) {
	for _, change := range []func(*mfa.Config){
		func(c *mfa.Config) { c.Issuer = strings.Repeat("a", 100) },
		func(c *mfa.Config) { c.Issuer = strings.Repeat("é", 16) },
		func(c *mfa.Config) { c.TOTP = mfa.TOTPConfig{Algorithm: mfa.SHA512, Digits: 8, Period: time.Second} },
		func(c *mfa.Config) { c.BackupCodes = mfa.BackupCodeConfig{Count: 15, Groups: 8} },
		func(c *mfa.Config) { c.BackupCodes = mfa.BackupCodeConfig{Count: 1, Groups: 2} },
		func(c *mfa.Config) { c.SMSCodes.Domain = "localhost" },
		func(c *mfa.Config) { c.SMSCodes.Domain = "a-1.Example.COM" },
		func(c *mfa.Config) { c.Keys = [][]byte{world.Key(3), world.Key(2), world.Key(1)} },
		func(c *mfa.Config) { c.ChallengeTTL = 1 },
	} {
		config := goodConfig()
		change(&config)
		_, err := mfa.New(config)
		world.OK(t, err)
	}
}

// TestEverySettingWorks: each has an effect that the default does not have.
// The table has a line for each field, so that a new one cannot be forgotten.
func TestEverySettingWorks(t *testing.T) {
	shown := map[string]string{ // where another test shows it
		"Issuer": "TestKeyURI", "Store": "TestCountsLiveInTheStore", "Keys": "TestKeyRotation", "SMS": "TestEnrollSMS",
		"Required": "TestRequiredMFA", "OnEvent": "TestEnrollTOTP", "Now": "TestEnrollmentExpires", "InsecureSkipProof": "TestProofs",
		"TOTP.Algorithm": "TestKeyURI", "TOTP.Digits": "TestKeyURI", "TOTP.Period": "TestKeyURI", "TOTP.Strict": "TestWindow",
		"SMSCodes.Domain": "TestMessageText", "SMSCodes.Text": "TestMessageText", "SMSCodes.Allow": "TestTheHostRefusesMessages",
		"SMSCodes.Numbers": "TestMessagesPerNumber", "SMSCodes.TTL": "TestASentCodeExpires", "ChallengeTTL": "TestChallengeExpires",
		"BackupCodes.Count": "TestBackupCodes", "BackupCodes.Groups": "TestMoreGroups",
	}
	here := map[string]func(t *testing.T){
		"SMSCodes.Cooldown": func(t *testing.T) {
			w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Cooldown = 7 * time.Second })
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.OK(t, err)
			_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.WantThrottled(t, err, 7*time.Second)
		},
		"EnrollmentTTL": func(t *testing.T) {
			w := world.New(t, func(c *mfa.Config) { c.EnrollmentTTL = time.Minute })
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
			world.OK(t, err)
			delivery, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.OK(t, err)
			if end := w.Clock.Now().Add(time.Minute); !enrollment.ExpiresAt.Equal(end) || !delivery.ExpiresAt.Equal(end) {
				t.Errorf("%v and %v, want %v", enrollment.ExpiresAt, delivery.ExpiresAt, end)
			}
			w.Clock.Advance(time.Minute)
			_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
			world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
		},
		"ProofTTL": func(t *testing.T) {
			w := world.New(t, func(c *mfa.Config) { c.ProofTTL = 2 * time.Minute })
			_, login := w.GiveTOTP("ada")
			w.Clock.Advance(time.Minute - 1)
			_, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
			world.OK(t, err)
			w.Clock.Advance(1)
			_, err = w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
			world.Challenged(t, err)
		},
		"TrustedDeviceTTL": func(t *testing.T) {
			w := world.New(t, func(c *mfa.Config) { c.TrustedDeviceTTL = time.Hour })
			_, login := w.GiveTOTP("ada")
			device, err := w.TrustDevice(w.Ctx, "ada", login.Proof)
			world.OK(t, err)
			w.Clock.Advance(time.Hour - 1)
			world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
			w.Clock.Advance(1)
			w.Begin("ada", mfa.WithTrustedDevice(device.Token))
		},
	}
	var check func(prefix string, config reflect.Type)
	check = func(prefix string, config reflect.Type) {
		for i := range config.NumField() {
			field := config.Field(i)
			name := prefix + field.Name
			if strings.HasSuffix(field.Type.Name(), "Config") {
				check(name+".", field.Type)
				continue
			}
			if test := here[name]; test != nil {
				t.Run(name, test)
			} else if shown[name] == "" {
				t.Errorf("no test shows that %s has an effect", name)
			}
		}
	}
	check("", reflect.TypeFor[mfa.Config]())
}

func TestKeyRotation(t *testing.T) {
	w := world.New(t)
	old, next := world.Key(1), world.Key(100)
	with := func(keys ...[]byte) *mfa.Engine {
		return w.Another(func(c *mfa.Config) { c.Keys = keys })
	}
	a, _ := w.GiveTOTP("ada")
	device := func() string {
		w.Engine = with(old)
		w.Clock.Advance(30 * time.Second)
		device, err := w.TrustDevice(w.Ctx, "ada", w.Login("ada", a.Shows()).Proof)
		world.OK(t, err)
		return device.Token
	}()
	loginAt := func(begin, verify *mfa.Engine) {
		t.Helper()
		w.Clock.Advance(30 * time.Second)
		_, err := verify.VerifyLogin(w.Ctx, world.Challenged(t, begin.BeginLogin(w.Ctx, "ada")).Token, a.Shows())
		world.OK(t, err)
	}
	// Processes are told one after the other, first of the new key, then to
	// seal with it: at each moment any of them may answer.
	first, appended, moved, last := with(old), with(old, next), with(next, old), with(next)
	loginAt(first, appended)
	loginAt(appended, first)
	loginAt(appended, moved)
	loginAt(moved, appended)
	world.OK(t, moved.Reseal(w.Ctx, "ada"))
	loginAt(moved, last)
	loginAt(last, moved)
	world.OK(t, moved.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device)))
	world.Challenged(t, last.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device)))
	if err := first.BeginLogin(w.Ctx, "ada"); err == nil || mfa.ErrorCode(err) != "internal" {
		t.Errorf("without the key: %v", err)
	}

	// A message that was sent under one key is answered under the other.
	world.OK(t, moved.ImportSMS(w.Ctx, "ada", world.Phone))
	challenge := world.Challenged(t, moved.BeginLogin(w.Ctx, "ada"))
	_, err := moved.SendCode(w.Ctx, challenge.Token)
	world.OK(t, err)
	_, err = appended.VerifyLogin(w.Ctx, challenge.Token, w.Outbox.Code(world.Phone))
	world.OK(t, err)
}

func TestResealWritesOnce(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	version := func() int64 {
		record, err := w.Store.Load(w.Ctx, "ada")
		world.OK(t, err)
		return record.Version
	}
	before := version()
	world.OK(t, w.Reseal(w.Ctx, "ada"))
	if version() != before {
		t.Error("wrote a record that is under the first key")
	}
	moved := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(100), world.Key(1)} })
	for range 2 {
		world.OK(t, moved.Reseal(w.Ctx, "ada"))
		if version() != before+1 {
			t.Errorf("version %d, want %d", version(), before+1)
		}
	}
}

// TestRecordsAreBound: to their user, their version and the keys.
func TestRecordsAreBound(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	w.GiveTOTP("bob")
	store := w.Store.(*mfa.MemoryStore)
	load := func(user string) mfa.Record {
		record, err := store.Load(w.Ctx, user)
		world.OK(t, err)
		return record
	}
	ada, bob := load("ada"), load("bob")
	for name, data := range map[string][]byte{
		"another user's":  bob.Data,
		"an older one":    ada.Data, // under a newer version number
		"empty":           {},
		"cut":             ada.Data[:len(ada.Data)-1],
		"a flipped bit":   append(bytes.Clone(ada.Data[:60]), append([]byte{ada.Data[60] ^ 1}, ada.Data[61:]...)...),
		"larger than any": make([]byte, 8<<10+1),
	} {
		record := load("ada")
		record.Data = data
		world.OK(t, store.Save(w.Ctx, record))
		calls := map[string]error{
			"BeginLogin":      w.BeginLogin(w.Ctx, "ada"),
			"Unenroll":        w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP),
			"Reset":           w.Reset(w.Ctx, "ada"),
			"PasswordChanged": w.PasswordChanged(w.Ctx, "ada"),
		}
		_, calls["EnrollTOTP"] = w.EnrollTOTP(w.Ctx, "ada", "a")
		_, calls["Status"] = w.Status(w.Ctx, "ada")
		for call, err := range calls {
			if err == nil || mfa.ErrorCode(err) != "internal" || errors.Is(err, mfa.ErrNotEnrolled) || errors.Is(err, mfa.ErrNoRecord) {
				t.Errorf("%s with %s: %v", call, name, err)
			}
		}
	}
	world.OK(t, w.DeleteUser(w.Ctx, "ada")) // the way out
}

// TestWhatTheStoreGets: no secret in any spelling, and who has what.
func TestWhatTheStoreGets(t *testing.T) {
	spy := &world.SpyStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = spy; c.SMSCodes.Numbers = spy })
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(t, err)
	login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
	world.OK(t, err)
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	codes := w.GiveBackupCodes("ada", login.Proof)
	challenge := w.Begin("ada")
	code := w.SentCode(challenge.Token)
	secrets := append(codes, enrollment.Secret, world.Phone, code, w.Outbox.Messages()[0].Code, challenge.Token, login.Proof)
	for _, secret := range secrets {
		for _, spelled := range world.Spellings(secret) {
			if bytes.Contains(spy.Written.Bytes(), spelled) {
				t.Errorf("%q is in the store as %q", secret, spelled)
			}
		}
	}
	record, err := spy.Load(w.Ctx, "ada")
	world.OK(t, err)
	if !reflect.DeepEqual(record.Methods, []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS}) {
		t.Errorf("Methods %v", record.Methods)
	}
}
