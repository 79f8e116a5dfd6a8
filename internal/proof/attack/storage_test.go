package attack_test

import (
	"bytes"

	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"hash"
	"io"
	"log/slog"

	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"

	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/argon2"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/flaw"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/throttle"
	tokens "github.com/protekt/mfa/internal/token"
)

// G01: codes are predictable, or their generator starts anew for each.
func TestG01CodesAreRandom(t *testing.T) {
	for _, file := range engineSource(t) {
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); strings.HasPrefix(name, "math/rand") {
				t.Errorf("%s imports %s", file.name, name)
			}
		}
	}

	// All randomness comes from crypto/rand: if it repeats, so does everything.
	chosen := func(seed uint64) []string {
		w := world.New(t)
		cryptotest.SetGlobalRandom(t, seed)
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "ada")
		world.OK(t, err)
		login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
		world.OK(t, err)
		w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
		codes := w.GiveBackupCodes("ada", login.Proof)
		challenge := w.Begin("ada")
		return []string{enrollment.Secret, w.Outbox.Code(world.Phone), codes[0], challenge.Token, login.Proof, w.SentCode(challenge.Token), string(w.Stored("ada").Data)}
	}
	first, again, other := chosen(1), chosen(1), chosen(2)
	for i := range first {
		if first[i] != again[i] {
			t.Errorf("value %d has a source of randomness other than crypto/rand: %q, %q", i, first[i], again[i])
		}
		if first[i] == other[i] {
			t.Errorf("value %d is %q, whatever crypto/rand returns", i, first[i])
		}
	}

	// Among 10,000 codes sent concurrently, as many pairs are equal as among
	// random numbers below a million: about 50.
	w := world.New(t)
	const users, workers = 10_000, 8
	var done sync.WaitGroup
	for worker := range workers {
		done.Go(func() {
			for i := worker; i < users; i += workers {
				if _, err := w.EnrollSMS(w.Ctx, fmt.Sprint("user", i), world.Phone); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	seen, pairs := make(map[string]int), 0
	for _, message := range w.Outbox.Messages() {
		pairs += seen[message.Code]
		seen[message.Code]++
	}
	if len(w.Outbox.Messages()) != users || pairs < 10 || pairs > 120 {
		t.Errorf("%d messages have %d pairs of equal codes, want about 50", len(w.Outbox.Messages()), pairs)
	}
}

// G02: some digits are likelier than others, as remainders of a random byte are.
func TestG02CodesAreEven(t *testing.T) {
	// A number of a million or more is drawn again, not reduced.
	for _, test := range []struct {
		drawn uint32
		code  string
	}{
		{0, "000000"}, {1, "000001"}, {7, "000007"}, {65_535, "065535"}, {65_536, "065536"}, {999_998, "999998"}, {999_999, "999999"},
		{1_000_000, "500000"}, {1_000_001, "500000"}, {1_048_575, "500000"},
	} {
		w := world.New(t)
		scriptCodes(t, test.drawn, 500_000)
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
		world.OK(t, err)
		if got := w.Outbox.Code(world.Phone); got != test.code {
			t.Errorf("the draw of %d became %s, want %s", test.drawn, got, test.code)
		}
	}

	// Among 40,000 codes, no digit is likelier in any position, or overall.
	rand.Reader = cryptoRandom
	cryptotest.SetGlobalRandom(t, 7)
	w := world.New(t, func(c *mfa.Config) { c.OnEvent = nil })
	const n = 40_000
	for i := range n {
		if _, err := w.EnrollSMS(w.Ctx, strconv.Itoa(i), world.Phone); err != nil {
			t.Fatal(err)
		}
	}
	var places [7][10]int // the last counts all positions
	for _, message := range w.Outbox.Messages() {
		if len(message.Code) != 6 {
			t.Fatalf("a code of %d digits", len(message.Code))
		}
		for place, digit := range message.Code {
			places[place][digit-'0']++
			places[6][digit-'0']++
		}
	}
	for place, counts := range places {
		total, chi := 0, 0.0
		for _, count := range counts {
			total += count
		}
		for _, count := range counts {
			d := float64(count) - float64(total)/10
			chi += d * d / (float64(total) / 10)
		}
		if chi > 45 { // p < 1e-6 with nine degrees of freedom
			t.Errorf("position %d: chi square %.1f, counts %v", place, chi, counts)
		}
	}
}

// noRandomness is the environment variable that names the operation that a child
// process of TestG03 tries without randomness.
const noRandomness = "MFA_ATTACK_NO_RANDOMNESS"

// errNoRandomness is returned by a source of randomness that fails.
var errNoRandomness = errors.New("no randomness")

// A failing reader returns no bytes, but an error.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errNoRandomness }

// A stingy reader returns one byte at a time.
type stingy struct{ io.Reader }

func (s stingy) Read(b []byte) (int, error) { return s.Reader.Read(b[:min(1, len(b))]) }

// G03: all users get the same codes, or codes are made without randomness when
// its source fails.
func TestG03RandomnessIsNotShared(t *testing.T) {
	needRandomness := map[string]func(w *world.World, ada person) error{
		"EnrollTOTP": func(w *world.World, _ person) error { _, err := w.EnrollTOTP(w.Ctx, "bob", "bob"); return err },
		"EnrollSMS":  func(w *world.World, _ person) error { _, err := w.EnrollSMS(w.Ctx, "bob", world.Phone2); return err },
		"BeginLogin": func(w *world.World, _ person) error { return w.BeginLogin(w.Ctx, "ada") },
		"SendCode":   func(w *world.World, ada person) error { _, err := w.SendCode(w.Ctx, ada.Codes[0]); return err },
		"GenerateBackupCodes": func(w *world.World, ada person) error {
			_, err := w.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(ada.Proof))
			return err
		},
	}
	setUp := func(t *testing.T) (*world.World, person) {
		w := world.New(t)
		_, login := w.GiveTOTP("ada")
		login = w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
		return w, person{Proof: login.Proof, Codes: []string{w.Begin("ada").Token}}
	}

	// A child process whose source of randomness fails stops before it stores or
	// sends anything: crypto/rand ends it.
	if name := os.Getenv(noRandomness); name != "" {
		w, ada := setUp(t)
		store := &world.SpyStore{Store: w.Store}
		sent := len(w.Outbox.Messages())
		w.Engine = w.Another(func(c *mfa.Config) { c.Store = store })
		rand.Reader = failing{}
		err := func() (err error) {
			defer func() {
				if recovered := recover(); recovered != nil {
					err = fmt.Errorf("panic: %v", recovered)
				}
			}()
			return needRandomness[name](w, ada)
		}()
		fmt.Printf("it lived: %v, saved %d, sent %d\n", err, len(store.IDs), len(w.Outbox.Messages())-sent)
		os.Exit(3)
	}
	for name := range needRandomness {
		child := exec.Command(os.Args[0], "-test.run=^TestG03", "-test.timeout=60s")
		child.Env = append(os.Environ(), noRandomness+"="+name)
		out, err := child.CombinedOutput()
		var exit *exec.ExitError
		switch {
		case !errors.As(err, &exit):
			t.Errorf("%s without randomness: %v, %s", name, err, out)
		case bytes.Contains(out, []byte("it lived")): // a panic, which a host may catch
			if !bytes.Contains(out, []byte("it lived: panic: "+errNoRandomness.Error()+", saved 0, sent 0")) {
				t.Errorf("%s without randomness: %s", name, out)
			}
		case !bytes.Contains(out, []byte("crypto/rand")):
			t.Errorf("%s without randomness: %s", name, out)
		}
	}

	// If randomness comes in small pieces, the engine reads on.
	rand.Reader = stingy{cryptoRandom}
	t.Cleanup(func() { rand.Reader = cryptoRandom })
	w, _ := setUp(t)
	for range 20 {
		enrollment, err := w.EnrollTOTP(w.Ctx, "bob", "bob")
		world.OK(t, err)
		secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(enrollment.Secret)
		world.OK(t, err)
		if bytes.HasSuffix(secret, make([]byte, 4)) || bytes.HasPrefix(secret, make([]byte, 4)) {
			t.Errorf("part of the secret is zero: %x", secret)
		}
	}
	rand.Reader = cryptoRandom

	// Users and engines share no random values.
	seen := make(map[string]string)
	fresh := func(what, value string) {
		t.Helper()
		if had, ok := seen[value]; ok {
			t.Errorf("%s is the same as %s before", what, had)
		}
		seen[value] = what
	}
	w = world.New(t, world.BackupCodes(2))
	for i, engine := range []*mfa.Engine{w.Engine, w.Another(), w.Another(), w.Another()} {
		w.Engine = engine
		user := fmt.Sprint("user", i)
		enrollment, err := w.EnrollTOTP(w.Ctx, user, user)
		world.OK(t, err)
		login, err := w.VerifyEnrollment(w.Ctx, user, mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
		world.OK(t, err)
		fresh("a secret", enrollment.Secret)
		for _, code := range w.GiveBackupCodes(user, login.Proof) {
			fresh("a backup code", code)
		}
		fresh("a salt", string(w.Decoded(user).BackupCodes.Salt[:]))
		for range 2_000 {
			token := w.Begin(user).Token
			claims, ok := tokens.Open(w.Ring(), tokens.Challenge, token)
			if !ok {
				t.Fatal("a token does not open")
			}
			fresh("a challenge", string(claims.ID[:]))
			body, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "mfa_tmp_"))
			world.OK(t, err)
			fresh("the nonce of a token", string(body[5:29]))
			world.OK(t, w.ForgetDevices(w.Ctx, user))
			fresh("the nonce of a record", string(w.Stored(user).Data[5:29]))
		}
	}
}

// G04 (CVE-2024-8796): an app's secret has too few bits.
func TestG04SecretsAreLong(t *testing.T) {
	for algorithm, bits := range map[mfa.Algorithm]int{"": 160, mfa.SHA1: 160, mfa.SHA256: 256, mfa.SHA512: 512} {
		w := world.New(t, func(c *mfa.Config) { c.TOTP.Algorithm = algorithm })
		var all []byte
		for range 8 {
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "ada")
			world.OK(t, err)
			uri, err := url.Parse(enrollment.URI)
			world.OK(t, err)
			secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(uri.Query().Get("secret"))
			if err != nil || 8*len(secret) != bits || uri.Query().Get("secret") != enrollment.Secret {
				t.Errorf("%q: %d bits, want %d; %v", algorithm, 8*len(secret), bits, err)
			}
			all = append(all, secret...)
		}
		// Every byte of it is random: at least half as many values occur as there
		// are bytes, up to 100.
		different := make(map[byte]bool)
		for _, b := range all {
			different[b] = true
		}
		if len(different) < min(len(all)/2, 100) || bytes.Contains(all, make([]byte, 4)) {
			t.Errorf("%q: %d values in %d bytes", algorithm, len(different), len(all))
		}
	}
	// No setting makes it shorter, and secrets of fewer than 80 bits cannot be
	// imported from another system.
	w := world.New(t)
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"))
	for _, secret := range []string{"", "AA", "JBSWY3DP", "JBSWY3DPEHPK3", "JBSW-Y3DP%20EHPK====", "JBSWY3DPEHPK3PXPA", "JBSWY3DPEHPK3PXPAAA", "JBSWY3DPEHPK3PXPAAAAAA"} {
		world.WantErr(t, w.ImportTOTP(w.Ctx, "ada", "otpauth://totp/x?secret="+secret), mfa.ErrInvalidInput)
	}
}

