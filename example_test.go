package mfa_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// The examples whose output contains times begin at start.
var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

var key, otherKey = newKey(), newKey()

// newKey returns a key for mfa.Config.Keys. A host loads its key from wherever it
// keeps its other secrets.
func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}

// must returns v, and panics if err is not nil.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// enrolled sets up what most examples begin with: it returns an engine, its clock,
// and the authenticator app and latest login of its user ada.
func enrolled(config mfa.Config) (*mfa.Engine, *mfatest.Clock, *mfatest.Authenticator, *mfa.Login) {
	clock := mfatest.NewClock(start)
	config.Issuer, config.Now = "ACME", clock.Now
	if config.Store == nil {
		config.Store = mfa.NewMemoryStore()
	}
	if config.Keys == nil {
		config.Keys = [][]byte{key}
	}
	engine := must(mfa.New(config))
	enrollment := must(engine.EnrollTOTP(context.Background(), "ada", "ada@example.com"))
	app := must(mfatest.NewAuthenticator(enrollment.URI))
	login := must(engine.VerifyEnrollment(context.Background(), "ada", mfa.MethodTOTP, app.Code(clock.Now())))
	clock.Advance(time.Minute)
	return engine, clock, app, login
}

// challenge begins a login and returns the token of its challenge.
func challenge(engine *mfa.Engine, userID string) string {
	var challenge *mfa.ChallengeError
	if !errors.As(engine.BeginLogin(context.Background(), userID), &challenge) {
		panic("not challenged")
	}
	return challenge.Token
}

func Example() {
	ctx := context.Background()
	key := make([]byte, 32) // generate once; keep with your other secrets, not in the database
	rand.Read(key)
	engine, err := mfa.New(mfa.Config{
		Issuer: "ACME",               // shown in authenticator apps
		Store:  mfa.NewMemoryStore(), // or your database
		Keys:   [][]byte{key},
	})
	if err != nil {
		log.Fatal(err)
	}

	// Ada turns on MFA: show her enrollment.QRCode and ask for a code from her app.
	enrollment, err := engine.EnrollTOTP(ctx, "ada", "ada@example.com")
	if err != nil {
		log.Fatal(err)
	}
	app, _ := mfatest.NewAuthenticator(enrollment.URI) // stands in for her phone
	if _, err := engine.VerifyEnrollment(ctx, "ada", mfa.MethodTOTP, app.Code(time.Now())); err != nil {
		log.Fatal(err)
	}

	// At her next login, once the password was right. Only nil would let her pass.
	var challenge *mfa.ChallengeError
	if err := engine.BeginLogin(ctx, "ada"); errors.As(err, &challenge) {
		code := app.Code(time.Now().Add(30 * time.Second)) // the next one: each works once
		login, err := engine.VerifyLogin(ctx, challenge.Token, code)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("logged in:", login.UserID) // never the user that a form or session names
	}
	// Output: logged in: ada
}

// Enrolling an authenticator app: the user scans the QR code and confirms with a
// code from the app.
func Example_enroll() {
	ctx := context.Background()
	clock := mfatest.NewClock(start)
	engine := must(mfa.New(mfa.Config{Issuer: "ACME Co", Store: mfa.NewMemoryStore(), Keys: [][]byte{key}, Now: clock.Now}))

	enrollment := must(engine.EnrollTOTP(ctx, "ada", "ada@example.com"))
	fmt.Println(strings.Replace(enrollment.URI, enrollment.Secret, "...", 1))
	fmt.Println(enrollment.QRCode[:22])
	fmt.Println(enrollment) // the secret is never printed

	app := must(mfatest.NewAuthenticator(enrollment.URI)) // stands in for the user's phone
	_, err := engine.VerifyEnrollment(ctx, "ada", mfa.MethodTOTP, app.WrongCode(clock.Now()))
	fmt.Println(err)
	login, err := engine.VerifyEnrollment(ctx, "ada", mfa.MethodTOTP, app.Code(clock.Now()))
	fmt.Println(login.Method, err)

	status := must(engine.Status(ctx, "ada"))
	fmt.Println(status.Factors[0].Method, status.Factors[0].EnrolledAt)
	// Output:
	// otpauth://totp/ACME%20Co:ada@example.com?secret=...&issuer=ACME%20Co
	// data:image/png;base64,
	// mfa.TOTPEnrollment{redacted, ExpiresAt:2030-01-01T00:15:00Z}
	// mfa: invalid code (tries left: 4)
	// totp <nil>
	// totp 2030-01-01 00:00:00 +0000 UTC
}

