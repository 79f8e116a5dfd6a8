package flood

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfatest"
)

// A flood is a number of wrong backup codes at once, spread over a number of
// users, in a process in which others log in all the time.
type flood struct {
	Guesses, Users, Honest int
	Idle                   time.Duration // before the flood
	Limit                  time.Duration // after the first was judged; whatever has no answer by then ends with its context
}

// An outcome is the process's report on its flood.
type outcome struct {
	Wrong, Throttled int
	Expired          int // challenges that expired before their codes' turn
	Ended            int // by their contexts
	Others           map[string]int
	Took             time.Duration

	Before, Peak uint64 // resident memory, in bytes
	Told         bool   // as reported by the system, not the runtime

	Idle, During visits
}

// Visits are the logins of honest users, timed from when they were due.
type visits struct {
	Logins   int
	Failures map[string]int
	P50, P99 time.Duration
}

// challengeTTL is the engine's default.
const challengeTTL = 5 * time.Minute

const floodVariable = "MFA_FLOOD"

// TestMain runs the tests, or the flood in a process that a test has started.
func TestMain(m *testing.M) {
	text, started := os.LookupEnv(floodVariable)
	if !started {
		os.Exit(m.Run())
	}
	var f flood
	err := json.Unmarshal([]byte(text), &f)
	if err == nil {
		err = f.run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the main function of that process.
func (f flood) run(out *os.File) error {
	ctx := context.Background()
	config := mfa.Config{Issuer: "ACME", Store: mfa.NewMemoryStore(), Keys: [][]byte{world.Key(1)}, BackupCodes: mfa.BackupCodeConfig{Count: 1}}
	engine, err := mfa.New(config)
	if err != nil {
		return err
	}
	if err := f.giveBackupCodes(ctx, config); err != nil {
		return err
	}
	crowd, err := newCrowd(ctx, engine, f.Honest)
	if err != nil {
		return err
	}
	idle, cancel := context.WithTimeout(ctx, f.Idle)
	defer cancel()
	o := outcome{Idle: crowd.visit(idle)}

	during, stop := context.WithCancel(ctx)
	var visits sync.WaitGroup
	p := beginPeak()
	visits.Go(func() { o.During = crowd.visit(during) })
	began := time.Now()
	errs := f.guess(ctx, engine)
	o.Took = time.Since(began)
	stop()
	visits.Wait()
	o.Before, o.Told = p.before, p.told
	if o.Peak, err = p.read(); err != nil {
		return err
	}
	o.count(errs)
	return json.NewEncoder(out).Encode(o)
}

func (f flood) victim(i int) string { return fmt.Sprintf("victim-%05d", i%f.Users) }

func (f flood) giveBackupCodes(ctx context.Context, config mfa.Config) error {
	config.InsecureSkipProof = true
	engine, err := mfa.New(config)
	if err != nil {
		return err
	}
	errs := make([]error, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for k := range errs {
		all.Go(func() {
			for i := k; i < f.Users && errs[k] == nil; i += len(errs) {
				if errs[k] = engine.ImportSMS(ctx, f.victim(i), world.Phone); errs[k] == nil {
					_, errs[k] = engine.GenerateBackupCodes(ctx, f.victim(i))
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// guess sends all wrong codes at once, each for a challenge of its own.
func (f flood) guess(ctx context.Context, engine *mfa.Engine) []error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var judged sync.Once
	errs := make([]error, f.Guesses)
	var ready, all sync.WaitGroup
	ready.Add(f.Guesses)
	for i := range errs {
		all.Go(func() {
			ready.Done()
			ready.Wait()
			_, errs[i] = login(ctx, engine, f.victim(i), "0000-000z")
			if errors.Is(errs[i], mfa.ErrInvalidCode) {
				judged.Do(func() { time.AfterFunc(f.Limit, cancel) })
			}
		})
	}
	all.Wait()
	return errs
}

func login(ctx context.Context, engine *mfa.Engine, user, code string) (*mfa.Login, error) {
	err := engine.BeginLogin(ctx, user)
	var challenge *mfa.ChallengeError
	if !errors.As(err, &challenge) {
		return nil, fmt.Errorf("not challenged: %w", err)
	}
	return engine.VerifyLogin(ctx, challenge.Token, code)
}

func (o *outcome) count(errs []error) {
	o.Others = make(map[string]int)
	for _, err := range errs {
		switch code := mfa.ErrorCode(err); {
		case code == "invalid_code":
			o.Wrong++
		case code == "too_many_attempts":
			o.Throttled++
		case code == "invalid_token" && o.Took > challengeTTL:
			o.Expired++
		case errors.Is(err, context.Canceled):
			o.Ended++
		default:
			o.Others[fmt.Sprint(err)]++
		}
	}
}

// A crowd of honest users log in one after the other. By the time the last one
// has, the first one's app shows another code.
type crowd struct {
	engine *mfa.Engine
	apps   []*mfatest.Authenticator
	turn   int
}

func (c *crowd) user(i int) string { return fmt.Sprintf("user-%05d", i) }

func newCrowd(ctx context.Context, engine *mfa.Engine, users int) (*crowd, error) {
	c := &crowd{engine: engine}
	for i := range users {
		uri := "otpauth://totp/x?secret=" + rand.Text()
		app, err := mfatest.NewAuthenticator(uri)
		if err != nil {
			return nil, err
		}
		if err := engine.ImportTOTP(ctx, c.user(i), uri); err != nil {
			return nil, err
		}
		c.apps = append(c.apps, app)
	}
	return c, nil
}

// pace is the time between two honest logins. In a crowd of ten thousand each user
// thus has a turn every hundred seconds.
const pace = 10 * time.Millisecond

// visit has users log in until the context ends, each when due, whether or not
// the previous ones have finished.
func (c *crowd) visit(ctx context.Context) visits {
	v := visits{Failures: make(map[string]int)}
	var took []time.Duration
	var mu sync.Mutex
	var all sync.WaitGroup
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		var due time.Time
		select {
		case due = <-ticker.C:
		case <-ctx.Done():
			all.Wait()
			v.Logins, v.P50, v.P99 = len(took), quantile(took, .5), quantile(took, .99)
			return v
		}
		user := c.user(c.turn % len(c.apps))
		app := c.apps[c.turn%len(c.apps)]
		c.turn++
		all.Go(func() {
			_, err := login(context.WithoutCancel(ctx), c.engine, user, app.Code(time.Now()))
			mu.Lock()
			defer mu.Unlock()
			if took = append(took, time.Since(due)); err != nil {
				v.Failures[fmt.Sprint(err)]++
			}
		})
	}
}

// quantile returns the duration below which the given part of the durations lie.
func quantile(took []time.Duration, part float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[int(part*float64(len(took)-1))]
}

// brief returns a duration rounded to two digits.
func brief(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 100 {
		unit *= 10
	}
	return d.Round(unit).String()
}

func mebibytes(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// limit bounds the process's memory during a flood.
const limit = 256 << 20

// TestFlood: however many wrong backup codes arrive at once, memory stays bounded
// and users with an app get in. Each wrong code costs a password hash, of which
// the engine computes few at once.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: the flood")
	}
	f := flood{Guesses: 1000, Users: 50, Honest: 10_000, Idle: 300 * time.Millisecond, Limit: time.Second}
	text := os.Getenv("MFA_TEST_FLOOD")
	if text != "" {
		var err error
		if f.Guesses, err = strconv.Atoi(text); err != nil || f.Guesses < 10 {
			t.Fatalf("MFA_TEST_FLOOD is %q, want a number of codes", text)
		}
		f.Users, f.Idle, f.Limit = f.Guesses/10, 10*time.Second, 30*time.Minute
	}
	o := f.start(t)
	source := "by /proc/self/status"
	if !o.Told {
		source = "by the runtime at the end, since the system does not report the peak"
	}
	t.Logf(`%d wrong backup codes at once over %d users, GOMAXPROCS %d, for %v: %d judged wrong, %d throttled, %d after their challenge had expired, %d ended by their context

| | before | during |
| --- | --- | --- |
| resident memory, at most | %.0f MiB | %.0f MiB |
| honest logins by app | %d | %d |
| of these, refused | %d | %d |
| p50 | %s | %s |
| p99 | %s | %s |

Memory is reported %s.`,
		f.Guesses, f.Users, runtime.GOMAXPROCS(0), o.Took.Round(time.Second), o.Wrong, o.Throttled, o.Expired, o.Ended,
		mebibytes(o.Before), mebibytes(o.Peak), o.Idle.Logins, o.During.Logins, len(o.Idle.Failures), len(o.During.Failures),
		brief(o.Idle.P50), brief(o.During.P50), brief(o.Idle.P99), brief(o.During.P99), source)

	if sum := o.Wrong + o.Throttled + o.Expired + o.Ended; sum != f.Guesses || o.Wrong == 0 {
		t.Errorf("of %d wrong codes %d were judged wrong, and others ended with %v", f.Guesses, o.Wrong, o.Others)
	}
	if text != "" && o.Ended > 0 {
		t.Errorf("%d wrong codes had no turn", o.Ended)
	}
	for when, v := range map[string]visits{"before": o.Idle, "during": o.During} {
		if v.Logins == 0 || len(v.Failures) > 0 {
			t.Errorf("%s: of %d honest logins some were refused: %v", when, v.Logins, v.Failures)
		}
	}
	if raceDetector() {
		t.Log("the bound on memory is not checked: the race detector takes memory of its own")
	} else if o.Peak > limit {
		t.Errorf("%.0f MiB in memory, want at most %.0f", mebibytes(o.Peak), mebibytes(limit))
	}
}

// start runs the flood in a process of its own, so that its memory is that of the
// flood alone.
func (f flood) start(t *testing.T) (o outcome) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(os.Environ(), floodVariable+"="+string(text))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &o); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return o
}

// raceDetector reports whether this binary was built with the race detector.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	for _, setting := range info.Settings {
		if setting.Key == "-race" {
			return setting.Value == "true"
		}
	}
	return false
}