// spellings returns the forms in which data may contain a secret: those of
// world.Spellings, backwards, as UTF-16, and as JSON and a JSON log, which escape
// it differently.
func spellings(secret string) [][]byte {
	forms := world.Spellings(secret)
	backwards := []byte(secret)
	slices.Reverse(backwards)
	forms = append(forms, backwards, []byte(hex.EncodeToString([]byte(strings.ReplaceAll(secret, "-", "")))))
	var little, big []byte
	for _, unit := range utf16.Encode([]rune(secret)) {
		little = binary.LittleEndian.AppendUint16(little, unit)
		big = binary.BigEndian.AppendUint16(big, unit)
	}
	marshalled, _ := json.Marshal(secret)
	var line bytes.Buffer
	slog.New(slog.NewJSONHandler(&line, nil)).Info(secret)
	_, logged, _ := bytes.Cut(line.Bytes(), []byte(`"msg":"`))
	return append(forms, little, big, bytes.Trim(marshalled, `"`), bytes.TrimSuffix(logged, []byte("\"}\n")))
}

// spelled returns the form in which in contains secret, or nil if it does not.
func spelled(in []byte, secret string) []byte {
	for _, form := range spellings(secret) {
		if bytes.Contains(in, form) {
			return form
		}
	}
	return nil
}

