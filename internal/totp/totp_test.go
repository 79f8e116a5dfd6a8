package totp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash"
	"math/rand"
	"testing"
	"time"

	"github.com/pquerna/otp"
	reference "github.com/pquerna/otp/totp"
)

// seed is the secret of the RFCs' vectors: the digits, as often as it takes.
func seed(size int) []byte {
	return bytes.Repeat([]byte("1234567890"), 7)[:size]
}

func key(a Algorithm, digits int) Key {
	return Key{Secret: seed(a.Size()), Algorithm: a, Digits: digits, Period: 30}
}

// only is whether code belongs to this step and to no neighbour of it.
func only(k Key, code string, step int64) bool {
	at, ok := k.Match(code, step, step)
	_, before := k.Match(code, step-1, step-1)
	_, after := k.Match(code, step+1, step+1)
	return ok && at == step && !before && !after
}

func TestRFC4226AppendixD(t *testing.T) {
	for counter, code := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if !only(key(SHA1, 6), code, int64(counter)) {
			t.Errorf("counter %d does not give %s alone", counter, code)
		}
	}
}

func TestRFC6238AppendixB(t *testing.T) {
	for _, test := range []struct {
		time                 int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"}, // 2603
	} {
		for algorithm, code := range map[Algorithm]string{SHA1: test.sha1, SHA256: test.sha256, SHA512: test.sha512} {
			k := key(algorithm, 8)
			if !only(k, code, k.Step(time.Unix(test.time, 0))) {
				t.Errorf("algorithm %d at %d does not give %s alone", algorithm, test.time, code)
			}
		}
	}
}

func TestSeedsAreNotPadded(t *testing.T) { // erratum 2866 of RFC 6238
	for algorithm, code := range map[Algorithm]string{SHA256: "32247374", SHA512: "69342147"} {
		k := key(algorithm, 8)
		k.Secret = seed(20)
		if !only(k, code, 1) {
			t.Errorf("algorithm %d with a seed of 20 bytes does not give %s", algorithm, code)
		}
	}
}

func TestStepsBeyond32Bits(t *testing.T) { // RFC 6238 §4.2
	for _, test := range []struct {
		step       int64
		six, eight string
	}{
		{1 << 31, "197202", "04197202"},
		{1 << 32, "999456", "55999456"},
		{1 << 33, "166590", "11166590"},
		{1<<33 + 1, "612511", "57612511"},
	} {
		if got := key(SHA1, 6).Step(time.Unix(test.step*30, 0)); got != test.step {
			t.Errorf("second %d is in step %d", test.step*30, got)
		}
		if !only(key(SHA1, 6), test.six, test.step) || !only(key(SHA1, 8), test.eight, test.step) {
			t.Errorf("step %d does not give %s and %s", test.step, test.six, test.eight)
		}
	}
}

func TestStepIsFloored(t *testing.T) {
	k := key(SHA1, 6)
	for _, test := range []struct{ seconds, step int64 }{
		{0, 0}, {29, 0}, {30, 1}, {-1, -1}, {-30, -1}, {-31, -2},
	} {
		if got := k.Step(time.Unix(test.seconds, 0)); got != test.step {
			t.Errorf("second %d is in step %d, want %d", test.seconds, got, test.step)
		}
	}
}

func TestStepsBefore1970HaveNoCode(t *testing.T) {
	k := key(SHA1, 6)
	if step, ok := k.Match("755224", -5, 0); !ok || step != 0 {
		t.Errorf("got step %d, %v; want 0", step, ok)
	}
	if _, ok := k.Match("755224", -5, -1); ok {
		t.Error("a step before the first one matched")
	}
}

func TestTheLaterOfTwoEqualStepsMatches(t *testing.T) {
	for _, test := range []struct {
		first, second int64
		code          string
	}{
		{153567, 153569, "468457"}, {679858, 679860, "038755"}, {910737, 910738, "911617"}, {1300575, 1300576, "761737"},
	} {
		if step, ok := key(SHA1, 6).Match(test.code, test.first, test.first+2); !ok || step != test.second {
			t.Errorf("%s matched step %d, want %d", test.code, step, test.second)
		}
		if step, ok := key(SHA1, 6).Match(test.code, test.first-1, test.first); !ok || step != test.first {
			t.Errorf("%s matched step %d, want %d", test.code, step, test.first)
		}
	}
}

