package load

import (
	"math/bits"
	"testing"
	"time"
)

// Latencies are counted in buckets whose width is at most a sixteenth of their
// value, so that a long run takes no more memory than a short one.
type latencies struct {
	count   int64
	buckets [64 * fine]int64
}

const fine = 16 // buckets for each doubling

func (l *latencies) add(d time.Duration) {
	l.count++
	l.buckets[bucket(d)]++
}

func bucket(d time.Duration) int {
	n := uint64(max(d, fine))
	exponent := bits.Len64(n) - 1
	return exponent*fine + int(n>>(exponent-4))&(fine-1)
}

// ceiling returns the least duration above a bucket.
func ceiling(bucket int) time.Duration {
	exponent, step := bucket/fine, bucket%fine
	return time.Duration(uint64(fine+step+1) << (exponent - 4))
}

func (l *latencies) merge(other *latencies) {
	l.count += other.count
	for i, n := range other.buckets {
		l.buckets[i] += n
	}
}

// quantile returns the duration below which the given part of the latencies lie.
func (l *latencies) quantile(part float64) time.Duration {
	rank := int64(part * float64(l.count))
	for i, n := range l.buckets {
		if rank -= n; rank < 0 {
			return ceiling(i)
		}
	}
	return 0
}

// TestLatencies: a reported latency is at most a sixteenth above the true one, and
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
			t.Errorf("%v is reported as %v", d, got)
		}
	}
}
