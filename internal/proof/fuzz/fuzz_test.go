package fuzz_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/token"
	"github.com/protekt/mfa/internal/wire"
)

// FuzzKeyURI: whatever the names, either they are refused, or any reader parses the
// URI to exactly the right values and the engine itself accepts it.
func FuzzKeyURI(f *testing.F) {
	algorithms := []mfa.Algorithm{mfa.SHA1, mfa.SHA256, mfa.SHA512}
	f.Fuzz(func(t *testing.T, issuer, account string, algorithm uint8, eight bool, period uint8) {
		config := mfa.TOTPConfig{Algorithm: algorithms[int(algorithm)%3], Digits: 6, Period: time.Duration(period%61) * time.Second}
		want := url.Values{"issuer": {issuer}}
		if config.Algorithm != mfa.SHA1 {
			want.Set("algorithm", string(config.Algorithm))
		}
		if eight {
			config.Digits = 8
			want.Set("digits", "8")
		}
		if p := period % 61; p != 0 && p != 30 {
			want.Set("period", strconv.Itoa(int(p)))
		}
		store := mfa.NewMemoryStore()
		engine, err := mfa.New(mfa.Config{Issuer: issuer, Store: store, Keys: [][]byte{world.Key(1)}, TOTP: config})
		if err != nil {
			world.WantErr(t, err, mfa.ErrInvalidInput)
			return
		}
		enrollment, err := engine.EnrollTOTP(t.Context(), "ada", account)
		if err != nil {
			world.WantErr(t, err, mfa.ErrInvalidInput)
			if _, loadErr := store.Load(t.Context(), "ada"); enrollment != nil || !errors.Is(loadErr, mfa.ErrNoRecord) {
				t.Fatalf("refused, but %v is enrolled (%v)", enrollment, loadErr)
			}
			return
		}
		want.Set("secret", enrollment.Secret)
		read, err := url.Parse(enrollment.URI)
		if err != nil {
			t.Fatal(err)
		}
		got, err := url.ParseQuery(read.RawQuery)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nhas the parameters %v (%v), want %v", enrollment.URI, got, err, want)
		}
		if read.Scheme != "otpauth" || read.Host != "totp" || read.User != nil || read.Fragment != "" || read.Path != "/"+issuer+":"+account {
			t.Fatalf("%s\nis read as %+v", enrollment.URI, read)
		}
		if len(enrollment.URI) > 600 || strings.Trim(enrollment.URI, uriBytes) != "" {
			t.Fatalf("%d bytes, or some that apps may not read: %s", len(enrollment.URI), enrollment.URI)
		}
		world.OK(t, engine.ImportTOTP(t.Context(), "bob", enrollment.URI))
	})
}

// uriBytes are the bytes that a key URI may contain.
const uriBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~@%:/?=&"