func TestZerosInFrontAreKept(t *testing.T) {
	for counter, code := range map[int64]string{36: "003784", 44: "000152", 366: "000866"} {
		if !only(key(SHA1, 6), code, counter) {
			t.Errorf("counter %d does not give %s", counter, code)
		}
		for _, wrong := range []string{code[1:], code[2:], "0" + code} {
			if _, ok := key(SHA1, 6).Match(wrong, counter, counter); ok {
				t.Errorf("counter %d takes %s", counter, wrong)
			}
		}
	}
}

func TestAgreesWithTheReference(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	algorithms := map[Algorithm]otp.Algorithm{SHA1: otp.AlgorithmSHA1, SHA256: otp.AlgorithmSHA256, SHA512: otp.AlgorithmSHA512}
	for range 2000 {
		k := Key{
			Secret:    make([]byte, MinSecret+random.Intn(MaxSecret-MinSecret+1)),
			Algorithm: Algorithm(1 + random.Intn(3)),
			Digits:    MinDigits + random.Intn(3),
			Period:    1 + random.Int63n(MaxPeriod),
		}
		random.Read(k.Secret)
		if !k.Valid() {
			t.Fatalf("not valid: %+v", k)
		}
		at := time.Unix(random.Int63n(1<<35), 0)
		code, err := reference.GenerateCodeCustom(base32.StdEncoding.EncodeToString(k.Secret), at, reference.ValidateOpts{
			Period: uint(k.Period), Digits: otp.Digits(k.Digits), Algorithm: algorithms[k.Algorithm],
		})
		if err != nil {
			t.Fatal(err)
		}
		if step, ok := k.Match(code, k.Step(at), k.Step(at)); !ok || step != k.Step(at) {
			t.Fatalf("%+v at %v: %s does not match", k, at, code)
		}
	}
}

func TestBounds(t *testing.T) {
	good := Key{Secret: seed(20), Algorithm: SHA1, Digits: 6, Period: 30}
	if !good.Valid() {
		t.Fatal("the default is not valid")
	}
	for name, change := range map[string]func(*Key){
		"no secret":         func(k *Key) { k.Secret = nil },
		"9 bytes":           func(k *Key) { k.Secret = seed(9) },
		"65 bytes":          func(k *Key) { k.Secret = seed(65) },
		"no algorithm":      func(k *Key) { k.Algorithm = 0 },
		"unknown algorithm": func(k *Key) { k.Algorithm = 4 },
		"5 digits":          func(k *Key) { k.Digits = 5 },
		"9 digits":          func(k *Key) { k.Digits = 9 },
		"no period":         func(k *Key) { k.Period = 0 },
		"121 seconds":       func(k *Key) { k.Period = 121 },
		"negative period":   func(k *Key) { k.Period = -30 },
	} {
		bad := good
		if change(&bad); bad.Valid() {
			t.Errorf("%s is valid", name)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	b.ReportAllocs()
	k := key(SHA1, 6)
	for b.Loop() {
		k.Match("000000", 37037036, 37037038)
	}
}

// TestHMAC: what hotp writes out is HMAC.
func TestHMAC(t *testing.T) {
	random := rand.New(rand.NewSource(2))
	for algorithm, newHash := range map[Algorithm]func() hash.Hash{SHA1: sha1.New, SHA256: sha256.New, SHA512: sha512.New} {
		for size := MinSecret; size <= MaxSecret; size++ {
			k := Key{Secret: make([]byte, size), Algorithm: algorithm, Digits: 8, Period: 30}
			random.Read(k.Secret)
			step := random.Int63()
			mac := hmac.New(newHash, k.Secret)
			mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
			sum := mac.Sum(nil)
			value := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) << 1 >> 1
			if code := fmt.Sprintf("%08d", value%100_000_000); !only(k, code, step) {
				t.Errorf("algorithm %d, a key of %d bytes: not %s", algorithm, size, code)
			}
		}
	}
}
