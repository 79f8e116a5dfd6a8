package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/protekt/mfa"
)

// A story is one run of this program.
type story struct {
	ctx      context.Context
	in       *bufio.Reader
	out      io.Writer
	attended bool          // whether a person answers, with a real app
	ahead    time.Duration // how far the clock is ahead of real time
	engine   *mfa.Engine
	required bool              // the project's policy, which changes during the story
	received map[string]string // the latest code on each phone
	chapters int
}

// tell runs a story to its end, or until a step does not behave as it should.
func tell(ctx context.Context, in io.Reader, out io.Writer, attended bool) error {
	s := &story{ctx: ctx, in: bufio.NewReader(in), out: out, attended: attended, received: make(map[string]string)}
	key := make([]byte, 32) // a real host keeps its key with its other secrets
	rand.Read(key)
	store := mfa.NewMemoryStore()
	var err error
	s.engine, err = mfa.New(mfa.Config{
		Issuer:   "ACME",
		Store:    store,
		Keys:     [][]byte{key},
		SMS:      s,
		Required: func(context.Context, string) (bool, error) { return s.required, nil },
		Now:      s.now,
		SMSCodes: mfa.SMSConfig{
			Numbers:  store,       // Config.Store itself, since it takes any key
			Cooldown: time.Second, // short, so that nobody has to wait
		},
	})
	if err != nil {
		return err
	}
	ada := &user{story: s, id: "ada", phone: "+2348012345678"}
	bob := &user{story: s, id: "bob"}
	for _, chapter := range []func() error{
		ada.logsInWithoutMFA,
		ada.enrolls,
		ada.savesBackupCodes,
		ada.logsInByApp,
		ada.addsAPhone,
		ada.logsInBySMS,
		ada.logsInByBackupCode,
		ada.repeatsACode,
		ada.guesses,
		bob.mustEnroll,
		ada.cannotTurnItOff,
	} {
		if err := chapter(); err != nil {
			return fmt.Errorf("chapter %d: %w", s.chapters, err)
		}
	}
	s.say("\nThat is all: every step behaved.")
	return nil
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *story) chapter(title string) {
	s.chapters++
	s.say("\n%d. %s", s.chapters, title)
}

// showJSON prints v as a client would receive it.
func (s *story) showJSON(v any) error {
	data, err := json.Marshal(v)
	s.say("   %s", data)
	return err
}

// ask returns the answer to a question, or "" at the end of the input.
func (s *story) ask(question string) string {
	fmt.Fprintf(s.out, "   %s: ", question)
	answer, err := s.in.ReadString('\n')
	if err != nil && answer == "" {
		s.say("")
	}
	return strings.TrimSpace(answer)
}

// now returns the time. It is the real time as long as a real app must agree with it.
func (s *story) now() time.Time { return time.Now().Add(s.ahead) }

// pass sleeps if a person takes part, and otherwise advances the clock.
func (s *story) pass(d time.Duration) {
	if s.attended {
		time.Sleep(d)
	} else {
		s.ahead += d
	}
}

// SendSMS implements mfa.SMSSender by printing messages.
func (s *story) SendSMS(_ context.Context, message mfa.SMS) error {
	s.say("   [SMS to %s] %s", message.To, message.Body)
	s.received[message.To] = message.Code
	return nil
}
