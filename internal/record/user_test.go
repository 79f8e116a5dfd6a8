package record

import (
	"fmt"
	"testing"
	"time"

	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/totp"
)

var rfcKey = totp.Key{Secret: []byte("12345678901234567890"), Algorithm: totp.SHA1, Digits: 6, Period: 30}

// enrolled is a user with an authenticator app whose codes are never right.
func enrolled() *User {
	u := &User{}
	u.ImportTOTP(rfcKey, start)
	return u
}

var tickets int

func ticket(u *User, issued time.Time) Ticket {
	tickets++
	return Ticket{
		ID: [8]byte{byte(tickets), byte(tickets >> 8)}, Epoch: u.Epoch,
		Issued: u.IssueAt(issued), Expires: issued.Add(5 * time.Minute),
	}
}

var wrong = Guess{Digits: "000000", Reach: 1, Sent: func(seal.Tag) bool { return false }}

// fresh lets failures of the factor not get in the way.
func fresh(u *User, now time.Time) *User {
	u.Unlock(now)
	return u
}

func alive(u *User, t Ticket) bool {
	_, ok := u.Answerable(t, start)
	return ok
}

func TestAChallengeEndsAfterFiveWrongCodes(t *testing.T) {
	u := enrolled()
	tk := ticket(u, start)
	for left := MaxTries - 1; left >= 0; left-- {
		if v := fresh(u, start).Answer(tk, wrong, start); v.Result != Wrong || v.TriesLeft != left {
			t.Fatalf("with %d left: %+v", left, v)
		}
	}
	if v := fresh(u, start).Answer(tk, wrong, start); v.Result != Ended {
		t.Errorf("the sixth: %+v", v)
	}
}

func TestWhatIsForgottenStaysDead(t *testing.T) {
	u := enrolled()
	tk := ticket(u, start)
	for range MaxTries {
		fresh(u, start).Answer(tk, wrong, start)
	}
	later := start.Add(5 * time.Minute)
	if fresh(u, later).Answer(ticket(u, later), wrong, later).Result != Wrong {
		t.Fatal("another challenge is not judged")
	}
	for _, c := range u.Challenges {
		if c.ID == tk.ID {
			t.Fatal("an expired challenge is still remembered")
		}
	}
	if alive(u, tk) { // the clock went back, so that it has not expired
		t.Error("a forgotten challenge is valid again")
	}
	if again := ticket(u, start); !alive(u, again) {
		t.Error("no challenge can begin once the clock went back")
	}
}

func TestThirtyTwoChallengesAreRemembered(t *testing.T) {
	u := enrolled()
	untouched := ticket(u, start)
	var all []Ticket
	for i := range 32 + 1 {
		tk := ticket(u, start.Add(time.Duration(i)*time.Second))
		fresh(u, start).Answer(tk, wrong, start.Add(time.Minute))
		all = append(all, tk)
	}
	if n := len(u.Challenges); n != 32 {
		t.Errorf("%d are remembered", n)
	}
	if alive(u, all[0]) {
		t.Error("the oldest is alive")
	}
	if alive(u, untouched) {
		t.Error("one that was issued before it, and of which nothing is remembered, is alive")
	}
	for i, tk := range all[1:] {
		if !alive(u, tk) {
			t.Errorf("number %d is dead", i+1)
		}
	}
	if !alive(u, ticket(u, start)) {
		t.Error("a new one is dead")
	}
}

func TestAUsedChallengeThatIsOldestOfTooManyIsDead(t *testing.T) {
	u := enrolled()
	oldest := ticket(u, start)
	for i := range MaxChallenges {
		fresh(u, start).Answer(ticket(u, start.Add(time.Duration(i+1)*time.Second)), wrong, start)
	}
	right := wrong
	right.Digits, right.Reach = "", 0
	for code := 0; ; code++ {
		right.Digits = fmt.Sprintf("%06d", code)
		if _, ok := rfcKey.Match(right.Digits, rfcKey.Step(start), rfcKey.Step(start)); ok {
			break
		}
	}
	if v := fresh(u, start).Answer(oldest, right, start); v.Result != Accepted {
		t.Fatalf("the right code: %+v", v)
	}
	if alive(u, oldest) {
		t.Error("it is alive after it was used")
	}
}

