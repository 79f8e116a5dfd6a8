// Package redisstore keeps MFA state in Redis, or Valkey, through go-redis. It
// is a mfa.Store: one hash per user, and each operation is one command on one
// key, so that a cluster shards it by user.
//
//	client := redis.NewClient(&redis.Options{Addr: "..."})
//	store, err := redisstore.New(client, redisstore.Options{})
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// A user whose record is lost has no MFA: who knows the password gets in, or
// enrolls a factor of their own. So Redis must keep what it has acknowledged:
// appendonly yes, with appendfsync always; with everysec, a crash loses up to a
// second of it, and codes that were spent in it can be used again. maxmemory
// must not evict keys that have no expiry: noeviction or one of volatile-*.
// Replication is asynchronous: a failover loses what the replica has not seen.
package redisstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/deadline"
	"github.com/protekt/mfa/internal/methods"
	"github.com/protekt/mfa/internal/userid"
)

// Options are what may differ from one host to the next.
type Options struct {
	// Prefix comes before the user ID in each key. "" means "mfa_users:".
	Prefix string
}

// A Store is a mfa.Store in Redis. It is safe for concurrent use.
type Store struct {
	client redis.UniversalClient
	prefix string
}

// New returns a store behind client. It does not ask the server anything. It
// refuses a client that reads what may be old (from replicas, or a cache of its
// own), or that takes another server where one is away (a Ring). It cannot see
// whether a client made by NewFailoverClient has ReplicaOnly set: leave it unset.
func New(client redis.UniversalClient, options Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("redisstore: client is nil")
	}
	switch c := client.(type) {
	case *redis.Ring:
		return nil, errors.New("redisstore: a Ring takes another server where one is away, which knows none of its users: give a Client or a ClusterClient")
	case *redis.ClusterClient:
		o := c.Options()
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return nil, errors.New("redisstore: the client reads from replicas, which lag behind: unset ReadOnly, RouteByLatency and RouteRandomly")
		}
	case *redis.Client:
		if o := c.Options(); o.ClientSideCacheConfig != nil || o.ClientSideCache != nil {
			return nil, errors.New("redisstore: the client has a cache of its own, which lags behind: unset ClientSideCache and ClientSideCacheConfig")
		}
	}
	if options.Prefix == "" {
		options.Prefix = "mfa_users:"
	}
	return &Store{client, options.Prefix}, nil
}

// The fields of a hash.
const (
	fieldVersion = "version"
	fieldMethods = "methods"
	fieldData    = "data"
)

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	if err := userid.Check(userID); err != nil {
		return mfa.Record{}, fmt.Errorf("redisstore: %w", err)
	}
	fields, err := deadline.Within(ctx, func() ([]any, error) {
		return s.client.HMGet(ctx, s.prefix+userID, fieldVersion, fieldMethods, fieldData).Result()
	})
	if err != nil {
		return mfa.Record{}, explain(ctx, "loading", err)
	}
	if fields[0] == nil && fields[1] == nil && fields[2] == nil {
		return mfa.Record{}, mfa.ErrNoRecord
	}
	var texts [3]string
	for i, field := range fields {
		text, there := field.(string)
		if !there {
			return mfa.Record{}, errors.New("redisstore: loading: a field is missing from the hash: somebody else writes under Options.Prefix")
		}
		texts[i] = text
	}
	record := mfa.Record{UserID: userID, Methods: methods.Split(texts[1]), Data: []byte(texts[2])}
	if record.Version, err = strconv.ParseInt(texts[0], 10, 64); err != nil || record.Version < 1 {
		return mfa.Record{}, errors.New("redisstore: loading: the version is no number: somebody else writes under Options.Prefix")
	}
	return record, nil
}

// save compares and swaps. Versions are compared as the texts that they are
// kept as: a number of Lua's holds 53 bits.
const save = `
local stored = redis.call('HGET', KEYS[1], 'version')
if (stored or '0') ~= ARGV[1] then
	return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'methods', ARGV[3], 'data', ARGV[4])
return 1
`

var saveHash = redis.NewScript(save).Hash()

// once is a command that the client does not send again where the answer is
// lost: a second Save would be told of a conflict with the first.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// Save implements [mfa.Store].
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	if err := userid.Check(record.UserID); err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	if record.Version < 0 || record.Version == math.MaxInt64 {
		return fmt.Errorf("redisstore: there is no version after %d", record.Version)
	}
	list, err := methods.Join(record.Methods)
	if err != nil {
		return fmt.Errorf("redisstore: saving: %w", err)
	}
	old, next := strconv.FormatInt(record.Version, 10), strconv.FormatInt(record.Version+1, 10)
	data := bytes.Clone(record.Data) // the caller's again once the context is over
	run := func(command, script string) (bool, error) {
		cmd := once{redis.NewCmd(ctx, command, script, 1, s.prefix+record.UserID, old, next, list, data)}
		s.client.Process(ctx, cmd)
		return cmd.Bool()
	}
	saved, err := deadline.Within(ctx, func() (bool, error) {
		saved, err := run("evalsha", saveHash)
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			saved, err = run("eval", save)
		}
		return saved, err
	})
	if err != nil {
		return explain(ctx, "saving", err)
	}
	if !saved {
		return mfa.ErrConflict
	}
	return nil
}

// Delete implements [mfa.Store].
func (s *Store) Delete(ctx context.Context, userID string) error {
	if err := userid.Check(userID); err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	_, err := deadline.Within(ctx, func() (int64, error) { return s.client.Del(ctx, s.prefix+userID).Result() })
	if err != nil {
		return explain(ctx, "deleting", err)
	}
	return nil
}

// explain says what to do about an error, as far as that can be told. None
// passes for a store's answer.
func explain(ctx context.Context, doing string, err error) error {
	cure := ""
	switch text := err.Error(); {
	case errors.Is(err, redis.ErrClosed):
		cure = " (the client is closed: keep it open as long as the engine)"
	case strings.HasPrefix(text, "WRONGTYPE"):
		cure = " (the key is no hash: somebody else writes under Options.Prefix)"
	case strings.HasPrefix(text, "READONLY"):
		cure = " (this is a replica: connect to the primary)"
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "NOPERM"):
		cure = " (the user needs HMGET, HGET, HSET, DEL, EVAL and EVALSHA on the keys of Options.Prefix)"
	case strings.HasPrefix(text, "OOM"):
		cure = " (the memory is full: raise maxmemory; let it evict no key without an expiry)"
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err) // where the client was the faster of the two
	}
	return fmt.Errorf("redisstore: %s%s: %w", doing, cure, err)
}
