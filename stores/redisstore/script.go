package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// A script is a Lua script that the server runs in one step.
type script struct {
	text string
	hash string
	once bool // even if its answer is lost
}

func newScript(text string, once bool) script {
	return script{text, redis.NewScript(text).Hash(), once}
}

// A processor is a client or a pipeline of one.
type processor interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// run runs the script and returns its result.
func (s script) run(ctx context.Context, client processor, keys []string, args ...any) (*redis.Cmd, error) {
	return s.known(func(command, what string) (*redis.Cmd, error) {
		cmd := s.send(ctx, client, command, what, keys, args)
		return cmd, cmd.Err()
	})
}

// known calls send with the script's hash, and again with its text if the server
// has forgotten it.
func (s script) known(send func(command, what string) (*redis.Cmd, error)) (*redis.Cmd, error) {
	cmd, err := send("evalsha", s.hash)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd, err = send("eval", s.text)
	}
	return cmd, err
}

// A once is a command that the client does not resend when the answer is lost:
// a second Save would conflict with the first.
type once struct{ *redis.Cmd }

// NoRetry implements [redis.Cmder].
func (once) NoRetry() bool { return true }

func (s script) send(ctx context.Context, client processor, command, what string, keys []string, args []any) *redis.Cmd {
	all := append(make([]any, 0, 3+len(keys)+len(args)), command, what, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	if s.once {
		client.Process(ctx, once{cmd})
	} else {
		client.Process(ctx, cmd)
	}
	return cmd
}

// replicaTimeout is the time that a Save waits for replicas.
const replicaTimeout = time.Second

var errTooFewReplicas = errors.New("too few replicas have the change")

// runReplicated runs the script and waits until so many replicas have what it has
// changed.
func (s script) runReplicated(ctx context.Context, client redis.UniversalClient, replicas int, keys []string, args ...any) (*redis.Cmd, error) {
	if cluster, ok := client.(*redis.ClusterClient); ok { // WAIT has no key, and belongs to a connection
		primary, err := cluster.MasterForKey(ctx, keys[0])
		if err != nil {
			return nil, err
		}
		client = primary
	}
	return s.known(func(command, what string) (*redis.Cmd, error) {
		var cmd *redis.Cmd
		wait := redis.NewIntCmd(ctx, "wait", replicas, replicaTimeout.Milliseconds())
		client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			cmd = s.send(ctx, pipe, command, what, keys, args)
			return pipe.Process(ctx, wait)
		})
		switch {
		case cmd.Err() != nil:
			return cmd, cmd.Err()
		case wait.Err() != nil:
			return cmd, wait.Err()
		case wait.Val() < int64(replicas):
			return cmd, errTooFewReplicas
		}
		return cmd, nil
	})
}