// Logging in: the error that BeginLogin returns marshals to the JSON to send to the
// client.
func Example_login() {
	ctx := context.Background()
	engine, clock, app, _ := enrolled(mfa.Config{})

	err := engine.BeginLogin(ctx, "bob") // bob has not enrolled
	fmt.Println("bob:", err)

	err = engine.BeginLogin(ctx, "ada")
	fmt.Println("ada:", err)
	var challenge *mfa.ChallengeError
	if errors.As(err, &challenge) {
		body := string(must(json.Marshal(challenge)))
		fmt.Println(strings.Replace(body, challenge.Token, "mfa_tmp_...", 1))
	}
	_, err = engine.VerifyLogin(ctx, challenge.Token, app.WrongCode(clock.Now()))
	fmt.Println(mfa.ErrorCode(err), "-", err)
	login, err := engine.VerifyLogin(ctx, challenge.Token, app.Code(clock.Now()))
	fmt.Println(login.UserID, login.Method, login.AMR, err)
	_, err = engine.VerifyLogin(ctx, challenge.Token, app.Code(clock.Now()))
	fmt.Println(mfa.ErrorCode(err), "-", err)
	// Output:
	// bob: <nil>
	// ada: mfa: code required for "login" (totp)
	// {"mfa_required":true,"mfa_token":"mfa_tmp_...","available_methods":["totp"]}
	// invalid_code - mfa: invalid code (tries left: 4)
	// ada totp [otp mfa] <nil>
	// invalid_token - mfa: invalid or expired token
}

// printSender prints messages instead of sending them, and keeps the last code.
type printSender struct{ code string }

func (s *printSender) SendSMS(_ context.Context, message mfa.SMS) error {
	s.code = message.Code
	fmt.Println("SMS:", strings.Replace(message.Body, message.Code, "......", 1))
	return nil
}

// Codes by SMS: a code confirms the number, then others log the user in.
func Example_sms() {
	ctx := context.Background()
	clock := mfatest.NewClock(start)
	sender := &printSender{}
	engine := must(mfa.New(mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{key}, SMS: sender, SMSCodes: mfa.SMSConfig{Numbers: mfa.NewMemoryStore()}, Now: clock.Now}))

	delivery := must(engine.EnrollSMS(ctx, "ada", "+234 801 234 5678"))
	fmt.Println(string(must(json.Marshal(delivery))))
	_, err := engine.VerifyEnrollment(ctx, "ada", mfa.MethodSMS, sender.code)
	fmt.Println("confirmed:", err == nil)

	token := challenge(engine, "ada")
	_, err = engine.SendCode(ctx, token)
	fmt.Println(err) // one message every 30 seconds
	clock.Advance(30 * time.Second)
	must(engine.SendCode(ctx, token))
	login := must(engine.VerifyLogin(ctx, token, sender.code))
	fmt.Println(login.Method, login.AMR)
	// Output:
	// SMS: ...... is your ACME code to confirm this phone number. Do not share it.
	// {"phone":"+23*****678","expires_at":"2030-01-01T00:05:00Z","resend_after":"2030-01-01T00:00:30Z"}
	// confirmed: true
	// mfa: too many messages, retry after 30s
	// SMS: ...... is your ACME code to sign in. Do not share it.
	// sms [sms mfa]
}

// Backup codes: each works once, in upper or lower case, with or without dashes.
func Example_backupCodes() {
	ctx := context.Background()
	engine, _, _, login := enrolled(mfa.Config{})

	codes := must(engine.GenerateBackupCodes(ctx, "ada", mfa.WithProof(login.Proof)))
	fmt.Println(len(codes), "codes of", len(codes[0]), "characters")

	typed := strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))
	login = must(engine.VerifyLogin(ctx, challenge(engine, "ada"), typed))
	fmt.Println(login.Method, login.AMR, login.BackupCodesLeft, "left")

	_, err := engine.VerifyLogin(ctx, challenge(engine, "ada"), codes[0])
	fmt.Println(err)
	// Output:
	// 10 codes of 9 characters
	// backup_code [mfa] 9 left
	// mfa: invalid code (tries left: 4)
}

