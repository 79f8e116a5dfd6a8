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
		t.Error("a forgotten challenge lives again")
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
		"removed":  func(u *User) { u.Remove(MethodTOTP) },
		"replaced": func(u *User) { u.ImportTOTP(rfcKey, start) },
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
	u.Remove(MethodBackupCode)
	if !alive(u, tk) {
		t.Error("dead after another factor came, or backup codes")
	}
}

func TestEpochs(t *testing.T) {
	u := &User{}
	zero := Epoch{}
	u.BeginTOTP(rfcKey, start)
	if u.Epoch != zero || u.Devices != zero {
		t.Error("set before there is a factor")
	}
	u.ImportTOTP(rfcKey, start)
	first := *u
	if u.Epoch == zero || u.Devices == zero {
		t.Error("zero with a factor")
	}
	u.ImportSMS("+14155552671", start)
	if u.Epoch != first.Epoch || u.Devices == first.Devices {
		t.Error("a second factor must end trusted devices, and nothing else")
	}
	second := *u
	u.ImportSMS("+14155552672", start)
	if u.Epoch == second.Epoch || u.Devices == second.Devices {
		t.Error("a replaced factor must end both")
	}
	third := *u
	u.ForgetDevices()
	if u.Epoch != third.Epoch || u.Devices == third.Devices {
		t.Error("forgetting devices must end those alone")
	}
}

func TestTheLastFactorTakesTheRestWithIt(t *testing.T) {
	u := enrolled()
	u.ImportSMS("+14155552671", start)
	u.SetBackupCodes([16]byte{}, Argon2{}, []BackupHash{{1}}, start)
	u.BeginTOTP(rfcKey, start.Add(time.Minute))
	u.Remove(MethodTOTP)
	if u.BackupCodes == nil || u.PendingTOTP != nil {
		t.Errorf("after one of two: %+v", u)
	}
	u.Remove(MethodSMS)
	if u.BackupCodes != nil || u.Enrolled() || len(u.Factors()) != 0 {
		t.Errorf("after the last: %+v", u)
	}
}

func TestResetKeepsWhatWasSent(t *testing.T) {
	u := full()
	sent := u.Sent
	u.Reset()
	if len(u.Sent.Times) != len(sent.Times) || u.Sent.Cooldown != sent.Cooldown {
		t.Errorf("%+v", u.Sent)
	}
	if u.Enrolled() || u.PendingTOTP != nil || u.PendingSMS != nil || u.BackupCodes != nil || u.Epoch == full().Epoch || u.Epoch == (Epoch{}) {
		t.Errorf("%+v", u)
	}
}

func TestSpentStepsAheadAreForgotten(t *testing.T) {
	for _, test := range []struct {
		name   string
		spent  []int64
		limit  int64
		free   int64 // the first step that may be accepted
		forget bool
	}{
		{"none", nil, 100, 0, false},
		{"all past", []int64{90, 95}, 100, 96, false},
		{"one window ahead", []int64{90, 100}, 100, 101, false},
		{"a clock ran ahead once", []int64{90, 5000}, 100, 91, true},
		{"a clock ran ahead for long", []int64{90, 5000, 5001, 5002, 5003}, 100, 101, true},
		{"a clock ran ahead from the start", []int64{5000, 5001}, 100, 0, true},
	} {
		var s Spent
		for _, step := range test.spent {
			s.add(step)
		}
		s.forgetAfter(test.limit)
		if test.free > 0 && !s.covers(test.free-1) || s.covers(test.free) {
			t.Errorf("%s: %v, want step %d to be the first free one", test.name, s, test.free)
		}
	}
}

// TestUnlockKeepsWhatACodeCanHave: the next step's code is accepted already.
func TestUnlockKeepsWhatACodeCanHave(t *testing.T) {
	now := rfcKey.Step(start)
	for ahead, kept := range []bool{true, true, false} {
		u := enrolled()
		u.TOTP.Spent.add(now + int64(ahead))
		u.Unlock(start)
		if u.TOTP.Spent.covers(now+int64(ahead)) != kept {
			t.Errorf("a spent step, %d ahead: kept %v, want %v", ahead, !kept, kept)
		}
	}
}

// TestSpentStepsAreForgottenTwice: what the first time left unknown is unknown
// the second time too.
func TestSpentStepsAreForgottenTwice(t *testing.T) {
	for _, ahead := range [][]int64{{5000, 5001, 5002, 5003}, {200, 201, 5000, 5001}} {
		var s Spent
		for _, step := range append([]int64{90}, ahead...) {
			s.add(step)
		}
		s.forgetAfter(1000)
		s.forgetAfter(100)
		if !s.covers(90) || !s.covers(100) || s.covers(101) {
			t.Errorf("%v: left with %v, want step 101 to be the first free one", ahead, s)
		}
		for step := range int64(maxSpent) {
			s.add(101 + step)
		}
		if s.covers(101 + maxSpent) {
			t.Errorf("%v: later steps are lost", ahead)
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
