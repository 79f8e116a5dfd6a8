package load

import (
	"testing"
	"time"
)

// TestLatencies: what is reported is at most a sixteenth above the truth, and
// never below it.
func TestLatencies(t *testing.T) {
	var l, first, second latencies
	for i := range 100_000 {
		part := &first
		if i%2 == 0 {
			part = &second
		}
		part.add(time.Duration(i+1) * time.Microsecond)
	}
	l.merge(&first)
	l.merge(&second)
	for _, part := range []float64{0, .01, .5, .99, .9999} {
		want := time.Duration(part*100_000+1) * time.Microsecond
		if got := l.quantile(part); got < want || got > want+want/16+1 {
			t.Errorf("quantile %v is %v, want %v", part, got, want)
		}
	}
	for _, d := range []time.Duration{0, 1, 15, 16, 17, 1 << 40, 1<<62 + 1} {
		var l latencies
		l.add(d)
		if got := l.quantile(.5); got < d || got > max(d, fine)+max(d, fine)/16+1 {
			t.Errorf("%v is told as %v", d, got)
		}
	}
}
