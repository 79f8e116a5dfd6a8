package record

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/throttle"
	"github.com/protekt/mfa/internal/totp"
)

var update = flag.Bool("update", false, "write the golden file of the current version")

var start = time.Date(2030, 1, 1, 0, 0, 0, 123_456_789, time.UTC)

// full has something in every field. It must not change: the golden files of
// all versions decode to it.
func full() *User {
	tag := func(b byte) seal.Tag {
		return seal.Tag{Key: [4]byte{b, 2, 3, 4}, Sum: [16]byte{b, 15: 9}}
	}
	factor := func(m Method) Factor {
		return Factor{
			Method:     m,
			EnrolledAt: start,
			LastUsedAt: start.Add(time.Hour),
			Lane: throttle.Lane{
				Consecutive: 3,
				LastFailure: start.Add(2 * time.Hour),
				Recent:      []int64{2103792, 2103792, 2103800},
				Disabled:    true,
			},
		}
	}
	return &User{
		Epoch:   Epoch{1, 2, 3, 4, 5, 6, 7, 8},
		Devices: Epoch{8, 7, 6, 5, 4, 3, 2, 1},
		TOTP: &TOTP{
			Factor: factor(MethodTOTP),
			Key:    totp.Key{Secret: bytes.Repeat([]byte{7}, 32), Algorithm: totp.SHA256, Digits: 8, Period: 60},
			Spent:  Spent{Next: 63115202, Steps: []int64{63115200, 63115201, 63115300}},
		},
		SMS: &SMS{Factor: factor(MethodSMS), Phone: "+2348012345678"},
		BackupCodes: &BackupCodes{
			Factor: factor(MethodBackupCode),
			Salt:   [16]byte{1, 15: 2},
			Cost:   Argon2{Time: 2, Memory: 19 << 10, Threads: 1},
			Hashes: []BackupHash{{1}, {2}, {3, 15: 4}},
		},
		PendingTOTP: &PendingTOTP{
			Pending: Pending{Expires: start.Add(15 * time.Minute), Failures: 2, Proven: true, Order: 1},
			Key:     totp.Key{Secret: bytes.Repeat([]byte{8}, 20), Algorithm: totp.SHA1, Digits: 6, Period: 30},
		},
		PendingSMS: &PendingSMS{
			Pending: Pending{Expires: start.Add(5 * time.Minute), Failures: 4, Order: 2},
			Phone:   "+14155552671",
			Code:    tag(1),
		},
		Sent:      Sent{Times: []time.Time{start, start.Add(time.Minute)}, Cooldown: start.Add(90 * time.Second)},
		Generated: []time.Time{start, start.Add(time.Second)},
		Challenges: []Challenge{
			{ID: [8]byte{1}, Issued: start, Expires: start.Add(5 * time.Minute), Failures: 5},
			{ID: [8]byte{2}, Issued: start.Add(1), Expires: start.Add(4 * time.Minute), Sends: 3, Code: &Code{Tag: tag(2), Expires: start.Add(3 * time.Minute)}},
			{ID: [8]byte{3}, Issued: start.Add(time.Second), Expires: start.Add(6 * time.Minute), Used: true, Failures: 1},
		},
		Forgotten: start.Add(-time.Minute),
	}
}

func decode(data []byte) (*User, error) {
	u := &User{Forgotten: start} // and nothing of it may stay
	err := u.Decode(data)
	return u, err
}

