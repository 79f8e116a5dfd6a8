//go:build linux

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfatest"
)

// addressVariable is the environment variable that makes a process a client. It
// holds the address of the client's store.
const addressVariable = "MFA_CLUSTER_STORE"

// An address locates a client's store.
type address struct {
	Kind    string   // key in openers
	Servers []string // in the order in which to try them
}

// An opener opens a kind of store as a host would so that it survives the faults.
type opener func(ctx context.Context, servers []string) (mfa.Store, error)

// openers has an entry from each store's file.
var openers = make(map[string]opener)

func TestMain(m *testing.M) {
	text, isClient := os.LookupEnv(addressVariable)
	if !isClient {
		os.Exit(m.Run())
	}
	var a address
	err := json.Unmarshal([]byte(text), &a)
	if err == nil {
		err = serve(a, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// An operation is the kind of a request.
type operation string

const (
	opEnroll operation = "enroll" // enroll an app and confirm it
	opBegin  operation = "begin"
	opVerify operation = "verify"
	opStatus operation = "status"
)

// callTime is the timeout of a call.
const callTime = time.Second

// A request is a line sent to a client.
type request struct {
	ID          int
	Do          operation
	User        string
	At          time.Time // by the user's clock
	Token, Code string    // for opVerify
}

// An outcome is how an operation ended.
type outcome string

const (
	done       outcome = "done"       // a login, an enrollment, a status
	challenged outcome = "challenged" // BeginLogin requires a code
	letIn      outcome = "let in"     // BeginLogin returned nil
	refused    outcome = "refused"    // the engine judged: wrong, spent, expired
	failed     outcome = "failed"     // an error that is no verdict on the user
)

// An answer is a line received from a client.
type answer struct {
	ID       int
	Outcome  outcome
	Error    string
	Token    string    // for opBegin
	URI      string    // for opEnroll
	Factors  int       // for opStatus
	LastUsed time.Time // for opStatus
}

// serve answers requests, each as soon as it can, until there are no more.
func serve(a address, in io.Reader, out io.Writer) error {
	store, err := openers[a.Kind](context.Background(), a.Servers)
	if err != nil {
		return err
	}
	if _, err := newEngine(store, start); err != nil {
		return err
	}
	var mu sync.Mutex
	reply := json.NewEncoder(out)
	if err := reply.Encode(answer{}); err != nil { // reports that the client is ready
		return err
	}
	requests := json.NewDecoder(in)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		go func() {
			answer := r.perform(store)
			mu.Lock()
			defer mu.Unlock()
			reply.Encode(answer)
		}()
	}
}

func (r request) perform(store mfa.Store) answer {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	a := answer{ID: r.ID, Outcome: done}
	err := r.call(ctx, store, &a)
	var challenge *mfa.ChallengeError
	switch {
	case errors.As(err, &challenge):
		a.Outcome, a.Token = challenged, challenge.Token
	case err != nil:
		a.Outcome, a.Error = refused, err.Error()
		if code := mfa.ErrorCode(err); code == "internal" || code == "conflict" {
			a.Outcome = failed
		}
	case r.Do == opBegin:
		a.Outcome = letIn
	}
	return a
}

// newEngine returns an engine whose clock stands still.
func newEngine(store mfa.Store, now time.Time) (*mfa.Engine, error) {
	return mfa.New(mfa.Config{
		Issuer: "ACME",
		Store:  store,
		Keys:   [][]byte{world.Key(1)},
		Now:    func() time.Time { return now },
	})
}

func (r request) call(ctx context.Context, store mfa.Store, a *answer) error {
	engine, err := newEngine(store, r.At)
	if err != nil {
		return err
	}
	switch r.Do {
	case opEnroll:
		enrollment, err := engine.EnrollTOTP(ctx, r.User, r.User)
		if err != nil {
			return err
		}
		app, err := mfatest.NewAuthenticator(enrollment.URI)
		if err != nil {
			return err
		}
		a.URI = enrollment.URI
		_, err = engine.VerifyEnrollment(ctx, r.User, mfa.MethodTOTP, app.Code(r.At))
		return err
	case opBegin:
		return engine.BeginLogin(ctx, r.User)
	case opVerify:
		_, err := engine.VerifyLogin(ctx, r.Token, r.Code)
		return err
	case opStatus:
		status, err := engine.Status(ctx, r.User)
		if err != nil {
			return err
		}
		a.Factors = len(status.Factors)
		for _, f := range status.Factors {
			a.LastUsed = f.LastUsedAt
		}
		return nil
	}
	return fmt.Errorf("unknown operation %q", r.Do)
}

// A process is a client that a test has started.
type process struct {
	number int
	in     *json.Encoder
	last   atomic.Int64 // ID of the last request

	mu      sync.Mutex
	waiting map[int]chan answer
}

// launch starts a client, which is killed when the test ends.
func launch(t *testing.T, number int, a address) *process {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), addressVariable+"="+string(text))
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
	p := &process{number: number, in: json.NewEncoder(in), waiting: make(map[int]chan answer)}
	answers := json.NewDecoder(bufio.NewReader(out))
	if err := answers.Decode(&answer{}); err != nil {
		command.Process.Kill()
		command.Wait()
		t.Fatalf("client %d does not start: %v", number, err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { p.read(answers) })
	t.Cleanup(func() {
		in.Close()
		command.Process.Kill()
		reading.Wait()
		command.Wait()
	})
	return p
}

func (p *process) read(answers *json.Decoder) {
	for {
		var a answer
		if answers.Decode(&a) != nil {
			return
		}
		p.mu.Lock()
		reply := p.waiting[a.ID]
		delete(p.waiting, a.ID)
		p.mu.Unlock()
		reply <- a
	}
}

// ask sends a request and waits for the client's answer.
func (p *process) ask(r request) answer {
	r.ID = int(p.last.Add(1))
	reply := make(chan answer, 1)
	p.mu.Lock()
	p.waiting[r.ID] = reply
	err := p.in.Encode(r)
	p.mu.Unlock()
	if err != nil {
		return answer{Outcome: failed, Error: err.Error()}
	}
	select {
	case a := <-reply:
		return a
	case <-time.After(patience):
		return answer{Outcome: failed, Error: "the client hangs"}
	}
}
