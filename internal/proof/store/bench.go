package store

import (
	"context"
	"crypto/rand"
	"fmt"
	insecure "math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// A Floor sends to the database what the store sends for one login, without an
// engine or a store: it reads a user's record twice, and replaces it once, with the
// same data, on the condition that it is still the one that was read. The user has
// a record.
type Floor func(ctx context.Context, user string) error

// BenchmarkLogins measures logins (BeginLogin and VerifyLogin) by 1 and by 16
// goroutines, each for a user of its own, and what the store alone does for a login:
// two Loads and one Save. It measures the floor alternately with them, in batches of
// which it reports the medians, since the speed of a machine changes over time.
func BenchmarkLogins(b *testing.B, store mfa.Store, floor Floor) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) { benchmarkLogins(b, store, floor, n) })
	}
}

// batch is the number of logins of each goroutine in one measurement.
const batch = 10

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
		for range 5 * batch { // until the record has its final length
			if err := v.visit(ctx); err != nil {
				b.Fatal(err)
			}
		}
		visitors[i] = v
	}
	for _, v := range visitors { // the store and the floor have records as long as the engine's
		record, err := store.Load(ctx, v.id)
		if err != nil {
			b.Fatal(err)
		}
		for _, id := range []string{v.id + " store", v.id + " floor"} {
			if err := store.Save(ctx, mfa.Record{UserID: id, Methods: record.Methods, Data: record.Data}); err != nil {
				b.Fatal(err)
			}
		}
	}
	// Every other step is skipped: two adjacent steps may have the same code, which
	// is then spent for both.
	const pace = 2 * step
	shown := make([][batch]string, n)
	measurements := []func(i, k int) error{
		func(i, k int) error {
			v := visitors[i]
			v.clock.Advance(pace)
			_, err := logIn(ctx, v.engine, v.id, shown[i][k])
			return err
		},
		func(i, _ int) error {
			var record mfa.Record
			var err error
			for range 2 {
				if record, err = store.Load(ctx, visitors[i].id+" store"); err != nil {
					return err
				}
			}
			return store.Save(ctx, record)
		},
		func(i, _ int) error { return floor(ctx, visitors[i].id+" floor") },
	}
	durations := make([][]time.Duration, len(measurements)) // of batches
	measure := func(which int) {
		begin := time.Now()
		for _, err := range together(n, func(i int) error {
			for k := range batch {
				if err := measurements[which](i, k); err != nil {
					return err
				}
			}
			return nil
		}) {
			if err != nil {
				b.Fatal(err)
			}
		}
		durations[which] = append(durations[which], time.Since(begin))
	}
	for done := 0; done < b.N; done += n * batch {
		for i, v := range visitors { // outside of the measurement: phones compute the codes, not the server
			for k := range batch {
				shown[i][k] = v.app.Code(v.clock.Now().Add(time.Duration(k+1) * pace))
			}
		}
		for _, i := range insecure.Perm(len(measurements)) { // none always has the caches and the garbage that another leaves behind
			measure(i)
		}
	}
	login, calls, least := median(durations[0]), median(durations[1]), median(durations[2])
	b.ReportMetric(float64(n*batch)/login.Seconds(), "logins/s")
	b.ReportMetric(float64(n*batch)/least.Seconds(), "floors/s")
	b.ReportMetric(float64(least)/float64(login), "of-floor")
	b.ReportMetric(float64(least)/float64(calls), "store-of-floor")
	b.ReportMetric(0, "ns/op") // it would be that of whole batches
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}