func TestChallengesOfAnotherEpochAreDead(t *testing.T) {
	for name, end := range map[string]func(*User){
		"renewed":  (*User).Renew,
		"reset":    (*User).Reset,
		"removed":  func(u *User) { u.Remove(MethodTOTP, ID{}) },
		"replaced": func(u *User) { add(u, Pending{Factor: Factor{Method: MethodTOTP}}) },
		"deleted":  func(u *User) { *u = User{} },
	} {
		u := enrolled()
		tk := ticket(u, start)
		if !alive(u, tk) {
			t.Fatal("dead from the beginning")
		}
		if end(u); alive(u, tk) {
			t.Errorf("%s: alive", name)
		}
	}
	u := enrolled()
	tk := ticket(u, start)
	u.ImportSMS("+14155552671", start)
	u.SetBackupCodes([16]byte{}, Argon2{}, nil, start)
	u.Remove(MethodBackupCode, ID{})
	if !alive(u, tk) {
		t.Error("dead after another factor came, or backup codes")
	}
}

// add confirms a factor, as Confirm does.
func add(u *User, p Pending) ID {
	p.ID = newID()
	return u.admit(p, start, func(f Factor) {
		switch p.Method {
		case MethodTOTP:
			u.TOTP = append(u.TOTP, TOTP{Factor: f, Key: rfcKey})
		case MethodSMS:
			u.SMS = append(u.SMS, SMS{Factor: f, Phone: "+14155552671"})
		case MethodPasskey:
			u.Passkeys = append(u.Passkeys, Passkey{Factor: f, Credential: Credential{ID: p.ID[:]}})
		}
	})
}

func TestWhatAChangeOfFactorsEnds(t *testing.T) {
	totp, sms, passkey := Factor{Method: MethodTOTP}, Factor{Method: MethodSMS}, Factor{Method: MethodPasskey}
	for _, test := range []struct {
		name         string
		change       func(*User)
		epoch        bool // ends challenges, proofs and what is pending
		devices      bool
		clearsTheApp bool // the failures of the method
	}{
		{"a first phone", func(u *User) { add(u, Pending{Factor: sms}) }, false, true, false},
		{"a passkey", func(u *User) { add(u, Pending{Factor: passkey, Keep: true}) }, false, true, false},
		{"an app beside others", func(u *User) { add(u, Pending{Factor: totp, Keep: true}) }, false, true, false},
		{"an app in the place of one of two", func(u *User) { add(u, Pending{Factor: totp, Replaces: u.TOTP[0].ID}) }, true, true, false},
		{"an app in the place of all", func(u *User) { add(u, Pending{Factor: totp}) }, true, true, true},
		{"one of two apps removed", func(u *User) { u.Remove(MethodTOTP, u.TOTP[1].ID) }, true, true, false},
		{"all apps removed", func(u *User) { u.Remove(MethodTOTP, ID{}) }, true, true, true},
		{"new backup codes", func(u *User) { u.SetBackupCodes([16]byte{}, Argon2{}, nil, start) }, false, false, false},
		{"backup codes removed", func(u *User) { u.Remove(MethodBackupCode, ID{}) }, false, false, false},
		{"renewed", (*User).Renew, true, true, false},
	} {
		u := enrolled()
		add(u, Pending{Factor: totp, Keep: true})
		u.Trust("", start)
		u.Begin(Pending{Factor: Factor{Method: MethodSMS, Label: "pending"}, Expires: start.Add(time.Hour)})
		u.Lanes.TOTP.Charge(start)
		epoch := u.Epoch
		test.change(u)
		if (u.Epoch != epoch) != test.epoch || (len(u.Devices) == 0) != test.devices || u.Lanes.TOTP.Zero() != test.clearsTheApp {
			t.Errorf("%s: another epoch %v, %d devices, no failures %v", test.name, u.Epoch != epoch, len(u.Devices), u.Lanes.TOTP.Zero())
		}
		if pending := u.pending(MethodSMS) != nil; test.epoch && pending {
			t.Errorf("%s: what was pending is there still", test.name)
		}
	}
}

func TestTheFirstFactorSetsTheEpochAndDropsWhatAStrangerBegan(t *testing.T) {
	u := &User{}
	u.Begin(Pending{Factor: Factor{Method: MethodSMS}, Expires: start.Add(time.Hour)})
	if u.Epoch != (Epoch{}) {
		t.Error("the epoch is set before there is a factor")
	}
	add(u, Pending{Factor: Factor{Method: MethodTOTP}})
	if u.Epoch == (Epoch{}) || len(u.Pending) != 0 {
		t.Errorf("epoch %x, %d pending", u.Epoch, len(u.Pending))
	}
}

func TestTheLastFactorTakesTheRestWithIt(t *testing.T) {
	u := enrolled()
	u.ImportSMS("+14155552671", start)
	u.SetBackupCodes([16]byte{}, Argon2{}, []BackupHash{{1}}, start)
	u.Remove(MethodTOTP, ID{})
	if u.BackupCodes == nil {
		t.Errorf("after one of two: %+v", u)
	}
	u.Remove(MethodSMS, ID{})
	if u.BackupCodes != nil || u.Enrolled() || len(u.Factors()) != 0 {
		t.Errorf("after the last: %+v", u)
	}
}