// Required MFA with a grace period: users have a week after signing up to enroll.
func Example_required() {
	ctx := context.Background()
	clock := mfatest.NewClock(start)
	signedUp := map[string]time.Time{"ada": start, "bob": start.Add(-30 * 24 * time.Hour)}
	engine := must(mfa.New(mfa.Config{
		Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{key}, Now: clock.Now,
		Required: func(_ context.Context, userID string) (bool, error) {
			since, ok := signedUp[userID]
			if !ok {
				return false, errors.New("no such user") // an error refuses
			}
			return clock.Now().Sub(since) > 7*24*time.Hour, nil
		},
	}))

	fmt.Println("ada, today:", engine.BeginLogin(ctx, "ada"))
	err := engine.BeginLogin(ctx, "bob")
	fmt.Println("bob:", err)
	var enrollment *mfa.EnrollmentError
	if errors.As(err, &enrollment) {
		// The token opens the enrollment pages and nothing else.
		userID := must(engine.EnrollmentUser(ctx, enrollment.Token))
		totp := must(engine.EnrollTOTP(ctx, userID, "bob@example.com"))
		app := must(mfatest.NewAuthenticator(totp.URI))
		login := must(engine.VerifyEnrollment(ctx, userID, mfa.MethodTOTP, app.Code(clock.Now())))
		fmt.Println(login.UserID, "is in;", mfa.ErrorCode(engine.Unenroll(ctx, userID, mfa.MethodTOTP, mfa.WithProof(login.Proof))))
	}
	clock.Advance(8 * 24 * time.Hour)
	fmt.Println("ada, in a week:", mfa.ErrorCode(engine.BeginLogin(ctx, "ada")))
	// Output:
	// ada, today: <nil>
	// bob: mfa: enrollment required (totp)
	// bob is in; mfa_enforced
	// ada, in a week: mfa_enrollment_required
}

// Step-up: asking for a code again before one action. The challenge is valid for
// that action only.
func Example_stepUp() {
	ctx := context.Background()
	engine, clock, app, _ := enrolled(mfa.Config{})

	challenge := must(engine.BeginStepUp(ctx, "ada", "transfer:1000"))
	_, err := engine.VerifyStepUp(ctx, "ada", challenge.Token, "transfer:9999", app.Code(clock.Now()))
	fmt.Println(err)
	login := must(engine.VerifyStepUp(ctx, "ada", challenge.Token, "transfer:1000", app.Code(clock.Now())))
	fmt.Println(login.UserID, "may", login.Action)
	// Output:
	// mfa: invalid or expired token
	// ada may transfer:1000
}

// Changing factors: this requires the proof of a recent login or step-up.
func Example_changingFactors() {
	ctx := context.Background()
	engine, clock, app, _ := enrolled(mfa.Config{})

	err := engine.Unenroll(ctx, "ada", mfa.MethodTOTP)
	fmt.Println(err)
	var challenge *mfa.ChallengeError
	if errors.As(err, &challenge) {
		login := must(engine.VerifyStepUp(ctx, "ada", challenge.Token, mfa.ActionManage, app.Code(clock.Now())))
		err = engine.Unenroll(ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof))
	}
	fmt.Println(err)
	fmt.Println(engine.BeginLogin(ctx, "ada"))
	// Output:
	// mfa: code required for "manage" (totp)
	// <nil>
	// <nil>
}

