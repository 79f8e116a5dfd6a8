package mfatest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

const rfcURI = "otpauth://totp/ACME:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ACME"

func TestClock(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := mfatest.NewClock(start)
	if clock.Advance(time.Minute); !clock.Now().Equal(start.Add(time.Minute)) {
		t.Errorf("shows %v", clock.Now())
	}
	if clock.Advance(-time.Hour); !clock.Now().Equal(start.Add(-59 * time.Minute)) {
		t.Errorf("shows %v", clock.Now())
	}
	if clock.Set(start); !clock.Now().Equal(start) {
		t.Errorf("shows %v", clock.Now())
	}
}

func TestAuthenticator(t *testing.T) {
	for _, test := range []struct {
		uri  string
		at   int64
		code string
	}{ // RFC 6238, appendix B
		{rfcURI, 59, "287082"},
		{rfcURI + "&digits=8", 1111111109, "07081804"},
		{rfcURI, 20000000000, "353130"},
		{"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA&algorithm=SHA256&digits=8", 59, "46119246"},
		{rfcURI + "&period=60&digits=8", 2 * 59, "94287082"},
	} {
		app, err := mfatest.NewAuthenticator(test.uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := app.Code(time.Unix(test.at, 0)); got != test.code {
			t.Errorf("%s at %d shows %s, want %s", test.uri, test.at, got, test.code)
		}
		wrong := app.WrongCode(time.Unix(test.at, 0))
		if len(wrong) != len(test.code) {
			t.Errorf("wrong code %s", wrong)
		}
		for offset := -5 * time.Minute; offset <= 5*time.Minute; offset += time.Second {
			if app.Code(time.Unix(test.at, 0).Add(offset)) == wrong {
				t.Errorf("%s is right %v later", wrong, offset)
			}
		}
	}
	for _, bad := range []string{"", "x", "https://totp/x?secret=GEZDGNBV", "otpauth://hotp/x?secret=GEZDGNBV", "otpauth://totp/x", "otpauth://totp/x?secret=1"} {
		if _, err := mfatest.NewAuthenticator(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestOutbox(t *testing.T) {
	var outbox mfatest.Outbox
	ctx := context.Background()
	for i, to := range []string{"+1", "+2", "+1"} {
		if err := outbox.SendSMS(ctx, mfa.SMS{To: to, Code: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if outbox.Code("+1") != "2" || outbox.Code("+2") != "1" || outbox.Code("+3") != "" || len(outbox.Messages()) != 3 {
		t.Errorf("%q, %q, %q, %d messages", outbox.Code("+1"), outbox.Code("+2"), outbox.Code("+3"), len(outbox.Messages()))
	}
	down := errors.New("down")
	outbox.FailWith(down)
	if err := outbox.SendSMS(ctx, mfa.SMS{}); !errors.Is(err, down) || len(outbox.Messages()) != 3 {
		t.Errorf("%v, %d messages", err, len(outbox.Messages()))
	}
	outbox.FailWith(nil)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := outbox.SendSMS(ended, mfa.SMS{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A test of a host's login: the clock stands still, the outbox is the phone, and
// the authenticator app scans what the user would scan.
func Example() {
	ctx := context.Background()
	clock := mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	outbox := &mfatest.Outbox{}
	key := make([]byte, 32)
	rand.Read(key)
	store := mfa.NewMemoryStore()
	engine, err := mfa.New(mfa.Config{
		Issuer:   "ACME",
		Store:    store,
		Keys:     [][]byte{key},
		SMS:      outbox,
		SMSCodes: mfa.SMSConfig{Numbers: store},
		Now:      clock.Now,
	})
	if err != nil {
		panic(err)
	}

	enrollment, err := engine.EnrollTOTP(ctx, "ada", "ada@example.com")
	if err != nil {
		panic(err)
	}
	app, err := mfatest.NewAuthenticator(enrollment.URI)
	if err != nil {
		panic(err)
	}
	_, err = engine.VerifyEnrollment(ctx, "ada", mfa.MethodTOTP, app.WrongCode(clock.Now()))
	fmt.Println("wrong code:", err)
	login, err := engine.VerifyEnrollment(ctx, "ada", mfa.MethodTOTP, app.Code(clock.Now()))
	fmt.Println("right code:", err)

	_, err = engine.EnrollSMS(ctx, "ada", "+14155552671", mfa.WithProof(login.Proof))
	fmt.Println("sent:", len(outbox.Messages()), "message,", err)
	_, err = engine.VerifyEnrollment(ctx, "ada", mfa.MethodSMS, outbox.Code("+14155552671"))
	fmt.Println("its code:", err)
	// Output:
	// wrong code: mfa: invalid code (tries left: 4)
	// right code: <nil>
	// sent: 1 message, <nil>
	// its code: <nil>
}
