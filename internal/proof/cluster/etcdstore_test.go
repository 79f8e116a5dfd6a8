//go:build linux

package cluster

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/etcdstore"
)

func init() {
	openers["etcd"] = func(ctx context.Context, servers []string) (mfa.Store, error) {
		client, err := connectEtcd(servers)
		if err != nil {
			return nil, err
		}
		return etcdstore.New(ctx, client, etcdstore.Options{})
	}
}

func createEtcd(ctx context.Context, servers []string) error {
	client, err := connectEtcd(servers)
	if err != nil {
		return err
	}
	defer client.Close()
	return etcdstore.Create(ctx, client, etcdstore.Options{})
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
