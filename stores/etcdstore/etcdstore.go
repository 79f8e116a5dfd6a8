// Package etcdstore keeps MFA state in etcd. It provides an mfa.Store with one
// key per user.
//
//	err := etcdstore.Create(ctx, client, etcdstore.Options{}) // once, by the operator
//	...
//	store, err := etcdstore.New(ctx, client, etcdstore.Options{})
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// Save is one transaction of etcd's, and Load one linearizable read: a majority of
// the members confirms that the one that answers has seen every Save. A member
// that is cut off from the others does not answer, and what Save has acknowledged
// is on the disks of a majority.
package etcdstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/protekt/mfa"
)

// Options configures a [Store]. The zero value is ready to use.
type Options struct {
	// Prefix comes before the user ID in each key. The default is "mfa_users/".
	// The prefix of one store must not be the start of another's.
	Prefix string
}

// marker returns the key that shows that the store is still the one that was
// created: the prefix alone, which is the key of no user. Its value is the
// store's identity.
func (o Options) marker() string {
	if o.Prefix == "" {
		return "mfa_users/"
	}
	return o.Prefix
}

// A Store is an mfa.Store in etcd. It is safe for concurrent use.
type Store struct {
	kv       clientv3.KV
	marker   string
	identity string // of the store, as it was when New was called
}

// Create creates a store for [New] unless it exists. It is a step of the
// operator's, and never one that processes take when they start: where the data
// was lost, it would create an empty store, and nobody would be asked for a code.
func Create(ctx context.Context, kv clientv3.KV, options Options) error {
	if kv == nil {
		return errNil
	}
	marker := options.marker()
	_, err := kv.Txn(ctx).
		If(clientv3.Compare(clientv3.Version(marker), "=", 0)).
		Then(clientv3.OpPut(marker, rand.Text())).
		Commit()
	return explain("creating", err)
}

// New returns a store that [Create] has created. It changes nothing, and fails if
// there is no store. kv is a client, or what package namespace makes of its KV.
func New(ctx context.Context, kv clientv3.KV, options Options) (*Store, error) {
	if kv == nil {
		return nil, errNil
	}
	s := &Store{kv: kv, marker: options.marker()}
	response, err := kv.Get(ctx, s.marker)
	if err == nil && len(response.Kvs) == 0 {
		err = errLost
	}
	if err != nil {
		return nil, explain("opening", err)
	}
	s.identity = string(response.Kvs[0].Value)
	return s, nil
}

var (
	errNil  = errors.New("etcdstore: the client is nil: make one with clientv3.New")
	errLost = errors.New("this store is empty or was lost")

	errReplaced = errors.New("this store is empty or was lost: it is not the one that this process opened")
)

// same compares the marker with the one that New found.
func (s *Store) same() clientv3.Cmp {
	return clientv3.Compare(clientv3.Value(s.marker), "=", s.identity)
}

// key returns the key of a user.
func (s *Store) key(userID string) (string, error) {
	if err := mfa.CheckUserID(userID); err != nil {
		return "", fmt.Errorf("etcdstore: %w", err)
	}
	return s.marker + userID, nil
}

// Load implements [mfa.Store].
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	key, err := s.key(userID)
	if err != nil {
		return mfa.Record{}, err
	}
	response, err := s.kv.Get(ctx, key)
	if err != nil {
		return mfa.Record{}, explain("loading", err)
	}
	found := response.Kvs
	if len(found) == 0 {
		if found, err = s.findAgain(ctx, key); err != nil {
			return mfa.Record{}, explain("loading", err)
		}
	}
	if len(found) == 0 {
		return mfa.Record{}, mfa.ErrNoRecord
	}
	record, err := decode(found[0].Value)
	if err != nil {
		return mfa.Record{}, explain("loading", err)
	}
	record.UserID, record.Version = userID, found[0].Version
	return record, nil
}

// findAgain looks for a key that was not found, in one transaction with the
// marker. It returns an error unless the store is the one that New found.
func (s *Store) findAgain(ctx context.Context, key string) ([]*mvccpb.KeyValue, error) {
	response, err := s.kv.Txn(ctx).If(s.same()).Then(clientv3.OpGet(key)).Else(clientv3.OpGet(s.marker)).Commit()
	if err != nil {
		return nil, err
	}
	found := response.Responses[0].GetResponseRange().Kvs
	switch {
	case response.Succeeded:
		return found, nil
	case len(found) == 0:
		return nil, errLost
	}
	return nil, errReplaced
}

// Save implements [mfa.Store]. etcd itself counts the versions of a key: 1 for
// the first value since the key was created, and one more for each that follows.
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	key, err := s.key(record.UserID)
	if err != nil {
		return err
	}
	value, err := encode(record)
	if err != nil {
		return err
	}
	comparisons := []clientv3.Cmp{clientv3.Compare(clientv3.Version(key), "=", record.Version)}
	if record.Version == 0 {
		comparisons = append(comparisons, s.same())
	}
	response, err := s.kv.Txn(ctx).If(comparisons...).Then(clientv3.OpPut(key, value)).Commit()
	if err != nil {
		return explain("saving", err)
	}
	if !response.Succeeded {
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
	_, err = s.kv.Delete(ctx, key)
	return explain("deleting", err)
}

// explain returns err with what was being done and, for known faults, the cure.
// It returns nil for nil.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	cure := ""
	switch {
	case errors.Is(err, errLost):
		cure = " (restore it from a snapshot or, if there has never been one, call Create once)"
	case errors.Is(err, errReplaced):
		cure = " (start the process again if it was replaced on purpose)"
	case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrUserEmpty):
		cure = " (the user needs readwrite permission on the keys of Options.Prefix)"
	case errors.Is(err, rpctypes.ErrNoSpace):
		cure = " (compact and defragment etcd, disarm the alarm, and set --auto-compaction-retention)"
	}
	return fmt.Errorf("etcdstore: %s%s: %w", doing, cure, err)
}
