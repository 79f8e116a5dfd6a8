package timing_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/totp"
)

// An answer holds the arguments of VerifyLogin. right is the code that the user's
// app shows.
type answer struct{ token, code, right string }

// A comparison measures whether the time of an operation distinguishes two classes
// of input.
type comparison struct {
	name    string
	of      *timed
	classes [2]class
	do      func(a answer)
	samples int
	verdict verdict
}

type verdict int

const (
	mustNotTell verdict = iota
	mustTell            // the positive controls
	toldOnly            // for information: what is revealed is no secret, or the code was right
)

// limit is the limit of |t|. The customary 4.5 is for independent samples and a
// single test. On a shared machine samples are not independent: other processes,
// interrupts and changes of the processor's frequency come in bursts. Also, the
// largest of several results is taken. Above 10, dudect reports a leak too; the t
// of one that matters grows without bound as samples are added.
const limit = 10

// TestTiming measures as dudect does (Reparaz, Balasch and Verbauwhede, 2017):
// it takes samples of two classes in random order, crops the slowest ones, which
// the machine causes, and applies Welch's t-test to the rest. Every sample takes
// the same path: the store discards each Save, so that all begin with the same
// record.
//
// Codes and tokens are those of sixty-four users, so that no single user's key
// decides the result. Backup codes are hashed at the lowest cost that a record may
// have. The comparisons of codes and hashes are also measured on their own, since
// a nanosecond is lost in the rest of VerifyLogin.
func TestTiming(t *testing.T) {
	if os.Getenv("MFA_TEST_TIMING") != "1" {
		t.Skip("skipped: the statistics need a quiet machine and a minute; set MFA_TEST_TIMING=1")
	}
	const few, many, most = 200, 50_000, 200_000
	cheap := newTimed(t, record.Argon2{Time: 1, Memory: 8, Threads: 1})
	dear := newTimed(t, record.Argon2{Time: 2, Memory: 19 << 10, Threads: 1})
	for _, c := range []comparison{
		{"control: an early exit from six digits, the first or the last wrong", cheap, [2]class{firstDigit, lastDigit}, cheap.earlyExit, most, mustTell},
		{"control: VerifyLogin and one HMAC more after a right first digit", cheap, [2]class{firstDigit, lastDigit}, cheap.verifyAndHash, most, mustTell},

		{"VerifyLogin, the first or the last digit wrong", cheap, [2]class{firstDigit, lastDigit}, cheap.verify, most, mustNotTell},
		{"VerifyLogin, a code of two steps away or no digit right", cheap, [2]class{nearStep, nothingRight}, cheap.verify, most, mustNotTell},
		{"VerifyLogin, a backup code unknown or spent", cheap, [2]class{unknown, spent}, cheap.verify, many, mustNotTell},
		{"VerifyLogin, a backup code unknown or wrong in the last symbol", cheap, [2]class{unknown, lastSymbol}, cheap.verify, many, mustNotTell},
		{"VerifyLogin, the first or the last backup code of the set", cheap, [2]class{firstCode, lastCode}, cheap.verify, many, mustNotTell},
		{"the code of one step, wrong in the first digit or the last", cheap, [2]class{firstOfOne, lastOfOne}, cheap.match, most, mustNotTell},
		{"the hash of a backup code, wrong in the first byte or the last", cheap, [2]class{firstOfHash, lastOfHash}, cheap.redeem, most, mustNotTell},
		{"VerifyLogin, a token forged in the first byte or the last", cheap, [2]class{firstByte, lastByte}, cheap.verify, most, mustNotTell},
		{"VerifyLogin, a token's tag forged in the first byte or the last", cheap, [2]class{firstOfTag, lastByte}, cheap.verify, most, mustNotTell},
		{"VerifyLogin, a backup code unknown or spent, at the real cost", dear, [2]class{unknown, spent}, dear.verify, few, mustNotTell},

		{"VerifyLogin, the right code of the step before or after", cheap, [2]class{stepBefore, stepAfter}, cheap.verify, most, toldOnly},
		{"VerifyLogin, a token of an unknown format or forged at the end", cheap, [2]class{format, lastByte}, cheap.verify, most, toldOnly},
	} {
		r := c.measure()
		for tries := 1; tries < 3 && c.verdict == mustNotTell && math.Abs(r.t) > limit; tries++ {
			t.Logf("|t| = %6.1f, measuring again with other answers: %s", math.Abs(r.t), c.name)
			r = c.measure() // an effect of the answers' places in memory does not recur; a leak does
		}
		t.Logf("|t| = %6.1f  %+7.1f ns of %.1f µs (%d and %d samples, %g %% kept; %.1f ns would be detected)  %s",
			math.Abs(r.t), r.difference, r.mean/1e3, r.n[0], r.n[1], 100*r.kept, limit*r.sharpest, c.name)
		if told := math.Abs(r.t) > limit; c.verdict == mustNotTell && told {
			t.Errorf("the time depends on the secret: %s", c.name)
		} else if c.verdict == mustTell && !told {
			t.Errorf("a leak would not be detected: %s", c.name)
		}
	}
}