// Trusted devices: they skip the prompt until the password or a factor changes.
func Example_trustedDevice() {
	ctx := context.Background()
	engine, _, _, login := enrolled(mfa.Config{})

	device := must(engine.TrustDevice(ctx, "ada", login.Proof, "")) // device.Token goes into a cookie
	fmt.Println("trusted until", device.ExpiresAt.Format(time.DateOnly))
	fmt.Println(engine.BeginLogin(ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	if err := engine.PasswordChanged(ctx, "ada"); err != nil {
		panic(err)
	}
	fmt.Println(engine.BeginLogin(ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	// Output:
	// trusted until 2030-01-31
	// <nil>
	// mfa: code required for "login" (totp)
}

// Rotating keys: append the new key, move it to the front, reseal every record,
// drop the old key.
func Example_keyRotation() {
	ctx := context.Background()
	store := mfa.NewMemoryStore()
	_, clock, app, _ := enrolled(mfa.Config{Store: store})

	with := func(keys ...[]byte) *mfa.Engine {
		return must(mfa.New(mfa.Config{Issuer: "ACME", Store: store, Keys: keys, Now: clock.Now}))
	}
	appended := with(key, otherKey) // first, in every process
	moved := with(otherKey, key)    // then, in every process
	token := challenge(appended, "ada")
	fmt.Println("begun with the old key:", must(moved.VerifyLogin(ctx, token, app.Code(clock.Now()))).UserID)
	if err := moved.Reseal(ctx, "ada"); err != nil { // for every user
		panic(err)
	}
	clock.Advance(30 * time.Second)
	dropped := with(otherKey)
	token = challenge(dropped, "ada")
	fmt.Println("without the old key:", must(dropped.VerifyLogin(ctx, token, app.Code(clock.Now()))).UserID)
	// Output:
	// begun with the old key: ada
	// without the old key: ada
}

// mapStore is a host's own mfa.Store. Save is a compare-and-swap.
type mapStore struct {
	mu      sync.Mutex
	records map[string]mfa.Record
}

func (s *mapStore) Load(_ context.Context, userID string) (mfa.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record, ok := s.records[userID]
	if !ok {
		return mfa.Record{}, mfa.ErrNoRecord
	}
	record.Methods, record.Data = slices.Clone(record.Methods), slices.Clone(record.Data)
	return record, nil
}

func (s *mapStore) Save(_ context.Context, record mfa.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records[record.UserID].Version != record.Version { // 0 if there is none
		return mfa.ErrConflict
	}
	record.Version++
	record.Methods, record.Data = slices.Clone(record.Methods), slices.Clone(record.Data)
	s.records[record.UserID] = record
	return nil
}

func (s *mapStore) Delete(_ context.Context, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, userID)
	return nil
}

// A store of your own. mfatest.TestStore checks that it meets the contract.
func Example_store() {
	store := &mapStore{records: make(map[string]mfa.Record)}
	engine, _, _, _ := enrolled(mfa.Config{Store: store})
	fmt.Println(engine.BeginLogin(context.Background(), "ada"))
	record := store.records["ada"]
	fmt.Println(record.UserID, record.Version, record.Methods)
	// Output:
	// mfa: code required for "login" (totp)
	// ada 2 [totp]
}

// Events: for audit logs, metrics and mail to the user. OnEvent is called after
// the save.
func Example_events() {
	_, _, _, _ = enrolled(mfa.Config{OnEvent: func(_ context.Context, event mfa.Event) {
		event.FactorID = "" // it is random
		fmt.Println(event)
	}})
	// Output:
	// mfa.Event{type=enrollment_started user_id=ada time=2030-01-01T00:00:00Z method=totp action=enroll}
	// mfa.Event{type=enrolled user_id=ada time=2030-01-01T00:00:00Z method=totp action=enroll}
}

// Importing the authenticator app that a user enrolled in another system.
func ExampleEngine_ImportTOTP() {
	ctx := context.Background()
	clock := mfatest.NewClock(start)
	engine := must(mfa.New(mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{key}, Now: clock.Now}))
	const uri = "otpauth://totp/Old:ada?secret=JBSWY3DPEHPK3PXP"
	if err := engine.ImportTOTP(ctx, "ada", uri); err != nil {
		panic(err)
	}
	app := must(mfatest.NewAuthenticator(uri)) // the user's app, which needs no change
	fmt.Println(must(engine.VerifyLogin(ctx, challenge(engine, "ada"), app.Code(clock.Now()))).Method)
	// Output: totp
}