func TestResetKeepsWhatWasCounted(t *testing.T) {
	u := full()
	sent := u.Sent
	u.Reset()
	if len(u.Sent.Times) != len(sent.Times) || u.Sent.Cooldown != sent.Cooldown || len(u.Generated) != len(full().Generated) {
		t.Errorf("%+v, %v", u.Sent, u.Generated)
	}
	if u.Enrolled() || len(u.Pending) != 0 || u.BackupCodes != nil || u.Epoch == full().Epoch || u.Epoch == (Epoch{}) || !u.Lanes.TOTP.Zero() {
		t.Errorf("%+v", u)
	}
}

// at returns a code of the key that is right at a step.
func at(key totp.Key, step int64) string {
	for code := 0; ; code++ {
		digits := fmt.Sprintf("%06d", code)
		if _, ok := key.Match(digits, step, step); ok {
			return digits
		}
	}
}

func TestEachAppSpendsItsOwnSteps(t *testing.T) {
	second := rfcKey
	second.Secret = []byte("another secret of 20")
	u := enrolled()
	add(u, Pending{Factor: Factor{Method: MethodTOTP}, Keep: true})
	u.TOTP[1].Key = second
	step := rfcKey.Step(start)
	guess := func(digits string) Guess { return Guess{Digits: digits, Reach: 1} }
	if v := u.Answer(ticket(u, start), guess(at(second, step)), start); v.Result != Accepted || v.Factor != u.TOTP[1].ID {
		t.Fatalf("the second app: %+v", v)
	}
	if v := u.Answer(ticket(u, start), guess(at(second, step)), start); v.Result != Replayed {
		t.Errorf("again: %+v", v)
	}
	if v := u.Answer(ticket(u, start), guess(at(rfcKey, step)), start); v.Result != Accepted || v.Factor != u.TOTP[0].ID {
		t.Errorf("the first app: %+v", v)
	}
	if v := u.Answer(ticket(u, start), wrong, start); v.Result != Wrong || u.Lanes.TOTP.Consecutive != 1 {
		t.Errorf("a wrong code: %+v, charged %d times", v, u.Lanes.TOTP.Consecutive)
	}
}

func TestAppsThatShowTheSameDigitsSpendThemTogether(t *testing.T) {
	u := enrolled()
	add(u, Pending{Factor: Factor{Method: MethodTOTP}, Keep: true}) // with the same key
	code := Guess{Digits: at(rfcKey, rfcKey.Step(start)), Reach: 1}
	if v := u.Answer(ticket(u, start), code, start); v.Result != Accepted {
		t.Fatalf("%+v", v)
	}
	u.Remove(MethodTOTP, u.TOTP[0].ID)
	if v := u.Answer(ticket(u, start), code, start); v.Result != Replayed {
		t.Errorf("the other app takes the code again: %+v", v)
	}
}

func TestTheTwentyFirstDeviceTakesThePlaceOfTheOldest(t *testing.T) {
	u := enrolled()
	first := u.Trust("first", start)
	second := u.Trust("second", start)
	for range MaxDevices - 1 {
		u.Trust("", start.Add(time.Hour))
	}
	if len(u.Devices) != MaxDevices || u.Device(first.ID) != nil || u.Device(second.ID) == nil {
		t.Errorf("%d devices, the first %v, the second %v", len(u.Devices), u.Device(first.ID), u.Device(second.ID))
	}
}

func TestAnAnswerThatIsComparedWithNothingChangesNothing(t *testing.T) {
	phone := &User{}
	phone.ImportSMS("+14155552671", start)
	for _, test := range []struct {
		name   string
		user   *User
		answer func(*User, Ticket) Verdict
	}{
		{"letters without backup codes", enrolled(), func(u *User, tk Ticket) Verdict { return u.Charge(tk, start) }},
		{"misspelled letters without backup codes", enrolled(), func(u *User, tk Ticket) Verdict { return u.Misspelled(tk, start) }},
		{"digits where none were sent", phone, func(u *User, tk Ticket) Verdict { return u.Answer(tk, wrong, start) }},
		{"a passkey without passkeys", enrolled(), func(u *User, tk Ticket) Verdict { return u.AnswerPasskey(tk, nil, start) }},
	} {
		before := string(test.user.Append(nil))
		if v := test.answer(test.user, ticket(test.user, start)); v.Result != Unjudged {
			t.Errorf("%s: %+v", test.name, v)
		}
		if string(test.user.Append(nil)) != before {
			t.Errorf("%s: the record has changed", test.name)
		}
	}
}

