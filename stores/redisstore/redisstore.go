// Package redisstore keeps MFA state in Redis or Valkey, through go-redis. It
// provides an mfa.Store with one hash per user. Each operation is one script on
// keys of one slot, so a cluster shards by user.
//
// An operator creates the store once:
//
//	client := redis.NewClient(&redis.Options{Addr: "..."})
//	err := redisstore.Init(ctx, client, redisstore.Options{})
//
// Each process opens it when it starts:
//
//	store, err := redisstore.New(ctx, client, redisstore.Options{})
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// A user whose record is lost has no MFA: anyone who knows the password gets
// in, or enrolls a factor of their own. So Redis must keep what it has
// acknowledged. Set appendonly to yes and appendfsync to always; with everysec,
// a crash loses up to a second of writes, and codes that were spent in it can be
// used again. Replication is asynchronous: a failover loses writes that the
// replica has not received.
//
// Markers lie beside the users' keys, in every part of a cluster. If one is
// missing, as in a server that was flushed, calls for the users beside it fail. A
// process also refuses markers that were created anew since it started.
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
	// Prefix comes first in each key. The default is "mfa_users:".
	Prefix string

	// Replicas is the number of replicas that must have a change before Save
	// returns nil. With fewer, Save waits for a second and returns an error. If it
	// is the number of replicas that each primary has, a failover loses nothing
	// that Save has acknowledged. The default is 0.
	Replicas int

	// InsecureNoAOF accepts servers without an append-only file: when one stops,
	// changes are lost, or all users.
	InsecureNoAOF bool

	// InsecureFailover accepts servers with replicas. Without Replicas, a
	// failover loses changes that the replica has not received: spent codes work
	// again, and users who have just enrolled have no MFA. In any case, a primary
	// that does not know of its successor answers with old records for a while.
	InsecureFailover bool
}

func (o Options) prefix() string {
	if o.Prefix == "" {
		return "mfa_users:"
	}
	return o.Prefix
}

// A Store is an mfa.Store in Redis. It is safe for concurrent use.
type Store struct {
	client   redis.UniversalClient
	prefix   string
	replicas int
	identity string // of the markers that New found
	punctual bool   // the client itself ends calls with their deadlines
}

// New returns the store that [Init] has created. It changes nothing. It refuses a
// client that may read old records, from replicas or from a cache of its own, and
// a Ring, which moves a user to another server when one fails; and servers that
// may lose records. It cannot see whether a client made by NewFailoverClient has
// ReplicaOnly set: leave it unset.
func New(ctx context.Context, client redis.UniversalClient, options Options) (*Store, error) {
	if err := check(ctx, client, options); err != nil {
		return nil, err
	}
	identity, err := within(ctx, false, func() (string, error) {
		m, err := readMarkers(ctx, client, options.prefix())
		if err != nil {
			return "", err
		}
		return m.identity()
	})
	if err != nil {
		return nil, explain(ctx, "opening", err)
	}
	return &Store{client, options.prefix(), options.Replicas, identity, isPunctual(client)}, nil
}

// isPunctual reports whether the client ends calls with their deadlines.
func isPunctual(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	}
	return false
}

var (
	// errLost never counts as "no MFA".
	errLost = errors.New("this store is empty or was lost")

	errReplaced = errors.New("this store is empty or was lost: it is not the one that this process opened")
	errForeign  = errors.New("the value was not written by this package: something else writes under Options.Prefix")
)

// load returns the fields of a user's hash and, if there is none, the marker.
// PERSIST changes nothing, but is a write: a replica refuses it, and so does a
// primary that knows that it has too few replicas.
var load = newScript(`
redis.call('PERSIST', KEYS[1])
local fields = redis.call('HMGET', KEYS[1], 'version', 'methods', 'data')
if fields[1] or fields[2] or fields[3] then
	return fields
end
return {false, false, false, redis.call('GET', KEYS[2])}
`, false)

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	keys, err := s.keys(userID)
	if err != nil {
		return mfa.Record{}, err
	}
	fields, err := within(ctx, s.punctual, func() ([]any, error) {
		cmd, err := load.run(ctx, s.client, keys)
		if err != nil {
			return nil, err
		}
		return cmd.Slice()
	})
	if err != nil {
		return mfa.Record{}, explain(ctx, "loading", err)
	}
	record, err := s.record(userID, fields)
	if err != nil && !errors.Is(err, mfa.ErrNoRecord) {
		err = explain(ctx, "loading", err)
	}
	return record, err
}