// A timed holds an engine whose users never change.
type timed struct {
	t     *testing.T
	w     *world.World
	users []timedUser
	one   record.User // the record of the last user, for measurements without an engine
}

type timedUser struct {
	app   world.App
	token string
	codes []string // backup codes in the order of their hashes
	spent []string
}

func newTimed(t *testing.T, cost record.Argon2) *timed {
	ring, err := seal.New([][]byte{world.Key(1)})
	if err != nil {
		t.Fatal(err)
	}
	w := world.New(t, func(c *mfa.Config) { c.OnEvent = nil })
	now := w.Clock.Now()
	w.Config.Now = func() time.Time { return now } // needs no lock
	m := &timed{t: t, w: w}
	for i := range 64 {
		name := fmt.Sprintf("user-%02d", i)
		secret := make([]byte, 20)
		rand.Read(secret)
		var u record.User
		u.ImportTOTP(totp.Key{Secret: secret, Algorithm: totp.SHA1, Digits: 6, Period: 30}, now.Add(-time.Hour))
		var salt [16]byte
		rand.Read(salt[:])
		user := timedUser{app: w.Scan("otpauth://totp/x?secret=" + base32.StdEncoding.EncodeToString(secret))}
		hashes := make([]record.BackupHash, 10)
		for k := range hashes {
			code := randomBackupCode()
			user.codes = append(user.codes, code)
			copy(hashes[k][:], argon2.IDKey([]byte(strings.ReplaceAll(code, "-", "")), salt[:], cost.Time, cost.Memory, cost.Threads, 16))
		}
		for range 64 { // the record has no hashes of these
			user.spent = append(user.spent, randomBackupCode())
		}
		u.SetBackupCodes(salt, cost, hashes, now.Add(-time.Hour))
		data := ring.Seal(seal.Record, u.Append(seal.NewBuffer(0)), append(binary.BigEndian.AppendUint64(nil, 1), name...))
		world.OK(t, w.Store.Save(w.Ctx, mfa.Record{UserID: name, Data: data}))
		user.token = w.Begin(name).Token
		m.users = append(m.users, user)
		m.one = u
	}
	w.Engine = w.Another(func(c *mfa.Config) { c.Store = world.FrozenStore{Store: w.Store} })
	return m
}

func randomBackupCode() string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	code := []byte("a000-0000")
	for i := range code {
		if i > 0 && i != 4 { // the first stays a letter
			code[i] = alphabet[mathrand.IntN(32)]
		}
	}
	return string(code)
}

// A class returns answers of one kind.
type class func(m *timed, u timedUser) answer

// answers returns many answers of each of two classes. They are copied alternately,
// so that the classes share the same region of memory.
func (m *timed) answers(classes [2]class) (made [2][]answer) {
	for range 32 {
		for _, u := range m.users {
			for i, class := range classes {
				made[i] = append(made[i], class(m, u))
			}
		}
	}
	for k := range made[0] {
		for i := range made {
			a := &made[i][k]
			a.token, a.code, a.right = strings.Clone(a.token), strings.Clone(a.code), strings.Clone(a.right)
		}
	}
	return made
}

