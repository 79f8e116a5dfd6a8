package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/protekt/mfa"
)

// A phone stands for everybody's phone and mailbox, and for the providers that
// would deliver there. It serves the demonstration alone: anyone can read it.
type phone struct {
	now func() time.Time

	mu       sync.Mutex
	messages []message
}

// A message arrived by SMS or mail.
type message struct {
	To   string
	Body string
	Path string // of the link in it, if any
	Time time.Time
}

const maxMessages = 50

func newPhone(now func() time.Time) *phone { return &phone{now: now} }

// SendSMS implements mfa.SMSSender.
func (p *phone) SendSMS(_ context.Context, sms mfa.SMS) error {
	p.arrive(message{To: sms.To, Body: sms.Body})
	return nil
}

func (p *phone) mail(to, body string) { p.arrive(message{To: to, Body: body}) }

func (p *phone) mailLink(to, body, path string) { p.arrive(message{To: to, Body: body, Path: path}) }

func (p *phone) arrive(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.Time = p.now().UTC()
	if len(p.messages) == maxMessages {
		p.messages = p.messages[1:]
	}
	p.messages = append(p.messages, m)
}

// arrived returns the latest messages, newest first.
func (p *phone) arrived() []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	messages := slices.Clone(p.messages)
	slices.Reverse(messages)
	return messages
}

// phonePage shows the messages. It stands for another device, and so ignores the
// browser's session.
func (s *server) phonePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	s.render(w, r, &visit{}, "phone", http.StatusOK, nil, s.phone.arrived())
}
