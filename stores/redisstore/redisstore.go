// Package redisstore keeps MFA state in Redis or Valkey, through go-redis. It
// provides an mfa.Store with one hash per user. Each operation is one command on
// one key, so a cluster shards by user.
//
//	client := redis.NewClient(&redis.Options{Addr: "..."})
//	store, err := redisstore.New(client, redisstore.Options{})
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// A user whose record is lost has no MFA: anyone who knows the password gets
// in, or enrolls a factor of their own. So Redis must keep what it has
// acknowledged. Set appendonly to yes and appendfsync to always; with everysec,
// a crash loses up to a second of writes, and codes that were spent in it can be
// used again. Set maxmemory-policy to noeviction or one of volatile-*, so that
// keys without an expiry are never evicted. Replication is asynchronous: a
// failover loses writes that the replica has not received.
package redisstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa"
)

// Options configures a [Store]. The zero value is ready to use.
type Options struct {
	// Prefix comes before the user ID in each key. The default is "mfa_users:".
	Prefix string
}

// A Store is an mfa.Store in Redis. It is safe for concurrent use.
type Store struct {
	client redis.UniversalClient
	prefix string
}

// New returns a store that uses client. It sends nothing to the server. It
// refuses a client that may read old records, from replicas or from a cache of
// its own, and a Ring, which moves a user to another server when one fails. It
// cannot see whether a client made by NewFailoverClient has ReplicaOnly set:
// leave it unset.
func New(client redis.UniversalClient, options Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("redisstore: client is nil")
	}
	switch c := client.(type) {
	case *redis.Ring:
		return nil, errors.New("redisstore: when a server fails, a Ring moves its users to one that has no record of them: use a Client or a ClusterClient")
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

// key returns the key of a user.
func (s *Store) key(userID string) (string, error) {
	if err := mfa.CheckUserID(userID); err != nil {
		return "", fmt.Errorf("redisstore: %w", err)
	}
	return s.prefix + userID, nil
}

// The fields of a hash.
const (
	fieldVersion = "version"
	fieldMethods = "methods"
	fieldData    = "data"
)

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	key, err := s.key(userID)
	if err != nil {
		return mfa.Record{}, err
	}
	fields, err := within(ctx, func() ([]any, error) {
		return s.client.HMGet(ctx, key, fieldVersion, fieldMethods, fieldData).Result()
	})
	if err != nil {
		return mfa.Record{}, explain(ctx, "loading", err)
	}
	if fields[0] == nil && fields[1] == nil && fields[2] == nil {
		return mfa.Record{}, mfa.ErrNoRecord
	}
	var texts [3]string
	for i, field := range fields {
		text, ok := field.(string)
		if !ok {
			return mfa.Record{}, errors.New("redisstore: loading: a field of the hash is missing: something else writes under Options.Prefix")
		}
		texts[i] = text
	}
	record := mfa.Record{UserID: userID, Methods: splitMethods(texts[1]), Data: []byte(texts[2])}
	if record.Version, err = strconv.ParseInt(texts[0], 10, 64); err != nil || record.Version < 1 {
		return mfa.Record{}, errors.New("redisstore: loading: the version is not a number: something else writes under Options.Prefix")
	}
	return record, nil
}

// save compares and swaps. It compares versions as the text that is stored: a
// number in Lua holds only 53 bits.
const save = `
local stored = redis.call('HGET', KEYS[1], 'version')
if (stored or '0') ~= ARGV[1] then
	return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'methods', ARGV[3], 'data', ARGV[4])
return 1
`

var saveHash = redis.NewScript(save).Hash()

// A once is a command that the client does not resend when the answer is lost:
// a second Save would conflict with the first.
type once struct{ *redis.Cmd }

// NoRetry implements [redis.Cmder].
func (once) NoRetry() bool { return true }

// Save implements [mfa.Store].
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	key, err := s.key(record.UserID)
	if err != nil {
		return err
	}
	methods, err := joinMethods(record.Methods)
	if err != nil {
		return err
	}
	stored, next := strconv.FormatInt(record.Version, 10), strconv.FormatInt(record.Version+1, 10)
	data := bytes.Clone(record.Data) // the caller may change its own once ctx is done
	run := func(command, script string) (bool, error) {
		cmd := once{redis.NewCmd(ctx, command, script, 1, key, stored, next, methods, data)}
		s.client.Process(ctx, cmd)
		return cmd.Bool()
	}
	saved, err := within(ctx, func() (bool, error) {
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
	key, err := s.key(userID)
	if err != nil {
		return err
	}
	_, err = within(ctx, func() (int64, error) { return s.client.Del(ctx, key).Result() })
	return explain(ctx, "deleting", err)
}

// explain returns err with what was being done and, for known faults, the cure.
// It adds the error of a context that has ended, which the client may leave out.
// It returns nil for nil.
func explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	cure := ""
	switch text := err.Error(); {
	case errors.Is(err, redis.ErrClosed):
		cure = " (the client is closed: keep it open as long as the engine)"
	case strings.HasPrefix(text, "WRONGTYPE"):
		cure = " (the key is not a hash: something else writes under Options.Prefix)"
	case strings.HasPrefix(text, "READONLY"):
		cure = " (this server is a replica: connect to the primary)"
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "NOPERM"):
		cure = " (the user needs HMGET, HGET, HSET, DEL, EVAL and EVALSHA on the keys of Options.Prefix)"
	case strings.HasPrefix(text, "OOM"):
		cure = " (the server is out of memory: raise maxmemory, and let it evict no key without an expiry)"
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return fmt.Errorf("redisstore: %s%s: %w", doing, cure, err)
}