// fastHashes returns the first bytes of the hashes of a secret by itself and with
// known texts, without a key or with one that is not secret.
func fastHashes(secret string, known ...string) (starts [][]byte) {
	add := func(sum []byte) {
		starts = append(starts, sum[:8], []byte(hex.EncodeToString(sum)[:16]), []byte(base64.StdEncoding.EncodeToString(sum)[:10]))
	}
	for _, newHash := range []func() hash.Hash{md5.New, sha1.New, sha256.New, sha256.New224, sha512.New, sha512.New384, sha512.New512_256} {
		sum := func(text string) {
			h := newHash()
			io.WriteString(h, text)
			add(h.Sum(nil))
		}
		sum(secret)
		for _, k := range known {
			for _, between := range []string{"", ":", "|", "\x00", "-", "."} {
				sum(k + between + secret)
				sum(secret + between + k)
			}
			mac := hmac.New(newHash, []byte(k))
			io.WriteString(mac, secret)
			add(mac.Sum(nil))
		}
	}
	return starts
}

// hashed reports whether in contains a fast hash of the secret.
func hashed(in []byte, secret string, known ...string) bool {
	return slices.ContainsFunc(fastHashes(secret, known...), func(start []byte) bool { return bytes.Contains(in, start) })
}

// G05: backup codes of few bits are under a fast hash, or share one salt.
func TestG05BackupCodesAreHashedSlowly(t *testing.T) {
	w := world.New(t, world.BackupCodes(15))
	_, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	ada := w.Decoded("ada").BackupCodes
	// The least that OWASP recommends for Argon2id.
	if ada.Cost != (record.Argon2{Time: 2, Memory: 19 << 10, Threads: 1}) || len(ada.Hashes) != 15 {
		t.Errorf("%d hashes of cost %+v", len(ada.Hashes), ada.Cost)
	}
	symbols := make(map[rune]bool)
	for _, code := range codes {
		if !regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$`).MatchString(code) {
			t.Errorf("%q is not of eight symbols, five bits each", code)
		}
		for _, symbol := range strings.ReplaceAll(code, "-", "") {
			symbols[symbol] = true
		}
	}
	if len(symbols) < 24 { // 120 random symbols miss 9 of 32 in fewer than one of a million sets
		t.Errorf("only %d different symbols", len(symbols))
	}
	plain := w.Opened("ada")
	code := strings.ReplaceAll(codes[0], "-", "")
	sum := argon2.IDKey([]byte(code), ada.Salt[:], ada.Cost.Time, ada.Cost.Memory, ada.Cost.Threads, 16)
	if !bytes.Contains(plain, sum) {
		t.Error("the record does not contain the Argon2id hash of the code")
	}
	for _, spelling := range []string{codes[0], code, strings.ToUpper(code)} {
		if hashed(plain, spelling, "ada", string(ada.Salt[:])) {
			t.Errorf("a fast hash of %s is stored", spelling)
		}
	}

	// The same code of two users, or in two sets of one user, is stored as
	// different bytes.
	w = world.New(t)
	same, seen := "", make(map[record.BackupHash]bool)
	for _, user := range []string{"ada", "bob", "bob"} {
		world.OK(t, w.Reset(w.Ctx, user))
		_, login := w.GiveTOTP(user)
		script(t, 8, []byte("the same"))
		codes := w.GiveBackupCodes(user, login.Proof)
		if same == "" {
			same = codes[0]
		}
		hash := w.Decoded(user).BackupCodes.Hashes[0]
		if codes[0] != same || seen[hash] {
			t.Errorf("%s has the code %s, want %s; stored as the same bytes: %v", user, codes[0], same, seen[hash])
		}
		seen[hash] = true
		w.Login(user, same)
	}
}

// G06: backup codes are readable in the store.
func TestG06BackupCodesAreNotReadable(t *testing.T) {
	spy := &world.SpyStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, world.BackupCodes(2), func(c *mfa.Config) { c.Store = spy })
	ada := w.Full("ada", world.Phone)
	w.Login("ada", ada.Codes[1])
	plain := w.Opened("ada")
	if spelled(plain, world.Phone) == nil { // the record contains the number in plaintext
		t.Error("the search finds nothing")
	}
	for _, code := range ada.Codes {
		if form := spelled(spy.Written.Bytes(), code); form != nil {
			t.Errorf("%s is in the store as %q", code, form)
		}
		if form := spelled(plain, code); form != nil { // for an attacker who has the key too
			t.Errorf("%s is in the decrypted record as %q", code, form)
		}
	}
	w.Login("ada", ada.Codes[0])
}

// G07 (CVE-2025-11794): app secrets are readable in the store.
func TestG07SecretsAreSealed(t *testing.T) {
	spy := &world.SpyStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = spy })
	pending, err := w.EnrollTOTP(w.Ctx, "ada", "ada")
	world.OK(t, err)
	wantSealed := func(what, secret string) {
		t.Helper()
		if spelled(w.Opened("ada"), secret) == nil {
			t.Errorf("%s: the search finds nothing", what)
		}
		if form := spelled(spy.Written.Bytes(), secret); form != nil {
			t.Errorf("%s is in the store as %x", what, form)
		}
	}
	wantSealed("a pending secret", pending.Secret)
	app := w.Scan(pending.URI)
	login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, app.Shows())
	world.OK(t, err)
	wantSealed("a secret", pending.Secret)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone, mfa.WithProof(login.Proof))
	world.OK(t, err)
	wantSealed("a pending number", world.Phone)

	// The same secret is not sealed as the same bytes twice, not even for the
	// length of a block.
	world.OK(t, w.ImportTOTP(w.Ctx, "bob", importedURI))
	world.OK(t, w.ImportTOTP(w.Ctx, "eve", importedURI))
	first := w.Stored("bob").Data[5:]
	world.OK(t, w.Revoke(w.Ctx, "bob", mfa.MethodTOTP))
	world.OK(t, w.ImportTOTP(w.Ctx, "bob", importedURI))
	for name, other := range map[string][]byte{"another user's": w.Stored("eve").Data[5:], "the same user's": w.Stored("bob").Data[5:]} {
		for i := range len(first) - 16 {
			if bytes.Contains(other, first[i:i+16]) {
				t.Errorf("%s record has the same bytes as the first at %d", name, i)
			}
		}
	}

	// Another key opens no record: the engine returns an error, and does not read
	// another secret.
	other := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(100)} })
	w.Clock.Advance(time.Minute)
	if err := other.BeginLogin(w.Ctx, "ada"); mfa.ErrorCode(err) != "internal" {
		t.Errorf("with another key: %v", err)
	}
	w.Login("ada", app.Shows())
}

// G08: sealed bytes open for another user, in another slot or at another time.
func TestG08CiphertextMoved(t *testing.T) { untimed(ciphertextMoved)(t) }

func ciphertextMoved(t *testing.T) {
	store, numbers := world.NewFaultStore(), world.NewFaultStore()
	w := world.New(t, func(c *mfa.Config) { c.Store, c.SMSCodes.Numbers = store, numbers })
	_, err := w.EnrollTOTP(w.Ctx, "ada", "ada")
	world.OK(t, err)
	pending := store.Records["ada"]
	world.OK(t, w.Reset(w.Ctx, "ada"))
	ada := w.Full("ada", world.Phone)
	older := store.Records["ada"]
	bob := w.Full("bob", world.Phone2)
	w.Login("ada", ada.Shows())
	w.Clock.Advance(time.Minute)
	token := w.Begin("ada").Token
	now, bobs := store.Records["ada"], store.Records["bob"]
	raw := func(token string) []byte {
		body, err := base64.RawURLEncoding.DecodeString(token[len("mfa_tmp_"):])
		world.OK(t, err)
		return body
	}
	moved := map[string]mfa.Record{
		"another user's record":                   {UserID: "ada", Version: bobs.Version, Data: bobs.Data},
		"another user's record under our version": {UserID: "ada", Version: now.Version, Data: bobs.Data},
		"an older record under our version":       {UserID: "ada", Version: now.Version, Data: older.Data},
		"a record with a pending app in it":       {UserID: "ada", Version: now.Version, Data: pending.Data},
		"our record under an older version":       {UserID: "ada", Version: now.Version - 1, Data: now.Data},
		"our record under a newer version":        {UserID: "ada", Version: now.Version + 1, Data: now.Data},
		"our record under version 0":              {UserID: "ada", Version: 0, Data: now.Data},
		"our record under version -1":             {UserID: "ada", Version: -1, Data: now.Data},
		"a challenge":                             {UserID: "ada", Version: now.Version, Data: raw(token)},
		"a proof":                                 {UserID: "ada", Version: now.Version, Data: raw(ada.Proof)},
		"nothing":                                 {UserID: "ada", Version: now.Version},
		"more than any record has":                {UserID: "ada", Version: now.Version, Data: make([]byte, 8<<10+1)},
		"more than there was":                     {UserID: "ada", Version: now.Version, Data: append(slices.Clone(now.Data), 0)},
	}
	if len(numbers.Records) != 2 {
		t.Errorf("%d numbers are counted, want 2", len(numbers.Records))
	}
	for _, number := range numbers.Records {
		moved["a number's record"] = mfa.Record{UserID: "ada", Version: number.Version, Data: number.Data}
	}
	for cut := 1; cut < min(len(now.Data), len(bobs.Data)); cut++ {
		moved[fmt.Sprintf("another's from byte %d on", cut)] = mfa.Record{UserID: "ada", Version: now.Version, Data: append(slices.Clone(now.Data[:cut]), bobs.Data[cut:]...)}
		moved[fmt.Sprintf("ours up to byte %d", cut)] = mfa.Record{UserID: "ada", Version: now.Version, Data: now.Data[:cut]}
	}
	for bit := range 8 * len(now.Data) {
		flipped := slices.Clone(now.Data)
		flipped[bit/8] ^= 1 << (bit % 8)
		moved[fmt.Sprintf("bit %d flipped", bit)] = mfa.Record{UserID: "ada", Version: now.Version, Data: flipped}
	}
	w.Login("bob", bob.Shows()) // his own record is unchanged
	for name, row := range moved {
		store.Records["ada"] = row
		for _, code := range []string{ada.Shows(), bob.Shows()} {
			if login, err := w.VerifyLogin(w.Ctx, token, code); login != nil || mfa.ErrorCode(err) != "internal" {
				t.Errorf("%s: VerifyLogin returned %+v, %v", name, login, err)
			}
		}
		if err := w.BeginLogin(w.Ctx, "ada"); mfa.ErrorCode(err) != "internal" || errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%s: BeginLogin returned %v", name, err)
		}
	}

	// Sealed bytes of the store are not accepted as a token of any kind.
	store.Records["ada"] = now
	for _, prefix := range []string{"mfa_tmp_", "mfa_enr_", "mfa_prf_", "mfa_dev_"} {
		forged := prefix + base64.RawURLEncoding.EncodeToString(now.Data)
		_, err := w.VerifyLogin(w.Ctx, forged, ada.Shows())
		world.WantErr(t, err, mfa.ErrInvalidToken)
		_, err = w.EnrollmentUser(w.Ctx, forged)
		world.WantErr(t, err, mfa.ErrInvalidToken)
		_, err = w.TrustDevice(w.Ctx, "ada", forged, "")
		world.WantErr(t, err, mfa.ErrInvalidToken)
		w.Begin("ada", mfa.WithTrustedDevice(forged))
	}

	_, err = w.VerifyLogin(w.Ctx, token, ada.Shows()) // with the current record
	world.OK(t, err)
	// The documented limit: a whole row, put back with its version, is accepted.
	store.Records["ada"] = now
	_, err = w.VerifyLogin(w.Ctx, token, ada.Shows())
	world.OK(t, err)
}

// G09: SMS codes can be recovered from the store by trying a million.
func TestG09SentCodesAreKeyed(t *testing.T) {
	spy := &world.SpyStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = spy })
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.OK(t, err)
	check := func(what, code string, tag seal.Tag, known ...string) {
		t.Helper()
		plain := w.Opened("ada")
		if !bytes.Contains(plain, tag.Sum[:]) {
			t.Errorf("%s: the search does not find the keyed hash", what)
		}
		known = append(known, "ada", world.Phone, world.Phone[1:], mfa.ActionLogin, mfa.ActionEnroll, w.Config.Issuer)
		for where, bytes := range map[string][]byte{"store": spy.Written.Bytes(), "record": plain} {
			if form := spelled(bytes, code); form != nil {
				t.Errorf("%s is in the %s as %q", what, where, form)
			}
			if hashed(bytes, code, known...) {
				t.Errorf("%s is in the %s as a hash without a secret key", what, where)
			}
		}
	}
	code := w.Outbox.Code(world.Phone)
	check("an enrollment's code", code, w.Ring().MAC("sms enrollment", "ada", world.Phone, code))
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
	world.OK(t, err)
	w.Clock.Advance(time.Minute)
	token := w.Begin("ada").Token
	code = w.SentCode(token)
	claims, _ := tokens.Open(w.Ring(), tokens.Challenge, token)
	id := string(claims.ID[:])
	check("a login's code", code, w.Ring().MAC("sms challenge", "ada", id, code), token, id, hex.EncodeToString(claims.ID[:]))

	// Another key, challenge, user or purpose leads to another hash.
	other, err := seal.New([][]byte{world.Key(100)})
	world.OK(t, err)
	tag := w.Ring().MAC("sms challenge", "ada", id, code)
	for name, different := range map[string]seal.Tag{
		"key":       other.MAC("sms challenge", "ada", id, code),
		"challenge": w.Ring().MAC("sms challenge", "ada", "01234567", code),
		"user":      w.Ring().MAC("sms challenge", "bob", id, code),
		"purpose":   w.Ring().MAC("sms enrollment", "ada", id, code),
	} {
		if different.Sum == tag.Sum {
			t.Errorf("with another %s, the hash is the same", name)
		}
	}
	_, err = w.VerifyLogin(w.Ctx, token, code)
	world.OK(t, err)
}

// public lists comparisons of what looks like a secret by its name, with the
// reason why they may end at the first difference.
var public = []struct{ in, compares, why string }{
	{"seal: New", "bytes.Equal(k, keys[j])", "the host's own keys, when an engine is made"},
	{"seal: New", "ring.keys[i].id == ring.keys[j].id", "names of keys, which every sealed byte string shows"},
	{"seal: (*Ring).OpenInPlace", "bytes.Equal(r.keys[i].id[:], id)", "names of keys"},
	{"seal: (*Ring).Current", "bytes.Equal(sealed[1:1+idSize], r.keys[0].id[:])", "names of keys"},
	{"seal: (*Ring).Verify", "r.keys[i].id == tag.Key", "names of keys"},
	{"record: (*User).PendingUndelivered", "p.Code == code", "keyed hashes that the engine made both of; nobody else sees or chooses one"},
	{"record: (*User).Undelivered", "c.Code.Tag == code", "keyed hashes that the engine made both of"},
	{"record: (*User).passkey", "bytes.Equal(u.Passkeys[i].Credential.ID, c.ID)", "names of credentials, which browsers see"},
	{"totp: Key.Equal", "k.Algorithm == other.Algorithm", "settings"},
	{"totp: Key.Equal", "k.Digits == other.Digits", "settings"},
	{"totp: Key.Equal", "k.Period == other.Period", "settings"},
	{"mfa: (*Engine).ImportTOTP", "slices.ContainsFunc(u.TOTP, func(app record.TOTP) bool { return app.Key.Equal(parsed) })", "which of a user's apps has the key, by Key.Equal"},
	{"mfa: parseID", "digits != strings.ToLower(digits)", "an ID, with itself"},
	{"mfa: newBackupCodes", "slices.Contains(codes, code)", "a set that is being drawn"},
	{"mfa: (*Engine).save", "bytes.Equal(seal.Plaintext(buffer), u.encoded)", "the record before and after, which no guess is part of"},
	{"otpauth: QRCode", "code.At(x, y) == color.Black", "a picture"},
}

// G10: comparisons end at the first difference, or loops at the first match.
func TestG10ComparisonsTakeConstantTime(t *testing.T) {
	source, err := flaw.Load(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	allowed := make(map[token.Position]bool)
	for _, p := range public {
		match, err := source.Find(p.in, p.compares)
		if err != nil {
			t.Fatal(err)
		}
		allowed[match.Position()] = true
	}
	secret := regexp.MustCompile(`(?i)(secret|tag|sum|mac|hash|hashes|symbols|letters|digits|given|guess|code|codes|token|proof|device|key|keys|^k|plaintext|encoded)$`)
	named := func(e ast.Expr) (found bool) {
		ast.Inspect(e, func(n ast.Node) bool {
			ident, ok := n.(*ast.Ident)
			found = found || ok && secret.MatchString(ident.Name) && !strings.HasPrefix(ident.Name, "Method") // MethodPasskey
			return !found
		})
		return found
	}
	trivial := func(e ast.Expr) bool { // "", nil, a number, a byte, a length
		switch text := types.ExprString(e); e := e.(type) {
		case *ast.BasicLit:
			return e.Kind != token.STRING || text == `""`
		case *ast.Ident:
			return text == "nil"
		default:
			return strings.HasPrefix(text, "len(")
		}
	}
	early := []string{"bytes.Equal", "bytes.Compare", "bytes.HasPrefix", "slices.Equal", "slices.Compare", "slices.Contains", "slices.Index", "slices.ContainsFunc",
		"strings.EqualFold", "strings.Compare", "strings.HasPrefix", "strings.HasSuffix", "reflect.DeepEqual"}
	for _, file := range source.Files() {
		ast.Inspect(file, func(n ast.Node) bool {
			suspect := false
			switch n := n.(type) {
			case *ast.BinaryExpr:
				suspect = (n.Op == token.EQL || n.Op == token.NEQ) && !trivial(n.X) && !trivial(n.Y) && (named(n.X) || named(n.Y))
			case *ast.CallExpr:
				suspect = slices.Contains(early, types.ExprString(n.Fun)) && slices.ContainsFunc(n.Args, named)
			}
			if suspect {
				at := source.Position(n)
				if !allowed[at] {
					t.Errorf("%s compares %s, which may be a secret", at, types.ExprString(n.(ast.Expr)))
				}
				delete(allowed, at)
			}
			return true
		})
	}
	for at := range allowed {
		t.Errorf("%s is allowed, but compares nothing that may be a secret", at)
	}

	// Guesses are compared in constant time, with every candidate.
	for _, meets := range []struct{ in, compares string }{
		{"totp: Key.Match", "subtle.ConstantTimeCompare(h.value(s, k.Digits), given)"},
		{"record: (*BackupCodes).spend", "subtle.ConstantTimeCompare(b.Hashes[i][:], hash[:])"},
		{"seal: (*Ring).Verify", "hmac.Equal(made.Sum[:], tag.Sum[:])"},
		{"totp: Key.Equal", "subtle.ConstantTimeCompare(k.Secret, other.Secret)"},
	} {
		if _, err := source.Find(meets.in, meets.compares); err != nil {
			t.Error(err)
		}
		if meets.in == "seal: (*Ring).Verify" {
			continue // its loop looks for the key that the tag names
		}
		declaration, err := source.Declaration(meets.in)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(declaration, func(n ast.Node) bool {
			var loop *ast.BlockStmt
			switch n := n.(type) {
			case *ast.ForStmt:
				loop = n.Body
			case *ast.RangeStmt:
				loop = n.Body
			default:
				return true
			}
			ast.Inspect(loop, func(n ast.Node) bool {
				switch n.(type) {
				case *ast.BranchStmt, *ast.ReturnStmt, *ast.IfStmt, *ast.SwitchStmt:
					t.Errorf("the loop in %s may end early, or do less for some candidates", meets.in)
				}
				return true
			})
			return false
		})
	}
}

// constants lists the engine's package-level variables, which nothing changes.
var constants = map[string]string{
	"methods": "names", "labels": "names", "errorCodes": "names", "pendingMethods": "names",
	"backupCost": "a setting", "OneTimeCodes": "a setting", "BackupCodes": "a setting",
	"base32NoPadding": "an encoding", "encoding": "an encoding",
	"Challenge": "a kind of token", "Enrollment": "a kind of token", "Proof": "a kind of token", "Device": "a kind of token",
}

// G14 (CVE-2026-48154): state in the process is shared without synchronization, so
// that two concurrent requests crash it.
func TestG14NoSharedState(t *testing.T) {
	for _, file := range engineSource(t) {
		variables := file.variables()
		for _, name := range variables {
			if constants[name] == "" && !strings.HasPrefix(name, "Err") {
				t.Errorf("%s has the package-level variable %s", file.name, name)
			}
		}
		for _, name := range file.assigned() {
			if slices.Contains(variables, name) {
				t.Errorf("%s changes %s", file.name, name)
			}
		}
		ast.Inspect(file.File, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine", file.at(n))
			}
			return true
		})
	}

	// A hundred goroutines call all methods of one engine, for go test -race to
	// check.
	const users, goroutines, rounds = 5, 100, 3
	w := world.New(t)
	var apps [users]world.App
	var proofs, devices [users]string
	for i := range users {
		var login *mfa.Login
		apps[i], login = w.GiveTOTP(fmt.Sprint("user", i))
		device, err := w.TrustDevice(w.Ctx, fmt.Sprint("user", i), login.Proof, "")
		world.OK(t, err)
		proofs[i], devices[i] = login.Proof, device.Token
	}
	before := runtime.NumGoroutine()
	var done sync.WaitGroup
	for g := range goroutines {
		done.Go(func() {
			for round := range rounds {
				i := (g + round) % users
				user, proof := fmt.Sprint("user", i), mfa.WithProof(proofs[i])
				var challenge *mfa.ChallengeError
				if errors.As(w.BeginLogin(w.Ctx, user), &challenge) {
					w.SendCode(w.Ctx, challenge.Token)
					w.VerifyLogin(w.Ctx, challenge.Token, apps[i].Shows())
					w.VerifyLogin(w.Ctx, challenge.Token, "uuuu-uuuu")
				}
				w.BeginLogin(w.Ctx, user, mfa.WithTrustedDevice(devices[i]))
				if stepUp, err := w.BeginStepUp(w.Ctx, user, "x"); err == nil {
					w.VerifyStepUp(w.Ctx, user, stepUp.Token, "x", apps[i].Wrong())
				}
				w.Status(w.Ctx, user)
				w.TrustDevice(w.Ctx, user, proofs[i], "")
				w.EnrollmentUser(w.Ctx, proofs[i])
				w.EnrollSMS(w.Ctx, user, world.Phone, proof)
				w.VerifyEnrollment(w.Ctx, user, mfa.MethodSMS, w.Outbox.Code(world.Phone))
				w.Clock.Advance(time.Second)
				switch g {
				case 0:
					w.ForgetDevices(w.Ctx, user)
				case 1:
					w.Unlock(w.Ctx, user)
				case 2:
					w.EnrollTOTP(w.Ctx, user, "a", proof)
				case 3:
					w.Unenroll(w.Ctx, user, mfa.MethodSMS, proof)
				case 4:
					w.GenerateBackupCodes(w.Ctx, user, proof)
				case 5:
					w.Reseal(w.Ctx, user)
				case 6:
					w.PasswordChanged(w.Ctx, user)
				case 7:
					w.ImportSMS(w.Ctx, user, world.Phone2)
				case 8:
					w.ImportTOTP(w.Ctx, fmt.Sprint("other", round), importedURI)
				case 9:
					w.Reset(w.Ctx, fmt.Sprint("other", round))
					w.DeleteUser(w.Ctx, fmt.Sprint("other", round))
				}
			}
		})
	}
	done.Wait()
	over := time.Now().Add(10 * time.Second) // for goroutines that have called Done and are about to end
	for runtime.NumGoroutine() > before && time.Now().Before(over) {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines are running, %d before", n, before)
	}
	for i := range users {
		w.Begin(fmt.Sprint("user", i)) // each login still asks for a code
	}
}

// heap returns how many bytes of the heap are in use after a garbage collection.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// G15: what is begun and never finished accumulates.
func TestG15AbandonedLoginsCostNothing(t *testing.T) {
	required := true
	counting := &world.CountingStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, world.RequiredWhen(&required), func(c *mfa.Config) { c.Store, c.OnEvent = counting, nil })
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
	counting.Saves = 0
	before := heap()
	for i := range 25_000 {
		var challenge *mfa.ChallengeError
		var enrollment *mfa.EnrollmentError
		if err := w.BeginLogin(w.Ctx, "ada"); !errors.As(err, &challenge) {
			t.Fatal(err)
		}
		if err := w.BeginLogin(w.Ctx, fmt.Sprint("user", i)); !errors.As(err, &enrollment) {
			t.Fatal(err)
		}
	}
	if after := heap(); after > before+1<<20 || counting.Saves != 0 {
		t.Errorf("50,000 logins begun: the heap grew from %d to %d bytes, %d records were saved", before, after, counting.Saves)
	}

	// A record holds a limited number of challenges. The oldest are evicted, and
	// the counts of wrong codes stay.
	w = world.New(t)
	ada := w.Given("ada", world.Phone)
	for range 3 {
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Wrong())
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err := w.EnrollTOTP(w.Ctx, "ada", "ada", mfa.WithProof(ada.Proof))
	world.OK(t, err)
	oldest := w.Begin("ada").Token
	_, err = w.VerifyLogin(w.Ctx, oldest, "zz")
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, oldest, "zz")
	world.WantTries(t, err, 3)
	largest := 0
	for range 500 {
		w.Clock.Advance(time.Millisecond)
		w.Tamper("ada", func(u *record.User) { u.Lanes.BackupCode = throttle.Lane{} }) // so that each code is judged
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "zz")
		world.WantTries(t, err, 4)
		largest = max(largest, len(w.Stored("ada").Data))
		if n := len(w.Decoded("ada").Challenges); n > record.MaxChallenges {
			t.Fatalf("the record holds %d challenges", n)
		}
	}
	if largest > 2<<10 {
		t.Errorf("the largest record has %d bytes", largest)
	}
	_, err = w.VerifyLogin(w.Ctx, oldest, ada.Shows()) // an evicted challenge is invalid, not new
	world.WantErr(t, err, mfa.ErrInvalidToken)
	for range 2 { // the fourth and the fifth wrong code
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Wrong())
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Wrong())
	world.WantThrottled(t, err, time.Second)
}

// G16: a missing key is made up, or a lost key is ignored.
func TestG16KeysAreTheHosts(t *testing.T) {
	good := world.New(t).Config
	for name, keys := range map[string][][]byte{
		"none": nil, "an empty list": {}, "an empty key": {{}}, "a nil key": {nil}, "31 bytes": {make([]byte, 31)}, "33 bytes": {make([]byte, 33)},
		"zeros": {make([]byte, 32)}, "zeros behind a good one": {world.Key(1), make([]byte, 32)}, "one twice": {world.Key(1), world.Key(1)},
		"text": {[]byte("32 random bytes of your own here")}, "hex": {[]byte("000102030405060708090a0b0c0d0e0f")}, "text behind a good one": {world.Key(1), []byte(strings.Repeat(" ~", 16))},
		"one byte 32 times": {bytes.Repeat([]byte{0xa5}, 32)},
	} {
		config := good
		config.Keys = keys
		if engine, err := mfa.New(config); engine != nil || !errors.Is(err, mfa.ErrInvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}

	w := world.New(t)
	old, next := world.Key(1), world.Key(100)
	with := func(keys ...[]byte) *mfa.Engine { return w.Another(func(c *mfa.Config) { c.Keys = keys }) }
	app, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	token := w.Begin("ada").Token
	named := w.Stored("ada").Data[1:5]

	// Without the key, every call returns an error, and nobody can log in.
	lost := with(next)
	for name, call := range map[string]func() error{
		"BeginLogin":      func() error { return lost.BeginLogin(w.Ctx, "ada") },
		"Status":          func() error { _, err := lost.Status(w.Ctx, "ada"); return err },
		"Reseal":          func() error { return lost.Reseal(w.Ctx, "ada") },
		"Unlock":          func() error { return lost.Unlock(w.Ctx, "ada") },
		"PasswordChanged": func() error { return lost.PasswordChanged(w.Ctx, "ada") },
		"ImportTOTP":      func() error { return lost.ImportTOTP(w.Ctx, "ada", importedURI) },
		"EnrollTOTP":      func() error { _, err := lost.EnrollTOTP(w.Ctx, "ada", "ada"); return err },
	} {
		if err := call(); mfa.ErrorCode(err) != "internal" || !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s without the key: %v", name, err)
		}
	}
	_, err := lost.VerifyLogin(w.Ctx, token, app.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken)

	// An old key still opens records, and the new key seals them.
	moved := with(next, old)
	_, err = moved.VerifyLogin(w.Ctx, token, app.Shows())
	world.OK(t, err)
	if bytes.Equal(w.Stored("ada").Data[1:5], named) {
		t.Error("the record was sealed under the old key")
	}
	// From then on the new key is enough, for backup codes too.
	_, err = lost.VerifyLogin(w.Ctx, world.Challenged(t, lost.BeginLogin(w.Ctx, "ada")).Token, codes[0])
	world.OK(t, err)
	if err := w.BeginLogin(w.Ctx, "ada"); mfa.ErrorCode(err) != "internal" {
		t.Errorf("with the old key alone: %v", err)
	}

	// A lost key lets nobody in. Nor does a reset by the support desk if MFA is
	// required: it leads to a new enrollment.
	required := true
	desk := w.Another(world.RequiredWhen(&required))
	world.OK(t, desk.Reset(w.Ctx, "ada"))
	if err := desk.BeginLogin(w.Ctx, "ada"); !errors.As(err, new(*mfa.EnrollmentError)) {
		t.Errorf("after a reset: %v", err)
	}
	_, err = moved.VerifyLogin(w.Ctx, token, app.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken) // a login begun before has ended
}