// FuzzJSON: whatever strings a value contains, its JSON decodes to the same ones.
// Each byte of invalid UTF-8, which JSON cannot hold, becomes U+FFFD. A time that
// RFC 3339 cannot express is an error.
func FuzzJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, a, b, c string, seconds int64, left int, flag bool) {
		at := time.Unix(seconds, 0).UTC()
		writable := at.Year() >= 0 && at.Year() <= 9999
		one, two, three := string([]rune(a)), string([]rune(b)), string([]rune(c))
		list := []mfa.Method{mfa.Method(b), mfa.Method(c)}
		names := []any{two, three}
		when := at.Format(time.RFC3339)

		wantJSON(t, mfa.Challenge{Token: a, Action: b, Methods: list, Factors: []mfa.Factor{{Phone: c}}, ExpiresAt: at}, true,
			map[string]any{"mfa_required": true, "mfa_token": one, "available_methods": names})
		wantJSON(t, &mfa.ChallengeError{Challenge: mfa.Challenge{Token: a, Action: b, Methods: list, Factors: []mfa.Factor{{Phone: c}}, ExpiresAt: at}}, true,
			map[string]any{"mfa_required": true, "mfa_token": one, "available_methods": names})
		wantJSON(t, &mfa.EnrollmentError{Token: a, Methods: list, ExpiresAt: at}, true,
			map[string]any{"mfa_enrollment_required": true, "mfa_token": one, "available_methods": names})
		wantJSON(t, mfa.TOTPEnrollment{URI: a, Secret: b, QRCode: c, ExpiresAt: at}, writable,
			map[string]any{"totp_uri": one, "secret": two, "qr_code": three, "expires_at": when})
		wantJSON(t, mfa.SMSDelivery{Phone: a, ExpiresAt: at, ResendAfter: at}, writable,
			map[string]any{"phone": one, "expires_at": when, "resend_after": when})

		factor := map[string]any{"method": one, "disabled": flag}
		if b != "" {
			factor["id"], factor["label"], factor["phone"] = two, two, two
		}
		if !at.IsZero() {
			factor["enrolled_at"], factor["last_used_at"], factor["retry_at"] = when, when, when
		}
		wantJSON(t, mfa.Status{
			Factors:         []mfa.Factor{{ID: b, Method: mfa.Method(a), Label: b, Phone: b, EnrolledAt: at, LastUsedAt: at, Disabled: flag, RetryAt: at}},
			BackupCodesLeft: left, Required: flag,
		}, writable, map[string]any{"factors": []any{factor}, "backup_codes_left": json.Number(strconv.Itoa(left)), "required": flag})

		wantJSON(t, mfa.Login{UserID: a, Method: mfa.Method(b), AMR: []string{c}, Time: at, Action: c, BackupCodesLeft: left, Proof: "proof"}, writable,
			map[string]any{"user_id": one, "method": two, "amr": []any{three}, "time": when, "action": three, "backup_codes_left": json.Number(strconv.Itoa(left))})
		device := map[string]any{"id": one, "trusted_at": when, "expires_at": when}
		if b != "" {
			device["label"] = two
		}
		if !at.IsZero() {
			device["last_used_at"] = when
		}
		wantJSON(t, mfa.TrustedDevice{ID: a, Label: b, Token: c, TrustedAt: at, LastUsedAt: at, ExpiresAt: at}, writable, device)
		event := map[string]any{"type": one, "user_id": two, "time": when, "error": three}
		if b != "" {
			event["method"], event["factor_id"], event["phone"] = two, two, two
		}
		if c != "" {
			event["action"], event["challenge_id"], event["replaced_phone"] = three, three, three
		}
		wantJSON(t, mfa.Event{Type: mfa.EventType(a), UserID: b, Method: mfa.Method(b), FactorID: b, Phone: b, Action: c, ChallengeID: c, ReplacedPhone: c, Time: at, Err: errors.New(c)}, writable, event)
	})
}

// wantJSON checks the JSON encoding of v, or that there is an error unless ok.
func wantJSON(t *testing.T, v any, ok bool, want map[string]any) {
	t.Helper()
	data, err := json.Marshal(v)
	if !ok {
		if err == nil {
			t.Fatalf("%T encodes to %s, want an error", v, data)
		}
		return
	}
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var got map[string]any
	if err := decoder.Decode(&got); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%T encodes to %s,\nread as %v (%v),\nwant    %v", v, data, got, err, want)
	}
}

// tokens holds valid tokens of one user, and the IDs of a factor and a device.
type tokens struct{ login, stepUp, enrollment, proof, device, factorID, deviceID string }

// newTokens seals tokens with the epoch of a user's record.
func newTokens(ring *seal.Ring, u *record.User, now time.Time) tokens {
	issue := func(kind token.Kind, action string, id record.ID) string {
		return token.Seal(ring, kind, token.Claims{UserID: "ada", ID: id, Action: action, Issued: now, Expires: now.Add(time.Minute), Epoch: u.Epoch})
	}
	factor, device := record.ID{1}, record.ID{1}
	for _, f := range u.Factors() {
		factor = f.ID
	}
	for _, d := range u.Devices {
		device = d.ID
	}
	return tokens{
		login:      issue(token.Challenge, mfa.ActionLogin, record.ID{2}),
		stepUp:     issue(token.Challenge, "pay", record.ID{3}),
		enrollment: issue(token.Enrollment, "", record.ID{}),
		proof:      issue(token.Proof, "", record.ID{}),
		device:     issue(token.Device, "", device),
		factorID:   fmt.Sprintf("fac_%x", factor),
		deviceID:   fmt.Sprintf("dev_%x", device),
	}
}

// passkeyAnswer is a JSON object that answers no challenge.
const passkeyAnswer = `{"id":""}`

