package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

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

var (
	errPartlyLost = errors.New("a part of this store is empty or was lost: some of its markers are missing or belong to another (restore it from a backup or, " +
		"if there has never been a record in it, delete the keys that begin with Options.Prefix and call redisstore.Init once)")
	errUnfinished = errors.New("this store is not complete: redisstore.Init has not ended (call it again)")
)

// Init creates the store unless it exists. It is a step of a deployment: a process
// that called it whenever it starts would make an empty store of one that was
// lost. It refuses the clients and servers that [New] refuses. Several processes
// may call it at the same time, and again where one has been interrupted.
func Init(ctx context.Context, client redis.UniversalClient, options Options) error {
	if err := check(ctx, client, options); err != nil {
		return err
	}
	_, err := within(ctx, false, func() (any, error) { return nil, writeMarkers(ctx, client, options.prefix()) })
	return explain(ctx, "creating", err)
}

// unfinished comes before the identity in the first marker until all others are
// written.
const unfinished = "unfinished:"

// A marking is what the markers hold. The first of them decides whose they are.
type marking struct {
	first  string          // "" if it is missing
	others map[string]bool // their values, "" if one is missing
}

// identity returns the identity of a complete store.
func (m marking) identity() (string, error) {
	_, begun := strings.CutPrefix(m.first, unfinished)
	switch {
	case begun:
		return "", errUnfinished
	case len(m.others) != 1 || !m.others[m.first]:
		return "", errPartlyLost
	case m.first == "":
		return "", errLost
	}
	return m.first, nil
}

// readMarkers reads all markers, again if the first has changed meanwhile: another
// process creates the store.
func readMarkers(ctx context.Context, client redis.UniversalClient, prefix string) (m marking, err error) {
	for {
		if m.first, err = value(client.Get(ctx, marker(prefix, 0))); err != nil {
			return m, err
		}
		results, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for n := uint32(1); n < markers; n++ {
				pipe.Get(ctx, marker(prefix, n))
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return m, err
		}
		m.others = make(map[string]bool)
		for _, result := range results {
			text, err := value(result.(*redis.StringCmd))
			if err != nil {
				return m, err
			}
			m.others[text] = true
		}
		again, err := value(client.Get(ctx, marker(prefix, 0)))
		if err != nil || again == m.first {
			return m, err
		}
	}
}

// value returns the result of a GET, or "" if there is no such key.
func value(get *redis.StringCmd) (string, error) {
	text, err := get.Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return text, err
}

// writeMarkers writes the markers that are missing, unless they were lost. Of
// several processes, the one that writes the first marker decides the identity, and
// each may complete the store.
func writeMarkers(ctx context.Context, client redis.UniversalClient, prefix string) error {
	first := marker(prefix, 0)
	for {
		m, err := readMarkers(ctx, client, prefix)
		if err != nil {
			return err
		}
		_, err = m.identity()
		switch identity := strings.TrimPrefix(m.first, unfinished); {
		case errors.Is(err, errLost):
			err = client.SetNX(ctx, first, unfinished+rand.Text(), 0).Err()
		case !errors.Is(err, errUnfinished):
			return err // nil if it is complete
		case len(m.others) == 1 && m.others[identity]:
			err = client.SetXX(ctx, first, identity, 0).Err()
		default:
			delete(m.others, identity)
			delete(m.others, "")
			if len(m.others) > 0 {
				return errPartlyLost
			}
			_, err = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				for n := uint32(1); n < markers; n++ {
					pipe.SetNX(ctx, marker(prefix, n), identity, 0)
				}
				return nil
			})
		}
		if err != nil {
			return err
		}
	}
}
