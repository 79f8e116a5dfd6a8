package natsstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/natsstore"
)

// An oldLeader answers what is published before the new leader does: that another
// revision is stored.
type oldLeader struct {
	jetstream.JetStream
	answers int         // how often it is first
	carries bool        // whether the new leader receives what it has answered
	asked   func(n int) // called with the number of each answer
}

func (l *oldLeader) PublishMsg(ctx context.Context, message *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if l.answers == 0 {
		return l.JetStream.PublishMsg(ctx, message, options...)
	}
	l.answers--
	if l.carries {
		if _, err := l.JetStream.PublishMsg(ctx, message, options...); err != nil {
			return nil, err
		}
	}
	if l.asked != nil {
		l.asked(l.answers)
	}
	return nil, &jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence}
}

// TestConflictIsNotBelievedUnseen: while the leader changes, the old one may
// answer that another revision is stored, whatever the new one does.
func TestConflictIsNotBelievedUnseen(t *testing.T) {
	js, _ := place(t)
	stored := mfa.Record{UserID: "ada", Methods: []mfa.Method{mfa.MethodTOTP}, Data: []byte("first")}
	next := mfa.Record{UserID: "ada", Version: 1, Methods: stored.Methods, Data: []byte("second")}
	begin := func(t *testing.T) (*oldLeader, *natsstore.Store) {
		leader := &oldLeader{JetStream: js}
		store := newStore(t, leader, bucket(t, js))
		if err := store.Save(t.Context(), stored); err != nil {
			t.Fatal(err)
		}
		return leader, store
	}
	for name, carries := range map[string]bool{"the new leader saves": true, "the new leader never sees it": false} {
		t.Run(name, func(t *testing.T) {
			leader, store := begin(t)
			leader.answers, leader.carries = 1, carries
			if err := store.Save(t.Context(), next); err != nil {
				t.Error(err)
			}
			if record, err := store.Load(t.Context(), "ada"); err != nil || record.Version != 2 || string(record.Data) != "second" {
				t.Errorf("stored is %+v, %v", record, err)
			}
			if err := store.Save(t.Context(), next); !errors.Is(err, mfa.ErrConflict) {
				t.Errorf("saved again: %v, want ErrConflict", err)
			}
		})
	}
	t.Run("nothing but old answers", func(t *testing.T) {
		leader, store := begin(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		leader.answers = 100
		leader.asked = func(n int) {
			if n == 90 {
				cancel()
			}
		}
		if err := store.Save(ctx, next); !errors.Is(err, context.Canceled) || errors.Is(err, mfa.ErrConflict) {
			t.Errorf("%v, want an error that is no conflict", err)
		}
	})
}