// onRecords holds the operations that read a user's record. They check no backup
// codes, since the record sets the cost of the hash.
var onRecords = map[string]func(w *world.World, have tokens) error{
	"BeginLogin": func(w *world.World, have tokens) error {
		w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(have.device))
		return w.BeginLogin(w.Ctx, "ada")
	},
	"BeginStepUp": func(w *world.World, _ tokens) error {
		_, err := w.BeginStepUp(w.Ctx, "ada", "pay")
		return err
	},
	"CheckProof": func(w *world.World, have tokens) error {
		return w.CheckProof(w.Ctx, "ada", have.proof)
	},
	"Devices": func(w *world.World, _ tokens) error {
		_, err := w.Devices(w.Ctx, "ada")
		return err
	},
	"EnrollPasskey": func(w *world.World, have tokens) error {
		_, err := w.EnrollPasskey(w.Ctx, "ada", "ada", mfa.WithProof(have.proof))
		return err
	},
	"EnrollSMS": func(w *world.World, have tokens) error {
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(have.proof))
		return err
	},
	"EnrollTOTP": func(w *world.World, have tokens) error {
		_, err := w.EnrollTOTP(w.Ctx, "ada", "ada", mfa.WithProof(have.proof), mfa.KeepOthers())
		return err
	},
	"EnrollmentUser": func(w *world.World, have tokens) error {
		_, err := w.EnrollmentUser(w.Ctx, have.enrollment)
		return err
	},
	"ForgetDevice":  func(w *world.World, have tokens) error { return w.ForgetDevice(w.Ctx, "ada", have.deviceID) },
	"ForgetDevices": func(w *world.World, _ tokens) error { return w.ForgetDevices(w.Ctx, "ada") },
	"GenerateBackupCodes": func(w *world.World, _ tokens) error {
		_, err := w.GenerateBackupCodes(w.Ctx, "ada")
		return err
	},
	"ImportSMS": func(w *world.World, _ tokens) error { return w.ImportSMS(w.Ctx, "ada", world.Phone2) },
	"ImportTOTP": func(w *world.World, _ tokens) error {
		return w.ImportTOTP(w.Ctx, "ada", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP")
	},
	"PasswordChanged": func(w *world.World, _ tokens) error { return w.PasswordChanged(w.Ctx, "ada") },
	"PasskeyOptions": func(w *world.World, have tokens) error {
		_, err := w.PasskeyOptions(w.Ctx, have.login)
		return err
	},
	"Rename": func(w *world.World, have tokens) error { return w.Rename(w.Ctx, "ada", have.factorID, "label") },
	"Reset":  func(w *world.World, _ tokens) error { return w.Reset(w.Ctx, "ada") },
	"Reseal": func(w *world.World, _ tokens) error { return w.Reseal(w.Ctx, "ada") },
	"Revoke": func(w *world.World, have tokens) error {
		return w.Revoke(w.Ctx, "ada", mfa.MethodSMS, mfa.OnlyFactor(have.factorID))
	},
	"SendCode": func(w *world.World, have tokens) error {
		_, err := w.SendCode(w.Ctx, have.login)
		return err
	},
	"Status": func(w *world.World, _ tokens) error {
		_, err := w.Status(w.Ctx, "ada")
		return err
	},
	"TrustDevice": func(w *world.World, have tokens) error {
		_, err := w.TrustDevice(w.Ctx, "ada", have.proof, "")
		return err
	},
	"Unenroll": func(w *world.World, have tokens) error {
		return w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(have.proof))
	},
	"Unlock": func(w *world.World, _ tokens) error { return w.Unlock(w.Ctx, "ada") },
	"VerifyEnrollment": func(w *world.World, _ tokens) error {
		w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "123456")
		_, err := w.VerifyEnrollment(w.Ctx, "ada", "", passkeyAnswer)
		return err
	},
	"VerifyLogin": func(w *world.World, have tokens) error {
		_, err := w.VerifyLogin(w.Ctx, have.login, "123456")
		return err
	},
	"VerifyStepUp": func(w *world.World, have tokens) error {
		w.VerifyStepUp(w.Ctx, "ada", have.stepUp, "pay", "letters")
		_, err := w.VerifyStepUp(w.Ctx, "ada", have.stepUp, "pay", passkeyAnswer)
		return err
	},
}

