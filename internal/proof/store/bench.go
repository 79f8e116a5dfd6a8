package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// A Floor does the least work that a login can cause in the database, without an
// engine or a store: it reads a user's row twice and writes it once, with data as
// long as a record's.
type Floor func(ctx context.Context, user string, data []byte) error

// BenchmarkLogins measures logins (BeginLogin and VerifyLogin) by 1 and by 16
// goroutines, each for a user of its own. It measures the floor alternately with
// the logins, since the speed of a machine changes over time.
func BenchmarkLogins(b *testing.B, store mfa.Store, floor Floor) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) { benchmarkLogins(b, store, floor, n) })
	}
}

// batch is the number of logins of each goroutine in one measurement.
const batch = 25

func benchmarkLogins(b *testing.B, store mfa.Store, floor Floor, n int) {
	ctx := b.Context()
	visitors := make([]*visitor, n)
	for i := range visitors {
		v := &visitor{id: "user-" + rand.Text(), clock: mfatest.NewClock(start)}
		var err error
		if v.engine, err = newEngine(store, v.clock.Now); err != nil {
			b.Fatal(err)
		}
		if v.app, _, err = enroll(ctx, v.engine, v.id, start, ""); err != nil {
			b.Fatal(err)
		}
		for range 2 * batch { // until the record has its final length
			if err := v.visit(ctx); err != nil {
				b.Fatal(err)
			}
		}
		visitors[i] = v
	}
	record, err := store.Load(ctx, visitors[0].id)
	if err != nil {
		b.Fatal(err)
	}
	var logins, floors time.Duration
	measure := func(total *time.Duration, one func(i, k int) error) {
		begin := time.Now()
		for _, err := range together(n, func(i int) error {
			for k := range batch {
				if err := one(i, k); err != nil {
					return err
				}
			}
			return nil
		}) {
			if err != nil {
				b.Fatal(err)
			}
		}
		*total += time.Since(begin)
	}
	// Every other step is skipped: two adjacent steps may have the same code, which
	// is then spent for both.
	const pace = 2 * step
	shown := make([][batch]string, n)
	done := 0
	for ; done < b.N; done += n * batch {
		for i, v := range visitors { // outside of the measurement: phones compute the codes, not the server
			for k := range batch {
				shown[i][k] = v.app.Code(v.clock.Now().Add(time.Duration(k+1) * pace))
			}
		}
		measure(&logins, func(i, k int) error {
			v := visitors[i]
			v.clock.Advance(pace)
			_, err := logIn(ctx, v.engine, v.id, shown[i][k])
			return err
		})
		measure(&floors, func(i, _ int) error { return floor(ctx, visitors[i].id+" floor", record.Data) })
	}
	b.ReportMetric(float64(done)/logins.Seconds(), "logins/s")
	b.ReportMetric(float64(done)/floors.Seconds(), "floors/s")
	b.ReportMetric(float64(floors)/float64(logins), "of-floor")
	b.ReportMetric(0, "ns/op") // it would be that of whole batches
}