// record returns the record in what load returned.
func (s *Store) record(userID string, fields []any) (mfa.Record, error) {
	if len(fields) == 4 {
		switch fields[3] {
		case nil:
			return mfa.Record{}, errLost
		case s.identity:
			return mfa.Record{}, mfa.ErrNoRecord
		}
		return mfa.Record{}, errReplaced
	}
	var texts [3]string
	if len(fields) != len(texts) {
		return mfa.Record{}, errForeign
	}
	for i, field := range fields {
		text, ok := field.(string)
		if !ok {
			return mfa.Record{}, errForeign // a field of the hash is missing
		}
		texts[i] = text
	}
	version, err := strconv.ParseInt(texts[0], 10, 64)
	if err != nil || version < 1 {
		return mfa.Record{}, errForeign
	}
	return mfa.Record{UserID: userID, Version: version, Methods: splitMethods(texts[1]), Data: []byte(texts[2])}, nil
}

// save compares and swaps. It compares versions as the text that is stored: a
// number in Lua holds only 53 bits.
var save = newScript(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
	return 'lost'
end
local stored = redis.call('HGET', KEYS[1], 'version')
if (stored or '0') ~= ARGV[2] then
	return 'conflict'
end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'methods', ARGV[4], 'data', ARGV[5])
return 'saved'
`, true)

// Save implements [mfa.Store].
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	keys, err := s.keys(record.UserID)
	if err != nil {
		return err
	}
	methods, err := joinMethods(record.Methods)
	if err != nil {
		return err
	}
	stored, next := strconv.FormatInt(record.Version, 10), strconv.FormatInt(record.Version+1, 10)
	data := record.Data
	if !s.punctual {
		data = bytes.Clone(data) // the caller may change its own once ctx is done
	}
	result, err := within(ctx, s.punctual, func() (string, error) {
		args := []any{s.identity, stored, next, methods, data}
		var cmd *redis.Cmd
		var err error
		if s.replicas > 0 {
			cmd, err = save.runReplicated(ctx, s.client, s.replicas, keys, args...)
		} else {
			cmd, err = save.run(ctx, s.client, keys, args...)
		}
		if err != nil {
			return "", err
		}
		return cmd.Text()
	})
	switch {
	case err != nil:
		return explain(ctx, "saving", err)
	case result == "saved":
		return nil
	case result == "conflict":
		return mfa.ErrConflict
	}
	return explain(ctx, "saving", errLost)
}

// Delete implements [mfa.Store].
func (s *Store) Delete(ctx context.Context, userID string) error {
	keys, err := s.keys(userID)
	if err != nil {
		return err
	}
	_, err = within(ctx, s.punctual, func() (int64, error) { return s.client.Del(ctx, keys[0]).Result() })
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
	case errors.Is(err, errReplaced):
		cure = " (start the process again if it was replaced on purpose)"
	case errors.Is(err, errLost):
		cure = " (restore it from a backup or, if there has never been one, call redisstore.Init once)"
	case errors.Is(err, errTooFewReplicas):
		cure = " (it is saved, and a failover may lose it: see that Options.Replicas of them run)"
	case errors.Is(err, redis.ErrClosed):
		cure = " (the client is closed: keep it open as long as the engine)"
	case strings.HasPrefix(text, "WRONGTYPE"):
		cure = " (the key is not a hash: something else writes under Options.Prefix)"
	case strings.HasPrefix(text, "READONLY"):
		cure = " (this server is a replica: connect to the primary)"
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "NOPERM"):
		cure = " (the user needs INFO, and PERSIST, HMGET, HGET, HSET, GET, SET, DEL, EVAL, EVALSHA and WAIT on the keys of Options.Prefix)"
	case strings.HasPrefix(text, "OOM"):
		cure = " (the server is out of memory: raise maxmemory, and let it evict no key without an expiry)"
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return fmt.Errorf("redisstore: %s%s: %w", doing, cure, err)
}
