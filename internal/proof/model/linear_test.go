package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// A desk is the part of one user's state that codes can change while the clock
// stands still. It is small compared to a [User], so that many orders of the same
// calls can be tried.
type desk struct {
	failures [desks]int // of the challenges
	used     [desks]bool
	spent    int64 // the last accepted step
	totp     int   // wrong codes in a row
	sms      int
	backup   int
	counter  int // of the passkey, minus its value at enrollment
	redeemed [2]bool
	paid     [maxCalls]payment // of the backup codes
}

const (
	desks     = 5  // challenges; a code was sent for the first
	maxCalls  = 64 // of a history
	firstWait = "too_many_attempts for 1s"
)

// A payment is the progress of a backup code: it is paid for before its hash is
// computed and judged afterwards, and other calls may come in between.
type payment int

const (
	nothing payment = iota
	charged
	dead
)

// An ask is one call of the engine.
type ask struct {
	id        int
	kind      askKind
	challenge int
	step      int64 // of the app, for its codes
	code      int   // of the backup codes, or the passkey's counter
}

type askKind int

const (
	unlock askKind = iota
	wrong
	app
	message
	signed
	pay
	redeem
)

func (a ask) String() string {
	return fmt.Sprintf("%s for challenge %d (step %+d, code %d)",
		[]string{"Unlock", "wrong digits", "a code of the app", "the code sent", "a passkey", "a backup code, charged", "a backup code, judged"}[a.kind], a.challenge, a.step, a.code)
}

// answer returns what the engine must answer, and the state after it.
func (d desk) answer(a ask) (string, desk) {
	c := a.challenge
	over := d.used[c] || d.failures[c] >= maxTries
	switch a.kind {
	case unlock:
		d.totp, d.sms, d.backup = 0, 0, 0
		return "ok", d
	case pay:
		if over {
			d.paid[a.id] = dead
			return "", d
		}
		d.paid[a.id] = charged
		d.failures[c]++
		d.backup++
		return "", d
	case redeem:
		return d.redeem(a)
	}
	if over {
		return "invalid_token", d
	}
	if a.kind == signed {
		if a.code <= d.counter {
			return wrongText(maxTries-d.failures[c], cloned), d
		}
		d.used[c], d.counter = true, a.code
		return "ok", d
	}
	smsOpen, totpOpen := c == 0 && d.sms < 5, d.totp < 5
	switch {
	case !smsOpen && !totpOpen:
		return firstWait, d
	case a.kind == message && smsOpen:
		d.used[c], d.sms = true, 0
		return "ok", d
	case a.kind == app && totpOpen && a.step <= d.spent:
		return wrongText(maxTries-d.failures[c], spent), d
	case a.kind == app && totpOpen:
		d.used[c], d.totp, d.spent = true, 0, a.step
		return "ok", d
	}
	if smsOpen {
		d.sms++
	}
	if totpOpen {
		d.totp++
	}
	d.failures[c]++
	return wrongText(maxTries-d.failures[c], ""), d
}

// redeem judges a backup code that was paid for. It does not matter whether its
// challenge has no tries left by now: the payment itself may have been the last.
func (d desk) redeem(a ask) (string, desk) {
	c := a.challenge
	paid := d.paid[a.id]
	d.paid[a.id] = nothing
	switch {
	case paid == dead, d.used[c]:
		return "invalid_token", d
	case d.redeemed[a.code-1]:
		return wrongText(maxTries-d.failures[c], ""), d
	}
	d.redeemed[a.code-1], d.used[c], d.backup = true, true, 0
	d.failures[c]--
	return "ok", d
}

// sequential is the model of the calls one after the other. Concurrent calls must
// look like some order of these.
var sequential = porcupine.Model{
	Init: func() any { return desk{} },
	Step: func(state, input, output any) (bool, any) {
		d, a := state.(desk), input.(ask)
		if a.kind == redeem && d.paid[a.id] == nothing {
			return false, d
		}
		want, next := d.answer(a)
		if a.kind == pay { // either the challenge has ended, or the answer is still open
			return next.paid[a.id] == charged || output == "invalid_token", next
		}
		return want == output, next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, ": ", output) },
}

// A restlessStore lets others run at random between the steps of a change.
type restlessStore struct {
	mfa.Store
	conflicts *atomic.Int64
}

func (s restlessStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	yield()
	defer yield()
	return s.Store.Load(ctx, userID)
}

func (s restlessStore) Save(ctx context.Context, record mfa.Record) error {
	yield()
	defer yield()
	err := s.Store.Save(ctx, record)
	if errors.Is(err, mfa.ErrConflict) {
		s.conflicts.Add(1)
	}
	return err
}

func yield() {
	for range rand.IntN(4) {
		runtime.Gosched()
	}
}