// TestGoldenVersions: what an earlier version of this package wrote is read.
func TestGoldenVersions(t *testing.T) {
	path := "testdata/v1.hex"
	if *update {
		if err := os.WriteFile(path, []byte(hex.EncodeToString(full().Append(nil))+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	u, err := decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(u, full()) {
		t.Errorf("%s is read as\n%+v\nwant\n%+v", path, u, full())
	}
	if got := full().Append(nil); !bytes.Equal(got, data) {
		t.Errorf("is written as\n%x\nwant\n%x", got, data)
	}
}

func TestEveryFieldIsWritten(t *testing.T) {
	checkFilled(t, "User", reflect.ValueOf(*full()))
	empty, err := decode(new(User).Append(nil))
	if err != nil || !reflect.DeepEqual(empty, new(User)) {
		t.Errorf("an empty user came back as %+v, %v", empty, err)
	}
}

// checkFilled fails on zero fields: full would not notice that they are lost.
func checkFilled(t *testing.T, name string, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			t.Errorf("%s is nil in full", name)
			return
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() {
		if v.IsZero() && !strings.Contains(name, "PendingSMS.Pending.Proven") {
			t.Errorf("%s is zero in full", name)
		}
		return
	}
	for i := range v.NumField() {
		checkFilled(t, name+"."+v.Type().Field(i).Name, v.Field(i))
	}
}

func TestTheFullestRecordIsUnder2KiB(t *testing.T) {
	u := full()
	u.TOTP.Key.Secret = make([]byte, totp.MaxSecret)
	u.TOTP.Spent = Spent{}
	for i := range int64(maxSpent) {
		u.TOTP.Spent.add(1<<35 + i<<14)
	}
	u.TOTP.Spent.Next = 0
	u.PendingTOTP.Key = u.TOTP.Key
	u.SMS.Phone = "+123456789012345"
	u.PendingSMS.Phone = u.SMS.Phone
	u.BackupCodes.Hashes = make([]BackupHash, maxBackupCodes)
	for _, f := range u.Factors() {
		f.Lane.Consecutive = throttle.Limit
		f.Lane.Recent = nil
		at := int64(2103792)
		for range 22 { // as many long distances as 30 days allow
			at += 128
			f.Lane.Recent = append(f.Lane.Recent, at)
		}
		for range throttle.Limit - 22 {
			f.Lane.Recent = append(f.Lane.Recent, at)
		}
	}
	u.Sent.Times = nil
	for i := range PerDay {
		u.Sent.Times = append(u.Sent.Times, start.Add(time.Duration(i)*(2*time.Hour+987_654_321)))
	}
	u.Generated = nil
	for i := range SetsPerHour {
		u.Generated = append(u.Generated, start.Add(time.Duration(i)*(11*time.Minute+987_654_321)))
	}
	u.Challenges = nil
	for i := range MaxChallenges {
		c := Challenge{ID: [8]byte{byte(i)}, Issued: start.Add(time.Duration(i) * (11*time.Second + 987_654_321)), Failures: 4, Sends: 3}
		c.Expires = c.Issued.Add(10 * time.Minute)
		if i < PerHour { // at most so many codes are live
			c.Code = &Code{Expires: c.Issued.Add(10 * time.Minute)}
		}
		u.Challenges = append(u.Challenges, c)
	}
	data := u.Append(nil)
	if _, err := decode(data); err != nil {
		t.Fatal(err)
	}
	if size := len(data) + seal.Overhead; size >= 2<<10 {
		t.Errorf("%d bytes", size)
	} else {
		t.Logf("%d bytes", size)
	}
}

func TestDamageIsRefused(t *testing.T) {
	data := full().Append(nil)
	for n := range data {
		if u, err := decode(data[:n]); err == nil || !reflect.DeepEqual(u, new(User)) {
			t.Errorf("accepted when cut to %d bytes", n)
		}
	}
	if _, err := decode(append(bytes.Clone(data), 0)); err == nil {
		t.Error("accepted with a byte too many")
	}
	for name, damage := range map[string]func(*User){
		"an Argon2 time of 0":         func(u *User) { u.BackupCodes.Cost.Time = 0 },
		"an Argon2 time of an hour":   func(u *User) { u.BackupCodes.Cost.Time = 1 << 20 },
		"an Argon2 memory of 0":       func(u *User) { u.BackupCodes.Cost.Memory = 0 },
		"an Argon2 memory of 4 GiB":   func(u *User) { u.BackupCodes.Cost.Memory = 4 << 20 },
		"no Argon2 threads":           func(u *User) { u.BackupCodes.Cost.Threads = 0 },
		"many Argon2 threads":         func(u *User) { u.BackupCodes.Cost.Threads = 255 },
		"16 backup codes":             func(u *User) { u.BackupCodes.Hashes = make([]BackupHash, 16) },
		"an empty secret":             func(u *User) { u.TOTP.Key.Secret = nil },
		"a short pending secret":      func(u *User) { u.PendingTOTP.Key.Secret = make([]byte, 9) },
		"no algorithm":                func(u *User) { u.TOTP.Key.Algorithm = 0 },
		"an unknown algorithm":        func(u *User) { u.TOTP.Key.Algorithm = 9 },
		"5 digits":                    func(u *User) { u.TOTP.Key.Digits = 5 },
		"a period of 0":               func(u *User) { u.TOTP.Key.Period = 0 },
		"6 failures of a challenge":   func(u *User) { u.Challenges[0].Failures = 6 },
		"6 failures of an enrollment": func(u *User) { u.PendingTOTP.Failures = 6 },
		"101 failures in a row":       func(u *User) { u.TOTP.Lane.Consecutive = 101 },
		"101 recent failures":         func(u *User) { u.TOTP.Lane.Recent = make([]int64, 101) },
		"17 spent steps":              func(u *User) { u.TOTP.Spent.Steps = make([]int64, 17) },
		"a spent step before 0":       func(u *User) { u.TOTP.Spent = Spent{Steps: []int64{-1}} },
		"more than all steps spent":   func(u *User) { u.TOTP.Spent.Next = -1 },
		"6 sets of backup codes":      func(u *User) { u.Generated = make([]time.Time, 6) },
		"33 challenges":               func(u *User) { u.Challenges = make([]Challenge, 33) },
		"challenges out of order":     func(u *User) { u.Challenges[1].Issued = start.Add(-1) },
		"messages out of order":       func(u *User) { u.Sent.Times[1] = start.Add(-1) },
		"11 messages":                 func(u *User) { u.Sent.Times = make([]time.Time, 11) },
		"a phone of 17 bytes":         func(u *User) { u.SMS.Phone = "+1234567890123456" },
	} {
		u := full()
		damage(u)
		if _, err := decode(u.Append(nil)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// FuzzDecode: no panic, and what is accepted has one spelling.
func FuzzDecode(f *testing.F) {
	f.Add(full().Append(nil))
	f.Add(new(User).Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := decode(data)
		if err != nil {
			if !reflect.DeepEqual(u, new(User)) {
				t.Fatalf("refused, and yet: %+v", u)
			}
			return
		}
		if again := u.Append(nil); !bytes.Equal(again, data) {
			t.Fatalf("%x came back as %x", data, again)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	u := full()
	b.ReportAllocs()
	for b.Loop() {
		u.Append(make([]byte, 0, 1<<10))
	}
}

func BenchmarkDecode(b *testing.B) {
	data := full().Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		decode(data)
	}
}
