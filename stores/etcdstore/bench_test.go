package etcdstore_test

import (
	"context"
	"errors"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the server could do. The floor is two
// linearizable Gets and one transaction.
func BenchmarkLogins(b *testing.B) {
	client, prefix := place(b)
	store.BenchmarkLogins(b, create(b, client, prefix), func(ctx context.Context, user string) error {
		key := prefix + user
		var response *clientv3.GetResponse
		var err error
		for range 2 {
			if response, err = client.Get(ctx, key); err != nil {
				return err
			}
		}
		stored := response.Kvs[0]
		replaced, err := client.Txn(ctx).
			If(clientv3.Compare(clientv3.Version(key), "=", stored.Version)).
			Then(clientv3.OpPut(key, string(stored.Value))).
			Commit()
		if err == nil && !replaced.Succeeded {
			err = errors.New("another has replaced the record")
		}
		return err
	})
}
