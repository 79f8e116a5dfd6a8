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
	factor := func(m Method, id byte) Factor {
		return Factor{ID: ID{id, 7: 1}, Method: m, Label: "phone of Ada", EnrolledAt: start, LastUsedAt: start.Add(time.Hour)}
	}
	lane := func(failures int) throttle.Lane {
		return throttle.Lane{
			Consecutive: failures,
			LastFailure: start.Add(2 * time.Hour),
			Recent:      []int64{2103792, 2103792, 2103800},
			Disabled:    true,
		}
	}
	backup := factor(MethodBackupCode, 0)
	backup.ID, backup.Label = ID{}, ""
	key := totp.Key{Secret: bytes.Repeat([]byte{7}, 32), Algorithm: totp.SHA256, Digits: 8, Period: 60}
	return &User{
		Epoch:  Epoch{1, 2, 3, 4, 5, 6, 7, 8},
		Handle: Handle{9, 31: 8},
		Passkeys: []Passkey{
			{Factor: factor(MethodPasskey, 1), Credential: Credential{ID: []byte("credential"), Data: []byte("public key and counter")}},
			{Factor: factor(MethodPasskey, 2), Credential: Credential{ID: []byte("another"), Data: []byte("x")}},
		},
		TOTP: []TOTP{
			{Factor: factor(MethodTOTP, 3), Key: key, Spent: Spent{Next: 63115202, Steps: []int64{63115200, 63115201, 63115300}}},
			{Factor: factor(MethodTOTP, 4), Key: key, Spent: Spent{Next: 1, Steps: []int64{0}}},
		},
		SMS: []SMS{
			{Factor: factor(MethodSMS, 5), Phone: "+2348012345678"},
			{Factor: factor(MethodSMS, 6), Phone: "+14155552671"},
		},
		BackupCodes: &BackupCodes{
			Factor: backup,
			Salt:   [16]byte{1, 15: 2},
			Cost:   Argon2{Time: 2, Memory: 19 << 10, Threads: 1},
			Hashes: []BackupHash{{1}, {2}, {3, 15: 4}},
		},
		Lanes: Lanes{Passkey: lane(1), TOTP: lane(2), SMS: lane(3), BackupCode: lane(4)},
		Pending: []Pending{
			{
				Factor:  Factor{ID: ID{7}, Method: MethodSMS, Label: "work"},
				Expires: start.Add(5 * time.Minute), Failures: 4, Replaces: ID{5, 7: 1},
				Phone: "+14155552672", Code: tag(1),
			},
			{
				Factor:  Factor{ID: ID{8}, Method: MethodTOTP, Label: "tablet"},
				Expires: start.Add(15 * time.Minute), Failures: 2, Keep: true,
				Key: totp.Key{Secret: bytes.Repeat([]byte{8}, 20), Algorithm: totp.SHA1, Digits: 6, Period: 30},
			},
			{
				Factor:  Factor{ID: ID{9}, Method: MethodPasskey, Label: "key"},
				Expires: start.Add(15 * time.Minute), Failures: 1, Keep: true,
				Account: "ada@example.com",
			},
		},
		Devices: []Device{
			{ID: ID{10}, Label: "Firefox on Linux", TrustedAt: start, LastUsedAt: start.Truncate(24 * time.Hour)},
			{ID: ID{11}, Label: "Safari on iPhone", TrustedAt: start.Add(time.Hour), LastUsedAt: start.Truncate(24 * time.Hour)},
		},
		Sent:      Sent{Times: []time.Time{start, start.Add(time.Minute)}, Cooldown: start.Add(90 * time.Second)},
		Generated: []time.Time{start, start.Add(time.Second)},
		Challenges: []Challenge{
			{ID: [8]byte{1}, Issued: start, Expires: start.Add(5 * time.Minute), Failures: 5},
			{ID: [8]byte{2}, Issued: start.Add(1), Expires: start.Add(4 * time.Minute), Sends: 3, Code: &Code{Tag: tag(2), Factor: ID{5, 7: 1}, Expires: start.Add(3 * time.Minute)}},
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
	path := "testdata/v2.hex"
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

// checkFilled fails on fields that are zero in every element of their list: full
// would not notice that they are lost.
func checkFilled(t *testing.T, name string, values ...reflect.Value) {
	first := values[0]
	switch {
	case first.Kind() == reflect.Pointer:
		values = keep(values, func(v reflect.Value) bool { return !v.IsNil() })
		if len(values) == 0 {
			t.Errorf("%s is nil in full", name)
			return
		}
		for i := range values {
			values[i] = values[i].Elem()
		}
		checkFilled(t, name, values...)
	case first.Kind() == reflect.Slice && first.Type().Elem().Kind() == reflect.Struct && first.Type().Elem() != reflect.TypeFor[time.Time]():
		var elements []reflect.Value
		for _, v := range values {
			for i := range v.Len() {
				elements = append(elements, v.Index(i))
			}
		}
		if len(elements) == 0 {
			t.Errorf("%s is empty in full", name)
			return
		}
		checkFilled(t, name+"[]", elements...)
	case first.Kind() == reflect.Struct && first.Type() != reflect.TypeFor[time.Time]():
		for i := range first.NumField() {
			fields := make([]reflect.Value, len(values))
			for k, v := range values {
				fields[k] = v.Field(i)
			}
			checkFilled(t, name+"."+first.Type().Field(i).Name, fields...)
		}
	case notStored[name]:
	default:
		if len(keep(values, func(v reflect.Value) bool { return !v.IsZero() })) == 0 {
			t.Errorf("%s is zero in full", name)
		}
	}
}

var notStored = map[string]bool{
	"User.Passkeys[].Credential.UserVerified": true,
	"User.BackupCodes.Factor.ID":              true,
	"User.BackupCodes.Factor.Label":           true,
	"User.Pending[].Factor.EnrolledAt":        true,
	"User.Pending[].Factor.LastUsedAt":        true,
}

func keep(values []reflect.Value, ok func(reflect.Value) bool) (kept []reflect.Value) {
	for _, v := range values {
		if ok(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// fullest returns a user with every list full, and passkeys of that many bytes.
func fullest(credential int) *User {
	u := full()
	label := strings.Repeat("x", maxLabel)
	factor := func(m Method, i int) Factor {
		return Factor{ID: ID{byte(i), 7: 1}, Method: m, Label: label, EnrolledAt: start, LastUsedAt: start.Add(time.Hour)}
	}
	u.Passkeys, u.TOTP, u.SMS, u.Devices = nil, nil, nil, nil
	for i := range MaxPasskeys {
		u.Passkeys = append(u.Passkeys, Passkey{Factor: factor(MethodPasskey, i), Credential: Credential{
			ID: bytes.Repeat([]byte{byte(i)}, 32), Data: make([]byte, credential-32),
		}})
	}
	for i := range MaxTOTP {
		app := TOTP{Factor: factor(MethodTOTP, i), Key: totp.Key{Secret: make([]byte, totp.MaxSecret), Algorithm: totp.SHA512, Digits: 8, Period: 60}}
		for step := range int64(maxSpent) {
			app.Spent.add(1<<35 + step<<14)
		}
		app.Spent.Next = 0
		u.TOTP = append(u.TOTP, app)
	}
	for i := range MaxSMS {
		u.SMS = append(u.SMS, SMS{Factor: factor(MethodSMS, i), Phone: "+123456789012345"})
	}
	for i := range MaxDevices {
		u.Devices = append(u.Devices, Device{ID: ID{byte(i)}, Label: label, TrustedAt: start.Add(time.Duration(i)), LastUsedAt: start})
	}
	for i := range u.Pending {
		u.Pending[i].Label = label
		if u.Pending[i].Method == MethodPasskey {
			u.Pending[i].Account = strings.Repeat("x", maxAccount)
		}
	}
	u.BackupCodes.Hashes = make([]BackupHash, maxBackupCodes)
	for _, lane := range u.Lanes.each() {
		lane.Consecutive = throttle.Limit
		lane.Recent = nil
		at := int64(2103792)
		for range 22 { // as many long distances as 30 days allow
			at += 128
			lane.Recent = append(lane.Recent, at)
		}
		for range throttle.Limit - 22 {
			lane.Recent = append(lane.Recent, at)
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
		if i < PerHour { // at most so many codes are valid at a time
			c.Code = &Code{Expires: c.Issued.Add(10 * time.Minute)}
		}
		u.Challenges = append(u.Challenges, c)
	}
	return u
}

func TestARecordFitsIntoAnyStore(t *testing.T) {
	ordinary := &User{Epoch: Epoch{1}}
	ordinary.ImportTOTP(rfcKey, start)
	ordinary.ImportSMS("+14155552671", start)
	ordinary.SetBackupCodes([16]byte{1}, Argon2{Time: 2, Memory: 19 << 10, Threads: 1}, make([]BackupHash, 10), start)
	for i := range int64(maxSpent) {
		ordinary.TOTP[0].Spent.add(63115200 + 2000*i)
	}
	for _, test := range []struct {
		name  string
		user  *User
		limit int
	}{
		{"an app, a phone and ten backup codes", ordinary, 700},
		{"every list full, ordinary passkeys", fullest(140), 8 << 10},
		{"every list full, the longest passkeys", fullest(MaxCredential), 16 << 10},
	} {
		data := test.user.Append(nil)
		if _, err := decode(data); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		size := len(data) + seal.Overhead
		t.Logf("%s: %d bytes", test.name, size)
		if size >= test.limit {
			t.Errorf("%s: %d bytes, want under %d", test.name, size, test.limit)
		}
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
		"an empty secret":             func(u *User) { u.TOTP[0].Key.Secret = nil },
		"a short pending secret":      func(u *User) { u.pending(MethodTOTP).Key.Secret = make([]byte, 9) },
		"no algorithm":                func(u *User) { u.TOTP[0].Key.Algorithm = 0 },
		"an unknown algorithm":        func(u *User) { u.TOTP[0].Key.Algorithm = 9 },
		"5 digits":                    func(u *User) { u.TOTP[0].Key.Digits = 5 },
		"a period of 0":               func(u *User) { u.TOTP[0].Key.Period = 0 },
		"6 failures of a challenge":   func(u *User) { u.Challenges[0].Failures = 6 },
		"6 failures of an enrollment": func(u *User) { u.pending(MethodTOTP).Failures = 6 },
		"101 failures in a row":       func(u *User) { u.Lanes.TOTP.Consecutive = 101 },
		"101 recent failures":         func(u *User) { u.Lanes.SMS.Recent = make([]int64, 101) },
		"17 spent steps":              func(u *User) { u.TOTP[0].Spent.Steps = make([]int64, 17) },
		"a spent step before 0":       func(u *User) { u.TOTP[0].Spent = Spent{Steps: []int64{-1}} },
		"more than all steps spent":   func(u *User) { u.TOTP[0].Spent.Next = -1 },
		"6 sets of backup codes":      func(u *User) { u.Generated = make([]time.Time, 6) },
		"33 challenges":               func(u *User) { u.Challenges = make([]Challenge, 33) },
		"challenges out of order":     func(u *User) { u.Challenges[1].Issued = start.Add(-1) },
		"messages out of order":       func(u *User) { u.Sent.Times[1] = start.Add(-1) },
		"11 messages":                 func(u *User) { u.Sent.Times = make([]time.Time, 11) },
		"a phone of 17 bytes":         func(u *User) { u.SMS[0].Phone = "+1234567890123456" },
		"a label of 65 bytes":         func(u *User) { u.SMS[0].Label = strings.Repeat("x", 65) },
		"9 passkeys":                  func(u *User) { u.Passkeys = make([]Passkey, 9) },
		"6 apps":                      func(u *User) { u.TOTP = make([]TOTP, 6) },
		"4 phones":                    func(u *User) { u.SMS = make([]SMS, 4) },
		"21 devices":                  func(u *User) { u.Devices = make([]Device, 21) },
		"a passkey too large":         func(u *User) { u.Passkeys[0].Data = make([]byte, MaxCredential) },
		"a passkey without an ID":     func(u *User) { u.Passkeys[0].Credential.ID = nil },
		"two pending apps":            func(u *User) { u.Pending[0] = u.Pending[1] },
		"a pending account too long":  func(u *User) { u.pending(MethodPasskey).Account = strings.Repeat("x", 256) },
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
