package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

const jobVariable = "MFA_TEST_STORE_JOB"

// A job is the work of a process that a test starts.
type job struct {
	Address string
	Part    part
	Users   []worker // for partWork

	Tokens []string // for partAnswer: one for each goroutine
	Code   string

	Guesses int // for partGuess
	User    string
	Wrong   string
}

type part string

const (
	partAnswer part = "answer" // one code, from many goroutines at once
	partGuess  part = "guess"  // wrong codes, each for a challenge of its own
	partWork   part = "work"   // logins and enrollments, until it is killed
)

// verdicts counts answers by their results.
type verdicts struct{ Logins, Wrong, Refused int }

// goroutines is the number of goroutines that answer at once in one process.
const goroutines = 16

// run does the job on the store that open opens.
func (j job) run(open Opener) error {
	store, closeStore, err := open(j.Address)
	if err != nil {
		return err
	}
	defer closeStore()
	if j.Part == partWork {
		return work(store, j.Users, os.Stdout)
	}
	engine, err := newEngine(store, func() time.Time { return start })
	if err != nil {
		return err
	}
	// All processes are ready before the first one begins.
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	ctx := context.Background()
	var errs []error
	switch j.Part {
	case partAnswer:
		errs = together(len(j.Tokens), func(i int) error {
			_, err := engine.VerifyLogin(ctx, j.Tokens[i], j.Code)
			return err
		})
	case partGuess:
		for _, some := range together(goroutines, func(i int) (errs []error) {
			for n := i; n < j.Guesses; n += goroutines {
				_, err := logIn(ctx, engine, j.User, j.Wrong)
				errs = append(errs, err)
			}
			return errs
		}) {
			errs = append(errs, some...)
		}
	default:
		return fmt.Errorf("unknown part %q", j.Part)
	}
	v, err := count(errs)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(v)
}

// count counts the results of answers. It returns the first error that is a fault
// of the store.
func count(errs []error) (v verdicts, err error) {
	for _, err := range errs {
		switch mfa.ErrorCode(err) {
		case "":
			v.Logins++
		case "invalid_code":
			v.Wrong++
		case "invalid_token", "too_many_attempts":
			v.Refused++
		default:
			return v, err
		}
	}
	return v, nil
}

// A process is a process that a test has started.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// launch starts this test binary again to do a job.
func launch(t *testing.T, j job) *process {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(os.Environ(), jobVariable+"="+string(text))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{command, in, bufio.NewReader(out)}
}

// atOnce runs each job in a process of its own, all at the same time, and returns
// the sum of their results.
func atOnce(t *testing.T, jobs []job) (sum verdicts) {
	t.Helper()
	var processes []*process
	for _, j := range jobs {
		processes = append(processes, launch(t, j))
	}
	for _, p := range processes {
		if line, err := p.out.ReadString('\n'); line != "ready\n" {
			t.Fatalf("a process wrote %q, %v", line, err)
		}
	}
	for _, p := range processes {
		fmt.Fprintln(p.in, "go")
	}
	for _, p := range processes {
		var v verdicts
		if err := json.NewDecoder(p.out).Decode(&v); err != nil {
			t.Fatal(err)
		}
		if err := p.command.Wait(); err != nil {
			t.Fatal(err)
		}
		sum.Logins += v.Logins
		sum.Wrong += v.Wrong
		sum.Refused += v.Refused
	}
	return sum
}

// processes is the number of processes that work on a store at once.
const processes = 4

// TestProcesses starts several processes on the store at address, which answer
// with the same code and guess wrong ones, all at once. The store must be empty.
func TestProcesses(t *testing.T, open Opener, address string) {
	store, closeStore, err := open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore()
	clock := mfatest.NewClock(start.Add(-time.Minute)) // while enrolling
	engine, err := newEngine(store, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	user := func(t *testing.T, id string) (app *mfatest.Authenticator, backupCode string) {
		t.Helper()
		clock.Set(start.Add(-time.Minute))
		app, proof, err := enroll(ctx, engine, id, clock.Now(), "")
		if err != nil {
			t.Fatal(err)
		}
		codes, err := engine.GenerateBackupCodes(ctx, id, mfa.WithProof(proof))
		if err != nil {
			t.Fatal(err)
		}
		clock.Set(start)
		return app, codes[0]
	}
	begin := func(t *testing.T, id string, n int) (tokens []string) {
		t.Helper()
		for range n {
			var challenge *mfa.ChallengeError
			if err := engine.BeginLogin(ctx, id); !errors.As(err, &challenge) {
				t.Fatalf("BeginLogin: %v", err)
			}
			tokens = append(tokens, challenge.Token)
		}
		return tokens
	}
	answer := func(t *testing.T, tokens []string, code string) {
		t.Helper()
		var jobs []job
		for i := range processes {
			jobs = append(jobs, job{Address: address, Part: partAnswer, Tokens: tokens[i*goroutines : (i+1)*goroutines], Code: code})
		}
		if v := atOnce(t, jobs); v.Logins != 1 {
			t.Errorf("%d logins, want one (%+v)", v.Logins, v)
		}
	}

	t.Run("one TOTP code", func(t *testing.T) {
		app, _ := user(t, "totp")
		answer(t, begin(t, "totp", processes*goroutines), app.Code(start))
	})
	t.Run("one backup code", func(t *testing.T) {
		_, code := user(t, "backup")
		answer(t, begin(t, "backup", processes*goroutines), code)
		status, err := engine.Status(ctx, "backup")
		if err != nil || status.BackupCodesLeft != 0 {
			t.Errorf("codes left: %+v, %v", status, err)
		}
	})
	t.Run("one challenge", func(t *testing.T) {
		app, _ := user(t, "challenge")
		tokens := begin(t, "challenge", 1)
		for len(tokens) < processes*goroutines {
			tokens = append(tokens, tokens[0])
		}
		answer(t, tokens, app.Code(start))
	})
	t.Run("guesses", func(t *testing.T) {
		app, _ := user(t, "guess")
		var jobs []job
		for range processes {
			jobs = append(jobs, job{Address: address, Part: partGuess, Guesses: 200, User: "guess", Wrong: app.WrongCode(start)})
		}
		// Five guesses are checked before the first delay, which does not end since
		// the clock stands still.
		if v := atOnce(t, jobs); v.Wrong != 5 || v.Logins != 0 || v.Refused != processes*200-5 {
			t.Errorf("%+v, want 5 wrong, no login, all others refused", v)
		}
	})
}

// enroll enrolls an app for a user and returns it with the user's new proof. If
// the user has an app, proof lets the new one replace it.
func enroll(ctx context.Context, engine *mfa.Engine, user string, now time.Time, proof string) (*mfatest.Authenticator, string, error) {
	enrollment, err := engine.EnrollTOTP(ctx, user, user, mfa.WithProof(proof))
	if err != nil {
		return nil, "", err
	}
	app, err := mfatest.NewAuthenticator(enrollment.URI)
	if err != nil {
		return nil, "", err
	}
	login, err := engine.VerifyEnrollment(ctx, user, mfa.MethodTOTP, app.Code(now))
	if err != nil {
		return nil, "", err
	}
	return app, login.Proof, nil
}
