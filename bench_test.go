package mfa_test

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"math/rand"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// The figures of docs/performance.md are ratios against this, measured in the
// same run: one bare check of a wrong code over three time steps.
func BenchmarkReference(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		validate()
	}
}

func validate() bool {
	valid, _ := totp.ValidateCustom("000000", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", time.Unix(1111111111, 0),
		totp.ValidateOpts{Period: 30, Skew: 1, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	return valid
}

// A yardstick times the reference, repeatedly between the measurements, since no
// machine is equally fast all the time.
type yardstick struct {
	n     int
	total time.Duration
}

func (y *yardstick) take() {
	const n = 500
	start := time.Now()
	for range n {
		validate()
	}
	y.n, y.total = y.n+n, y.total+time.Since(start)
}

// against reports the time per operation of b as a multiple of the reference's.
func against(b *testing.B, run func(b *testing.B, y *yardstick)) {
	b.Helper()
	var y yardstick
	y.take()
	b.ReportAllocs()
	b.ResetTimer()
	run(b, &y)
	b.StopTimer()
	y.take()
	perOp := float64(b.Elapsed()) / float64(b.N)
	b.ReportMetric(perOp/(float64(y.total)/float64(y.n)), "x-reference")
}

// A crowd is an engine with many users, each of whom has an app.
type crowd struct {
	*mfa.Engine
	now     time.Time // advances only between measurements, so that it needs no lock, which would be measured too
	secrets []string
}

func (c *crowd) user(i int) string { return fmt.Sprintf("user-%07d", i) }

func (c *crowd) code(i int) string {
	code, _ := totp.GenerateCode(c.secrets[i], c.now)
	return code
}

// crowds keeps each crowd for reuse: enrolling a million users takes a while.
var crowds = make(map[int]*crowd)

func newCrowd(b *testing.B, users int) *crowd {
	b.Helper()
	if c := crowds[users]; c != nil {
		return c
	}
	c := &crowd{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	c.Engine, err = mfa.New(mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{world.Key(1)}, Now: func() time.Time { return c.now }})
	if err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewSource(1))
	secret := make([]byte, 20)
	for i := range users {
		random.Read(secret)
		c.secrets = append(c.secrets, base32.StdEncoding.EncodeToString(secret))
		if err := c.ImportTOTP(context.Background(), c.user(i), "otpauth://totp/x?secret="+c.secrets[i]); err != nil {
			b.Fatal(err)
		}
	}
	crowds[users] = c
	return c
}

// An attempt is a login that has begun.
type attempt struct {
	token, right, wrong string
}

// attempts begins n logins of distinct users, chosen at random, at a time when none
// of them is throttled.
func (c *crowd) attempts(b *testing.B, n int) []attempt {
	b.Helper()
	c.now = c.now.Add(15 * time.Minute)
	batch := make([]attempt, n)
	for k, i := range rand.Perm(len(c.secrets))[:n] {
		if err := c.Unlock(context.Background(), c.user(i)); err != nil { // forgets earlier wrong codes
			b.Fatal(err)
		}
		var challenge *mfa.ChallengeError
		if !errors.As(c.BeginLogin(context.Background(), c.user(i)), &challenge) {
			b.Fatal("not challenged")
		}
		batch[k] = attempt{challenge.Token, c.code(i), "12345"}
	}
	return batch
}

const batchSize = 1000

// answer times one answer to each of b.N attempts.
func (c *crowd) answer(b *testing.B, y *yardstick, answer func(a attempt)) {
	b.StopTimer()
	for done := 0; done < b.N; {
		batch := c.attempts(b, min(batchSize, len(c.secrets)))
		batch = batch[:min(len(batch), b.N-done)]
		runtime.GC()
		b.StartTimer()
		for _, a := range batch {
			answer(a)
		}
		b.StopTimer()
		y.take()
		done += len(batch)
	}
	b.StartTimer()
}

// answerParallel does what answer does in as many goroutines as there are
// processors.
func (c *crowd) answerParallel(b *testing.B, y *yardstick, answer func(a attempt)) {
	b.StopTimer()
	workers := runtime.GOMAXPROCS(0)
	for done := 0; done < b.N; {
		batch := c.attempts(b, min(batchSize, len(c.secrets)))
		batch = batch[:min(len(batch), b.N-done)]
		runtime.GC()
		var next atomic.Int64
		var all sync.WaitGroup
		b.StartTimer()
		for range workers {
			all.Go(func() {
				for {
					from := int(next.Add(10)) - 10
					if from >= len(batch) {
						return
					}
					for _, a := range batch[from:min(from+10, len(batch))] {
						answer(a)
					}
				}
			})
		}
		all.Wait()
		b.StopTimer()
		y.take()
		done += len(batch)
	}
	b.StartTimer()
}

var crowdSizes = []struct {
	name  string
	users int
}{{"1k", 1000}, {"1M", 1_000_000}}

func BenchmarkVerifyLogin(b *testing.B) {
	ctx := context.Background()
	for _, size := range crowdSizes {
		for _, test := range []struct {
			name   string
			answer func(b *testing.B, c *crowd) func(a attempt)
		}{
			{"right", func(b *testing.B, c *crowd) func(attempt) {
				return func(a attempt) {
					if _, err := c.VerifyLogin(ctx, a.token, a.right); err != nil {
						b.Error(err)
					}
				}
			}},
			{"wrong", func(b *testing.B, c *crowd) func(attempt) {
				return func(a attempt) {
					if _, err := c.VerifyLogin(ctx, a.token, a.wrong); !errors.Is(err, mfa.ErrInvalidCode) {
						b.Error(err)
					}
				}
			}},
		} {
			b.Run(test.name+"/"+size.name, func(b *testing.B) {
				c := newCrowd(b, size.users)
				against(b, func(b *testing.B, y *yardstick) { c.answer(b, y, test.answer(b, c)) })
			})
			b.Run(test.name+"/parallel/"+size.name, func(b *testing.B) {
				c := newCrowd(b, size.users)
				against(b, func(b *testing.B, y *yardstick) { c.answerParallel(b, y, test.answer(b, c)) })
			})
		}
	}
	b.Run("throttled", func(b *testing.B) {
		w := world.New(b, func(c *mfa.Config) { c.OnEvent = nil })
		a, _ := w.GiveTOTP("ada")
		challenge := w.Begin("ada")
		for range 5 {
			w.VerifyLogin(ctx, w.Begin("ada").Token, a.Wrong())
		}
		code := a.Shows()
		against(b, func(b *testing.B, _ *yardstick) {
			for b.Loop() {
				w.VerifyLogin(ctx, challenge.Token, code)
			}
		})
	})
}

func BenchmarkBeginLogin(b *testing.B) {
	ctx := context.Background()
	for _, size := range crowdSizes {
		b.Run(size.name, func(b *testing.B) {
			c := newCrowd(b, size.users)
			users := make([]string, batchSize)
			for k := range users {
				users[k] = c.user(rand.Intn(size.users))
			}
			against(b, func(b *testing.B, _ *yardstick) {
				for i := range b.N {
					if c.BeginLogin(ctx, users[i%batchSize]) == nil {
						b.Fatal("not challenged")
					}
				}
			})
		})
	}
}

func BenchmarkVerifyEnrollment(b *testing.B) {
	w := world.New(b, func(c *mfa.Config) { c.OnEvent = nil })
	enrollment, err := w.EnrollTOTP(b.Context(), "ada", "a")
	if err != nil {
		b.Fatal(err)
	}
	code := w.Scan(enrollment.URI).Shows()
	engine := w.Another(func(c *mfa.Config) { c.Store = world.FrozenStore{Store: w.Store} })
	against(b, func(b *testing.B, _ *yardstick) {
		for b.Loop() {
			if _, err := engine.VerifyEnrollment(b.Context(), "ada", mfa.MethodTOTP, code); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkEnrollTOTP spends nearly all its time on the QR code.
func BenchmarkEnrollTOTP(b *testing.B) {
	w := world.New(b, func(c *mfa.Config) { c.OnEvent = nil })
	against(b, func(b *testing.B, _ *yardstick) {
		for b.Loop() {
			if _, err := w.EnrollTOTP(b.Context(), "ada", "ada@example.com"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBackupCode(b *testing.B) {
	w := world.New(b, func(c *mfa.Config) { c.OnEvent = nil; c.BackupCodes.Count = 15 })
	_, login := w.GiveTOTP("ada")
	ctx := context.Background()
	var codes []string
	b.Run("right", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			b.StopTimer()
			if len(codes) == 0 {
				codes = w.GiveBackupCodes("ada", login.Proof)
			}
			token, code := w.Begin("ada").Token, codes[0]
			codes = codes[1:]
			b.StartTimer()
			if _, err := w.VerifyLogin(ctx, token, code); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("wrong", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			b.StopTimer()
			if err := w.Unlock(ctx, "ada"); err != nil {
				b.Fatal(err)
			}
			token := w.Begin("ada").Token
			b.StartTimer()
			if _, err := w.VerifyLogin(ctx, token, "aaaa-aaaa"); !errors.Is(err, mfa.ErrInvalidCode) {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHeap reports the memory that a user with every kind of factor takes up
// in a MemoryStore.
func BenchmarkHeap(b *testing.B) {
	const users = 100_000
	w := world.New(b)
	_, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	w.Config.BackupCodes.Count = 10
	w.Engine = w.Another()
	codes := w.GiveBackupCodes("ada", login.Proof)
	w.Clock.Advance(time.Hour)
	w.Login("ada", codes[0])
	record, err := w.Store.Load(b.Context(), "ada")
	if err != nil {
		b.Fatal(err)
	}
	var store *mfa.MemoryStore
	for range b.N {
		var before, after runtime.MemStats
		store = mfa.NewMemoryStore()
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range users {
			if err := store.Save(b.Context(), mfa.Record{UserID: fmt.Sprintf("user-%07d", i), Methods: record.Methods, Data: record.Data}); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/users, "B/user")
		b.ReportMetric(float64(len(record.Data)), "B/record")
	}
	runtime.KeepAlive(store)
}
