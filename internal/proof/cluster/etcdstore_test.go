package cluster

import (
	"context"
	"encoding/json"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/protekt/mfa"
)

func init() {
	openers["etcd"] = func(_ context.Context, servers []string) (mfa.Store, error) {
		client, err := connectEtcd(servers)
		return etcdStore{client}, err
	}
}

func connectEtcd(servers []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:            servers,
		DialTimeout:          2 * time.Second,
		DialKeepAliveTime:    2 * time.Second,
		DialKeepAliveTimeout: time.Second,
		Logger:               zap.NewNop(),
	})
}

// An etcdStore is the least that keeps a store's promises on etcd, until there is
// a module for it. etcd counts the versions of a key as a store must.
type etcdStore struct{ client *clientv3.Client }

func (s etcdStore) Load(ctx context.Context, userID string) (record mfa.Record, err error) {
	got, err := s.client.Get(ctx, "mfa/"+userID)
	if err != nil {
		return record, err
	}
	if len(got.Kvs) == 0 {
		return record, mfa.ErrNoRecord
	}
	err = json.Unmarshal(got.Kvs[0].Value, &record)
	record.UserID, record.Version = userID, got.Kvs[0].Version
	return record, err
}

func (s etcdStore) Save(ctx context.Context, record mfa.Record) error {
	value, err := json.Marshal(record)
	if err != nil {
		return err
	}
	key := "mfa/" + record.UserID
	done, err := s.client.Txn(ctx).If(clientv3.Compare(clientv3.Version(key), "=", record.Version)).Then(clientv3.OpPut(key, string(value))).Commit()
	if err == nil && !done.Succeeded {
		err = mfa.ErrConflict
	}
	return err
}

func (s etcdStore) Delete(ctx context.Context, userID string) error {
	_, err := s.client.Delete(ctx, "mfa/"+userID)
	return err
}
