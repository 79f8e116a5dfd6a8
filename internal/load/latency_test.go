package load

import (
	"math/bits"
	"time"
)

// Latencies are counted in buckets that are at most a sixteenth of their value
// wide, so that a long run takes no more memory than a short one.
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

// ceiling is the least duration beyond a bucket.
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

// quantile is what so large a part of the latencies stay below.
func (l *latencies) quantile(part float64) time.Duration {
	rank := int64(part * float64(l.count))
	for i, n := range l.buckets {
		if rank -= n; rank < 0 {
			return ceiling(i)
		}
	}
	return 0
}