func (m *timed) shows(u timedUser, step int) string {
	return u.app.Code(m.w.Clock.Now().Add(time.Duration(step) * 30 * time.Second))
}

// wrongAt returns the right code with one digit changed.
func (m *timed) wrongAt(u timedUser, place int) answer {
	for {
		code := []byte(m.shows(u, 0))
		code[place] = '0' + (code[place]-'0'+byte(1+mathrand.IntN(9)))%10
		if s := string(code); s != m.shows(u, -1) && s != m.shows(u, 1) {
			return answer{u.token, s, m.shows(u, 0)}
		}
	}
}

func firstDigit(m *timed, u timedUser) answer { return m.wrongAt(u, 0) }
func lastDigit(m *timed, u timedUser) answer  { return m.wrongAt(u, 5) }
func firstOfOne(m *timed, _ timedUser) answer { return m.wrongAt(m.users[len(m.users)-1], 0) }
func lastOfOne(m *timed, _ timedUser) answer  { return m.wrongAt(m.users[len(m.users)-1], 5) }
func stepBefore(m *timed, u timedUser) answer { return answer{u.token, m.shows(u, -1), m.shows(u, 0)} }
func stepAfter(m *timed, u timedUser) answer  { return answer{u.token, m.shows(u, 1), m.shows(u, 0)} }
func nearStep(m *timed, u timedUser) answer {
	return answer{u.token, m.shows(u, 2-4*mathrand.IntN(2)), m.shows(u, 0)}
}

func nothingRight(m *timed, u timedUser) answer {
	code := make([]byte, 6)
	for i := range code {
		near := []byte{m.shows(u, -1)[i], m.shows(u, 0)[i], m.shows(u, 1)[i], 0}
		for slices.Contains(near, code[i]) {
			code[i] = '0' + byte(mathrand.IntN(10))
		}
	}
	return answer{u.token, string(code), m.shows(u, 0)}
}

func unknown(_ *timed, u timedUser) answer { return answer{token: u.token, code: randomBackupCode()} }
func spent(_ *timed, u timedUser) answer {
	return answer{token: u.token, code: u.spent[mathrand.IntN(len(u.spent))]}
}
func firstCode(_ *timed, u timedUser) answer {
	return answer{token: u.token, code: u.codes[0]}
}
func lastCode(_ *timed, u timedUser) answer {
	return answer{token: u.token, code: u.codes[len(u.codes)-1]}
}

func lastSymbol(_ *timed, u timedUser) answer {
	code := u.codes[mathrand.IntN(len(u.codes))]
	for {
		if other := code[:8] + randomBackupCode()[8:]; other != code {
			return answer{token: u.token, code: other}
		}
	}
}

// hashWrongAt returns the hash of a backup code with one byte changed.
func (m *timed) hashWrongAt(place int) answer {
	hashes := m.one.BackupCodes.Hashes
	hash := hashes[mathrand.IntN(len(hashes))]
	hash[place] ^= byte(1 + mathrand.IntN(255))
	return answer{code: string(hash[:])}
}

func firstOfHash(m *timed, _ timedUser) answer { return m.hashWrongAt(0) }
func lastOfHash(m *timed, _ timedUser) answer  { return m.hashWrongAt(15) }

// forge changes one byte of a sealed token. A negative place counts from the end.
func (m *timed) forge(u timedUser, place int) answer {
	const prefix = "mfa_tmp_"
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(u.token, prefix))
	if err != nil {
		m.t.Fatal(err)
	}
	if place < 0 {
		place += len(sealed)
	}
	sealed[place] ^= byte(1 + mathrand.IntN(255))
	return answer{token: prefix + base64.RawURLEncoding.EncodeToString(sealed), code: m.shows(u, 0)}
}

