package mfa

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"time"
)

// The longest waits before a retry: the first, and what they double up to.
const (
	minPause = time.Millisecond
	maxPause = 8 * time.Millisecond
)

// pause waits for a random while before a retry, so that callers who conflict
// again and again do not all retry at once. It does not wait after a single
// conflict, and ends with ctx.
func pause(ctx context.Context, conflicts int) {
	if conflicts < 2 {
		return
	}
	longest := minPause
	for n := 2; n < conflicts && longest < maxPause; n++ {
		longest *= 2
	}
	var random [8]byte
	rand.Read(random[:])
	waiting, cancel := context.WithTimeout(ctx, time.Duration(binary.BigEndian.Uint64(random[:])%uint64(longest)))
	defer cancel()
	<-waiting.Done()
}