func TestAChargeThatIsTakenBackLeavesNothing(t *testing.T) {
	u := enrolled()
	u.SetBackupCodes([16]byte{}, Argon2{}, []BackupHash{{1}}, start)
	u.Lanes.BackupCode.Charge(start.Add(-time.Hour))
	before := string(u.Append(nil))
	tk := ticket(u, start)
	if v := u.Charge(tk, start); v.Result != Admitted {
		t.Fatalf("%+v", v)
	}
	u.Uncharge(tk, start, start.Add(-time.Hour), start.Add(time.Second))
	if string(u.Append(nil)) != before {
		t.Errorf("left: %+v, %d challenges", u.Lanes.BackupCode, len(u.Challenges))
	}
	if !alive(u, tk) {
		t.Error("the challenge is over")
	}
}

// TestAnAcceptedStepStaysRefusedAfterUnlock, and only the accepted steps: not all
// those before the ones that a clock ahead of the others has accepted.
func TestAnAcceptedStepStaysRefusedAfterUnlock(t *testing.T) {
	long := []int64{90} // longer than what is remembered
	for i := range int64(maxSpent) {
		long = append(long, 5000+2*i)
	}
	for _, test := range []struct {
		name   string
		spent  []int64
		limits []int64 // of each Unlock
		free   []int64
		used   []int64
	}{
		{"none", nil, []int64{100}, []int64{0}, nil},
		{"all past", []int64{90, 95}, []int64{100}, []int64{96, 100}, []int64{89, 90, 91, 95}},
		{"one window ahead", []int64{90, 100}, []int64{100}, []int64{101}, []int64{91, 100}},
		{"two windows ahead", []int64{90, 101}, []int64{100}, []int64{91, 100, 102}, []int64{90, 101}},
		{"ahead from the start", []int64{5000, 5002}, []int64{100}, []int64{0, 4999, 5001}, []int64{5000, 5002}},
		{"unlocked twice", []int64{90, 200, 5000}, []int64{1000, 100}, []int64{91, 199, 201, 4999}, []int64{90, 200, 5000}},
		{"more than are remembered", long, []int64{100}, []int64{5001, 5031}, []int64{91, 4999, 5000, 5002, 5030}},
	} {
		var s Spent
		for _, step := range test.spent {
			s.add(step)
		}
		for _, limit := range test.limits {
			s.clockWas(limit)
		}
		for _, step := range test.free {
			if s.covers(step) {
				t.Errorf("%s: step %d is refused: %+v", test.name, step, s)
			}
		}
		for _, step := range test.used {
			if !s.covers(step) {
				t.Errorf("%s: step %d is accepted again: %+v", test.name, step, s)
			}
		}
	}
}

func TestAStepAcceptedAfterUnlockRefusesThoseBeforeIt(t *testing.T) {
	var s Spent
	for _, step := range []int64{90, 5000} {
		s.add(step)
	}
	s.clockWas(100)
	s.add(101)
	for step, covered := range map[int64]bool{95: true, 101: true, 102: false, 4999: false, 5000: true, 5001: false} {
		if s.covers(step) != covered {
			t.Errorf("step %d is covered: %v, want %v", step, !covered, covered)
		}
	}
}

func TestMessagesAreCounted(t *testing.T) {
	var s Sent
	now := start
	for i := range PerHour {
		if next := s.NextAt(); now.Before(next) {
			t.Fatalf("message %d must wait until %v", i, next)
		}
		s.Add(now, 30*time.Second)
		if next := s.NextAt(); i < PerHour-1 && !next.Equal(now.Add(30*time.Second)) {
			t.Fatalf("after message %d: next at %v", i, next)
		}
		now = now.Add(time.Minute)
	}
	if next, want := s.NextAt(), start.Add(time.Hour); !next.Equal(want) {
		t.Errorf("after five: next at %v, want %v", next, want)
	}
	now = start.Add(2 * time.Hour)
	for range PerDay - PerHour {
		s.Add(now, 0)
	}
	if next, want := s.NextAt(), start.Add(24*time.Hour); !next.Equal(want) {
		t.Errorf("after ten: next at %v, want %v", next, want)
	}
	s.LiftCooldown(s.Cooldown)
	if next, want := s.NextAt(), start.Add(24*time.Hour); !next.Equal(want) {
		t.Errorf("without a cooldown: next at %v, want %v", next, want)
	}
	s.Add(start.Add(-time.Hour), 0) // the clock went back
	if len(s.Times) != PerDay || s.Times[PerDay-1].Before(s.Times[PerDay-2]) {
		t.Errorf("%v", s.Times)
	}
}