func format(m *timed, u timedUser) answer { return m.forge(u, 0) }
func firstByte(m *timed, u timedUser) answer {
	return m.forge(u, seal.Overhead-chacha20poly1305.Overhead) // after format, key ID and nonce, which are not secret
}
func firstOfTag(m *timed, u timedUser) answer { return m.forge(u, -chacha20poly1305.Overhead) }
func lastByte(m *timed, u timedUser) answer   { return m.forge(u, -1) }

// sink keeps the compiler from eliminating the computation.
var sink error

func (m *timed) verify(a answer) { _, sink = m.w.VerifyLogin(context.Background(), a.token, a.code) }

func (m *timed) match(a answer) {
	key := m.one.TOTP[0].Key
	step := key.Step(m.w.Clock.Now())
	if _, ok := key.Match(a.code, step, step); ok {
		m.t.Error("a wrong code is not refused")
	}
}

func (m *timed) redeem(a answer) {
	now := m.w.Clock.Now()
	ticket := record.Ticket{Epoch: m.one.Epoch, Issued: now, Expires: now.Add(time.Minute)}
	if m.one.Redeem(ticket, record.BackupHash([]byte(a.code)), now).Result != record.Wrong {
		m.t.Error("a wrong hash is not refused")
	}
}

var errDiffers = errors.New("differs")

// earlyExit compares as bytes.Equal may, often enough that it can be measured.
func (m *timed) earlyExit(a answer) {
	for range 32 {
		sink = compareUntil(a.right, a.code)
	}
}

//go:noinline
func compareUntil(right, code string) error {
	for i := range len(right) {
		if right[i] != code[i] {
			return errDiffers
		}
	}
	return nil
}

var oneHMAC = hmac.New(sha1.New, make([]byte, 20))

func (m *timed) verifyAndHash(a answer) {
	m.verify(a)
	if a.right[0] == a.code[0] {
		oneHMAC.Reset()
		oneHMAC.Write([]byte(a.code))
		oneHMAC.Sum(nil)
	}
}

// A result is the t-test of the crop that distinguishes the classes best.
type result struct {
	t          float64 // Welch's
	difference float64 // of the means, ns
	spread     float64 // standard error of the difference, ns
	sharpest   float64 // the least spread of any crop, ns
	mean       float64 // of both, ns
	kept       float64
	n          [2]int
}

func (c comparison) measure() (worst result) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	answers := c.of.answers(c.classes)
	var times [2][]float64
	for i := range c.samples {
		if i%(c.samples/100) == 0 {
			runtime.GC() // between samples, not in them
			c.do(answers[0][0])
		}
		class := mathrand.IntN(2)
		a := answers[class][mathrand.IntN(len(answers[class]))]
		start := time.Now()
		c.do(a)
		times[class] = append(times[class], float64(time.Since(start)))
	}
	all := slices.Concat(times[0], times[1])
	slices.Sort(all)
	sharpest := math.Inf(1)
	for _, kept := range []float64{1, 0.99, 0.95, 0.9, 0.75, 0.5} {
		r := welch(times, all[int(kept*float64(len(all)-1))])
		sharpest = min(sharpest, r.spread)
		if math.Abs(r.t) >= math.Abs(worst.t) {
			worst, worst.kept = r, kept
		}
	}
	worst.sharpest = sharpest
	return worst
}

// welch tests whether the means of the times up to a limit differ.
func welch(times [2][]float64, limit float64) (r result) {
	var mean, variance [2]float64
	for class := range times {
		var sum, squares float64
		for _, x := range times[class] {
			if x <= limit {
				sum, squares, r.n[class] = sum+x, squares+x*x, r.n[class]+1
			}
		}
		n := float64(r.n[class])
		mean[class] = sum / n
		variance[class] = max(squares/n-mean[class]*mean[class], 0) / (n - 1)
	}
	r.difference = mean[0] - mean[1]
	r.mean = (mean[0] + mean[1]) / 2
	if r.spread = math.Sqrt(variance[0] + variance[1]); r.spread > 0 {
		r.t = r.difference / r.spread
	}
	return r
}
