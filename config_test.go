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

// TestZeroMeansDefault: only three fields are required.
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
		"TOTP.Period":       {func(c *mfa.Config) *time.Duration { return &c.TOTP.Period }, time.Minute},
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
	for _, issuer := range []string{"", "a:b", "a\n", "\x00", "a\xff", "a\u202eb", "a\u200d", strings.Repeat("a", 237), strings.Repeat("é", 40), strings.Repeat("行", 27)} {
		refused("Issuer", func(c *mfa.Config) { c.Issuer = issuer })
	}
	for algorithm, most := range map[mfa.Algorithm]int{mfa.SHA1: 236, mfa.SHA256: 217, mfa.SHA512: 192} {
		config := goodConfig()
		config.TOTP.Algorithm, config.Issuer = algorithm, strings.Repeat("a", most)
		engine, err := mfa.New(config)
		world.OK(t, err)
		enrollment, err := engine.EnrollTOTP(t.Context(), "ada", strings.Repeat("a", 64))
		world.OK(t, err)
		if len(enrollment.URI) < 599 {
			t.Errorf("%s: the longest issuer makes a URI of only %d bytes", algorithm, len(enrollment.URI))
		}
		refused("Issuer", func(c *mfa.Config) { c.TOTP.Algorithm, c.Issuer = algorithm, config.Issuer+"a" })
	}
	refused("Store", func(c *mfa.Config) { c.Store = nil })
	for _, keys := range [][][]byte{nil, {}, {nil}, {{}}, {world.Key(1)[:31]}, {append(world.Key(1), 0)}, {make([]byte, 32)}, {world.Key(1), make([]byte, 32)}, {world.Key(1), world.Key(1)}, {[]byte("32 random bytes of your own here")}, {world.Key(1), bytes.Repeat([]byte{0xa5}, 32)}} {
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
		func(c *mfa.Config) { c.Issuer = strings.Repeat("a", 236) },
		func(c *mfa.Config) { c.Issuer = strings.Repeat("行", 25) },
		func(c *mfa.Config) { c.Issuer = "Сбербанк Онлайн Россия" },
		func(c *mfa.Config) { c.Issuer = "ธนาคารกรุงเทพ" },
		func(c *mfa.Config) { c.Issuer = "भारतीय स्टेट बैंक" },
		func(c *mfa.Config) { c.Issuer = "بانک\u200cداری" },
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

func TestKeysRotateWithoutDowntime(t *testing.T) {
	w := world.New(t)
	old, next := world.Key(1), world.Key(100)
	with := func(keys ...[]byte) *mfa.Engine {
		return w.Another(func(c *mfa.Config) { c.Keys = keys })
	}
	a, _ := w.GiveTOTP("ada")
	device := func() string {
		w.Engine = with(old)
		w.Clock.Advance(30 * time.Second)
		device, err := w.TrustDevice(w.Ctx, "ada", w.Login("ada", a.Shows()).Proof, "")
		world.OK(t, err)
		return device.Token
	}()
	loginAt := func(begin, verify *mfa.Engine) {
		t.Helper()
		w.Clock.Advance(30 * time.Second)
		_, err := verify.VerifyLogin(w.Ctx, world.Challenged(t, begin.BeginLogin(w.Ctx, "ada")).Token, a.Shows())
		world.OK(t, err)
	}
	// Processes are reconfigured one after the other, first to know the new key,
	// then to seal with it. At any time any of them may answer.
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

	// A code that was sent under one key is accepted under the other.
	world.OK(t, moved.ImportSMS(w.Ctx, "ada", world.Phone))
	challenge := world.Challenged(t, moved.BeginLogin(w.Ctx, "ada"))
	_, err := moved.SendCode(w.Ctx, challenge.Token)
	world.OK(t, err)
	_, err = appended.VerifyLogin(w.Ctx, challenge.Token, w.Outbox.Code(world.Phone))
	world.OK(t, err)
}