// contend has many goroutines answer the challenges of one user at once, and
// returns their calls and the results.
func contend(t *testing.T, store mfa.Store, withBackupCodes bool) []porcupine.Operation {
	t.Helper()
	w := world.New(t, world.BackupCodes(2), world.WithPasskeys, func(c *mfa.Config) { c.Store = store })
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	key, _ := w.GivePasskey("ada", "key", mfa.WithProof(login.Proof))
	var codes []string
	if withBackupCodes {
		codes = w.GiveBackupCodes("ada", login.Proof)
	}
	now := w.Clock.Now()
	var tokens [desks]string
	var answers [desks][2]string // of the passkey
	for i := range tokens {
		tokens[i] = w.Begin("ada").Token
		for k := range answers[i] {
			copied := world.SecurityKey{ID: key.ID, Counter: key.Counter + uint64(k)}
			answers[i][k] = w.Asked(&copied, tokens[i])
		}
	}
	sent := w.SentCode(tokens[0])
	steps := map[int64]string{}
	for _, step := range []int64{1, 2, 3} { // the second is now
		steps[step] = a.Code(now.Add(time.Duration(step-2) * 30 * time.Second))
	}
	engines := [3]*mfa.Engine{w.Engine, w.Another(), w.Another()}

	workers := 8 + rand.IntN(9)
	kinds := []askKind{wrong, wrong, wrong, wrong, app, app, app, message, signed}
	backups := 0
	if withBackupCodes {
		workers, backups = 6, 4 // each fits into many orders, all of which may have to be tried
	}
	shared := rand.IntN(3) == 0 // one challenge for all
	var clock atomic.Int64
	var mu sync.Mutex
	var history []porcupine.Operation
	var done sync.WaitGroup
	start := make(chan struct{})
	for worker := range workers {
		var asks []ask
		for i := range 3 {
			q := ask{id: worker*3 + i, kind: kinds[rand.IntN(len(kinds))], challenge: rand.IntN(desks), step: 1 + rand.Int64N(3), code: 1 + rand.IntN(2)}
			if shared {
				q.challenge = 0
			}
			if rand.IntN(24) == 0 {
				q.kind = unlock
			}
			if i == 0 && worker < backups {
				q.kind, q.challenge = pay, worker%desks // otherwise most would come too late
			}
			asks = append(asks, q)
		}
		done.Go(func() {
			<-start
			engine := engines[worker%3]
			for _, q := range asks {
				code := a.Wrong()
				switch q.kind {
				case app:
					code = steps[q.step]
				case message:
					code = sent
				case signed:
					code = answers[q.challenge][q.code-1]
				case pay:
					code = codes[q.code-1]
				}
				call := clock.Add(1)
				var err error
				if q.kind == unlock {
					err = engine.Unlock(w.Ctx, "ada")
				} else {
					_, err = engine.VerifyLogin(w.Ctx, tokens[q.challenge], code)
				}
				operation := porcupine.Operation{ClientId: worker, Input: q, Call: call, Output: inWords(err), Return: clock.Add(1)}
				mu.Lock()
				history = append(history, operation)
				if q.kind == pay {
					q.kind = redeem
					operation.Input = q
					history = append(history, operation)
				}
				mu.Unlock()
			}
		})
	}
	close(start)
	done.Wait()
	return history
}

// patience bounds the check of one history, which takes milliseconds.
const patience = 30 * time.Second

// TestLinearizability: concurrent answers to one user's challenges get results
// that they could have got one after the other. Each step, code and challenge is
// accepted once, and no more codes are judged than tries and delays allow.
func TestLinearizability(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: concurrent histories")
	}
	histories, withBackupCodes := 30, 4 // each of the latter computes some hashes
	if os.Getenv("MFA_TEST_LONG") != "" {
		histories, withBackupCodes = 2000, 150
	}
	var conflicts atomic.Int64
	answers := make(map[string]int)
	for i := range histories {
		history := contend(t, restlessStore{mfa.NewMemoryStore(), &conflicts}, i < withBackupCodes)
		for _, operation := range history {
			answers[fmt.Sprintf("%d %s", operation.Input.(ask).kind, strings.Split(operation.Output.(string), ",")[0])]++
		}
		if result := porcupine.CheckOperationsTimeout(sequential, history, patience); result != porcupine.Ok {
			for _, operation := range history {
				t.Logf("%3d-%3d %s", operation.Call, operation.Return, sequential.DescribeOperation(operation.Input, operation.Output))
			}
			t.Fatalf("history %d: %v", i, result)
		}
	}
	t.Logf("%d histories, %d conflicts, answers %v", histories, conflicts.Load(), answers)
	for _, want := range []string{"1 invalid_code", "1 " + firstWait, "2 ok", "2 invalid_code", "2 invalid_token", "3 ok", "4 ok", "4 invalid_code", "5 ok", "5 invalid_token", "0 ok"} {
		if answers[want] < 1 {
			t.Errorf("%q was never answered", want)
		}
	}
	if conflicts.Load() < int64(histories) {
		t.Errorf("%d conflicts in %d histories", conflicts.Load(), histories)
	}
}

// TestLinearizabilityFindsLostUpdates: with a store that does not compare versions
// the other test fails, and soon.
func TestLinearizabilityFindsLostUpdates(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: concurrent histories on a store that loses updates")
	}
	found := 0
	for range 15 {
		store := world.NewFaultStore()
		store.Blind = true
		history := contend(t, restlessStore{store, new(atomic.Int64)}, false)
		if porcupine.CheckOperationsTimeout(sequential, history, patience) == porcupine.Illegal {
			found++
		}
	}
	t.Logf("found in %d of 15 histories", found)
	if found < 5 {
		t.Errorf("found in only %d histories", found)
	}
}
