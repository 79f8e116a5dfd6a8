package natsstore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the server could do, on one server,
// where no fence is needed. The floor is two reads and one publish on the condition
// of the revision.
func BenchmarkLogins(b *testing.B) {
	js, _ := place(b)
	benchmarkLogins(b, js, bucket(b, js), false)
}

// BenchmarkLoginsOnThreeServers does so on a cluster, where a fence, which is a
// publish too, follows each read.
func BenchmarkLoginsOnThreeServers(b *testing.B) {
	benchmarkLogins(b, connectedToThree(b), onThree, true)
}

func benchmarkLogins(b *testing.B, js jetstream.JetStream, name string, fenced bool) {
	stream, err := js.Stream(context.Background(), "KV_"+name)
	if err != nil {
		b.Fatal(err)
	}
	once := func(ctx context.Context, user string) error {
		subject := "$KV." + name + "." + base64.RawURLEncoding.EncodeToString([]byte(user))
		var stored *jetstream.RawStreamMsg
		var err error
		for range 2 {
			if stored, err = stream.GetLastMsgForSubject(ctx, subject); err != nil {
				return err
			}
			if !fenced {
				continue
			}
			fence := nats.NewMsg("$KV." + name + ".store.fence")
			if _, err = js.PublishMsg(ctx, fence, jetstream.WithExpectLastSequenceForSubject(stored.Sequence, subject)); err != nil {
				return err
			}
		}
		message := &nats.Msg{Subject: subject, Data: stored.Data, Header: nats.Header{"Mfa-Save": stored.Header["Mfa-Save"]}}
		_, err = js.PublishMsg(ctx, message, jetstream.WithExpectLastSequencePerSubject(stored.Sequence))
		return err
	}
	store.BenchmarkLogins(b, newStore(b, js, name), func(ctx context.Context, user string) error {
		for {
			err := once(ctx, user)
			var refused *jetstream.APIError
			if !errors.As(err, &refused) || refused.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequenceConstant {
				return err
			} // else a condition was refused for another that was not carried out yet
		}
	})
}
