package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa"
)

// markers is the number of markers. Each lies in a slot of a cluster, with the
// users whose keys have the same hash tag: a marker in another slot could still be
// there when those users are lost. It cannot change once there are users.
const markers = 1024

// marker returns the key of a marker: that of a user without a name.
func marker(prefix string, n uint32) string {
	return prefix + "{" + strconv.FormatUint(uint64(n), 10) + "}"
}

// keys returns the key of a user and that of the marker beside it.
func (s *Store) keys(userID string) ([]string, error) {
	if err := mfa.CheckUserID(userID); err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	hash := fnv.New32a()
	hash.Write([]byte(userID))
	beside := marker(s.prefix, hash.Sum32()%markers)
	return []string{beside + userID, beside}, nil
}

var errPartlyLost = errors.New("a part of this store is empty or was lost: some of its markers are missing or belong to another (restore it from a backup or, " +
	"if there has never been a record in it, delete the keys that begin with Options.Prefix and call redisstore.Init once)")

// Init creates the store unless it exists. It is a step of a deployment: a process
// that called it whenever it starts would make an empty store of one that was
// lost. It refuses the clients and servers that [New] refuses.
func Init(ctx context.Context, client redis.UniversalClient, options Options) error {
	if err := check(ctx, client, options); err != nil {
		return err
	}
	identity, err := readMarkers(ctx, client, options.prefix())
	if err == nil && identity == "" {
		err = writeMarkers(ctx, client, options.prefix())
	}
	return explain(ctx, "creating", err)
}

// readMarkers returns the identity of the markers, or "" if there are none.
func readMarkers(ctx context.Context, client redis.UniversalClient, prefix string) (string, error) {
	results, err := within(ctx, false, func() ([]redis.Cmder, error) {
		return client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for n := range uint32(markers) {
				pipe.Get(ctx, marker(prefix, n))
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", err
	}
	found := make(map[string]bool)
	for _, result := range results {
		identity, err := result.(*redis.StringCmd).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return "", err
		}
		found[identity] = true // "" for none
	}
	if len(found) != 1 {
		return "", errPartlyLost
	}
	for identity := range found {
		return identity, nil
	}
	return "", nil
}

// writeMarkers writes all markers, unless another process does: the first of them
// decides whose they are.
func writeMarkers(ctx context.Context, client redis.UniversalClient, prefix string) error {
	_, err := within(ctx, false, func() (any, error) {
		first := marker(prefix, 0)
		if err := client.SetNX(ctx, first, rand.Text(), 0).Err(); err != nil {
			return nil, err
		}
		identity, err := client.Get(ctx, first).Result()
		if err != nil {
			return nil, err
		}
		return client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for n := range uint32(markers) {
				pipe.SetNX(ctx, marker(prefix, n), identity, 0)
			}
			return nil
		})
	})
	return err
}