// FuzzStoredRecord: a store returns any bytes under any version, at any time. If
// they are not a record of the user's, every operation returns an error, never
// "no MFA"; only Reset begins a new record. If they are one, even one so odd that
// only the holder of a key could have sealed it, no operation panics, no user with
// a factor passes, and the record left behind can be read again.
func FuzzStoredRecord(f *testing.F) {
	ring, err := seal.New([][]byte{world.Key(1)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, version int64, sealed bool, seconds int64) {
		if len(data) > 16<<10 || version > 1<<62 { // the seal binds the version, which increases by one: it never comes near the maximum
			return
		}
		now := time.Unix(seconds, 0).UTC()
		var u record.User
		readable := sealed && version > 0 && wire.Holds(now) && u.Decode(bytes.Clone(data)) == nil && len(data)+seal.Overhead <= 16<<10
		stored := data
		if sealed {
			associated := binary.BigEndian.AppendUint64(nil, uint64(version))
			stored = ring.Seal(seal.Record, append(seal.NewBuffer(len(data)), data...), append(associated, "ada"...))
		}
		store := world.NewFaultStore()
		w := world.New(t, func(c *mfa.Config) { c.Store = store; c.OnEvent = nil }, world.WithPasskeys)
		w.Clock.Set(now)
		if version%2 == 0 {
			w.Outbox.FailWith(world.ErrStore)
		}
		have := newTokens(ring, &u, now)
		for name, do := range onRecords {
			store.Arm(map[string]mfa.Record{"ada": {UserID: "ada", Version: version, Data: stored}}, 0, "")
			err := do(w, have)
			switch {
			case !readable && name == "Reset" && err == nil && version > 0:
				if status, err := w.Status(w.Ctx, "ada"); err != nil || len(status.Factors) > 0 {
					t.Fatalf("Reset of an unreadable record leaves %+v, %v", status, err)
				}
			case !readable && name == "Reset" && version <= 0: // no store has such a version
			case !readable && (err == nil || wire.Holds(now) && mfa.ErrorCode(err) != "internal"):
				t.Fatalf("%s with an unreadable record: %v", name, err)
			case readable && name == "BeginLogin" && err == nil && u.Enrolled():
				t.Fatal("a user with a factor passes without a code")
			case readable:
				if _, unread := w.Status(w.Ctx, "ada"); unread != nil {
					t.Fatalf("%s (%v) leaves a record that cannot be read: %v", name, err, unread)
				}
			}
		}
	})
}

// TestEveryCallThatLooksAtARecordIsFuzzed: a new operation cannot be forgotten.
func TestEveryCallThatLooksAtARecordIsFuzzed(t *testing.T) {
	engine := reflect.TypeFor[*mfa.Engine]()
	for i := range engine.NumMethod() {
		name := engine.Method(i).Name
		if others := name == "DeleteUser" || name == "Format"; others == (onRecords[name] != nil) {
			t.Errorf("%s is missing in onRecords, or should not be there", name)
		}
	}
}

// moduleRoot is the root directory of the repository.
const moduleRoot = "../../.."

// TestEveryFuzzTargetHasACorpus, and every corpus has a target: seeds that nothing
// reads test nothing.
func TestEveryFuzzTargetHasACorpus(t *testing.T) {
	const enough = 3
	targets, corpora := make(map[string]bool), make(map[string]bool)
	err := filepath.WalkDir(moduleRoot, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != moduleRoot):
			return filepath.SkipDir
		case entry.IsDir() && strings.HasSuffix(filepath.Dir(path), filepath.Join("testdata", "fuzz")):
			corpora[path] = true
		case strings.HasSuffix(path, "_test.go"):
			for _, name := range fuzzTargets(t, path) {
				targets[filepath.Join(filepath.Dir(path), "testdata", "fuzz", name)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(targets) < 10 {
		t.Errorf("found only %d targets", len(targets))
	}
	for corpus := range targets {
		seeds, err := filepath.Glob(filepath.Join(corpus, "*"))
		if err != nil || len(seeds) < enough {
			t.Errorf("%s has %d seeds (%v), want %d or more", corpus, len(seeds), err, enough)
		}
		for _, seed := range seeds {
			if text, err := os.ReadFile(seed); err != nil || !bytes.HasPrefix(text, []byte("go test fuzz v1\n")) {
				t.Errorf("%s is not a seed: %v", seed, err)
			}
		}
	}
	for corpus := range corpora {
		if !targets[corpus] {
			t.Errorf("nothing reads %s", corpus)
		}
	}
}

// fuzzTargets returns the names of a file's fuzz targets.
func fuzzTargets(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") {
			names = append(names, f.Name.Name)
		}
	}
	return names
}
