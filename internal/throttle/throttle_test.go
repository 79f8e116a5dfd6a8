package throttle

import (
	"slices"
	"testing"
	"time"
)

func TestDelaysGrowAndAreCapped(t *testing.T) {
	for _, test := range []struct {
		name     string
		schedule Schedule
		free     int
		delays   []time.Duration // after the first failure that is not free
	}{
		{"one-time codes", OneTimeCodes, 4, []time.Duration{
			1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second,
			32 * time.Second, 64 * time.Second, 128 * time.Second, 256 * time.Second, 512 * time.Second,
			15 * time.Minute, 15 * time.Minute,
		}},
		{"backup codes", BackupCodes, 9, []time.Duration{
			30 * time.Second, 60 * time.Second, 120 * time.Second, 240 * time.Second, 480 * time.Second,
			15 * time.Minute, 15 * time.Minute,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for k := range test.free + 1 {
				if d := test.schedule.Delay(k); d != 0 {
					t.Errorf("after failure %d: %v, want none", k, d)
				}
			}
			for i, want := range test.delays {
				if d := test.schedule.Delay(test.free + 1 + i); d != want {
					t.Errorf("after failure %d: %v, want %v", test.free+1+i, d, want)
				}
			}
			if d := test.schedule.Delay(Limit); d != 15*time.Minute {
				t.Errorf("after failure %d: %v", Limit, d)
			}
			if d := test.schedule.Delay(1 << 62); d != 15*time.Minute {
				t.Errorf("after very many failures: %v", d)
			}
		})
	}
}

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func fail(l *Lane, now time.Time) (disabled bool) {
	l.Charge(now)
	return l.Refuse(now)
}

func TestAHundredInARowDisable(t *testing.T) {
	var l Lane
	now := start
	for k := 1; k < Limit; k++ {
		now = now.Add(365 * 24 * time.Hour) // no time is long enough to forget one
		if fail(&l, now) || l.Closed(now) {
			t.Fatalf("disabled after %d", k)
		}
	}
	if !fail(&l, now) || !l.Closed(now) {
		t.Fatal("not disabled after 100")
	}
	if !l.Closed(now.Add(10 * 365 * 24 * time.Hour)) {
		t.Error("enabled again by time alone")
	}
}

func TestAHundredInThirtyDaysDisableWhateverSucceeds(t *testing.T) {
	var l Lane
	now := start
	for day := range 5 {
		for range 20 {
			if l.Closed(now) {
				t.Fatalf("disabled on day %d", day)
			}
			fail(&l, now)
		}
		if day < 4 {
			l.Succeed()
		}
		now = now.Add(24 * time.Hour)
	}
	if !l.Closed(now) {
		t.Fatal("not disabled after 100 in 5 days")
	}
	if !l.Closed(now.Add(2 * Window)) {
		t.Error("enabled again once the window had passed")
	}
}

func TestFailuresLeaveTheWindow(t *testing.T) {
	var l Lane
	for range Limit - 1 {
		fail(&l, start)
	}
	l.Succeed()
	fail(&l, start.Add(30*24*time.Hour+15*time.Minute))
	if n := len(l.Recent); n != 1 {
		t.Errorf("%d failures kept", n)
	}

	// Each counts for 30 days, and less than a quarter of an hour longer.
	const last = 15*time.Minute - 1 // of a quarter
	for _, failed := range []time.Duration{0, last} {
		for at, counts := range map[time.Duration]bool{30*24*time.Hour + last: true, 30*24*time.Hour + last + 1: false} {
			l := Lane{}
			for range Limit - 1 {
				fail(&l, start.Add(failed))
			}
			l.Succeed()
			if fail(&l, start.Add(at)) != counts {
				t.Errorf("failures after %v count after %v: %v", failed, at, !counts)
			}
		}
	}
}

func TestAChargeIsTakenBackBySuccess(t *testing.T) {
	var l Lane
	fail(&l, start)
	before := slices.Clone(l.Recent)
	l.Charge(start.Add(time.Hour))
	l.Refund()
	l.Succeed()
	if !slices.Equal(l.Recent, before) || l.Consecutive != 0 || !l.LastFailure.IsZero() {
		t.Errorf("left behind: %+v", l)
	}
}

func TestALaneAtItsLimitIsClosedBeforeAnybodySaysSo(t *testing.T) {
	var l Lane
	for range Limit {
		l.Charge(start)
	}
	if !l.Closed(start) || l.Disabled {
		t.Errorf("closed %v, written down %v", l.Closed(start), l.Disabled)
	}
}

func TestTheClockGoesBack(t *testing.T) {
	var l Lane
	for range 6 {
		fail(&l, start)
	}
	if got, want := l.RetryAt(OneTimeCodes), start.Add(2*time.Second); !got.Equal(want) {
		t.Errorf("retry at %v, want %v", got, want)
	}
	earlier := start.Add(-365 * 24 * time.Hour)
	fail(&l, earlier)
	if !slices.IsSorted(l.Recent) || len(l.Recent) != 7 {
		t.Errorf("failures %v", l.Recent)
	}
	if got, want := l.RetryAt(OneTimeCodes), earlier.Add(4*time.Second); !got.Equal(want) {
		t.Errorf("retry at %v, want %v", got, want)
	}
}

func TestQuartersBefore1970(t *testing.T) {
	for _, test := range []struct{ seconds, quarter int64 }{{0, 0}, {899, 0}, {900, 1}, {-1, -1}, {-900, -1}, {-901, -2}} {
		if got := floorQuarter(time.Unix(test.seconds, 0)); got != test.quarter {
			t.Errorf("second %d is in quarter %d, want %d", test.seconds, got, test.quarter)
		}
	}
}
