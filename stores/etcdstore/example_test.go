package etcdstore_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/etcdstore"
)

// How a host connects to a cluster, and what an operator does before.
func Example() {
	ctx := context.Background()
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            []string{"https://etcd-0:2379", "https://etcd-1:2379", "https://etcd-2:2379"},
		DialTimeout:          2 * time.Second,
		DialKeepAliveTime:    2 * time.Second, // notices a member that was cut off
		DialKeepAliveTimeout: time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// Once, when the cluster is set up, and never when a process starts.
	if err := etcdstore.Create(ctx, client, etcdstore.Options{}); err != nil {
		log.Fatal(err)
	}

	// In each process.
	store, err := etcdstore.New(ctx, client, etcdstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	key, err := hex.DecodeString(os.Getenv("MFA_KEY")) // 32 random bytes
	if err != nil {
		log.Fatal(err)
	}
	engine, err := mfa.New(mfa.Config{
		Issuer: "ACME",
		Store:  store,
		Keys:   [][]byte{key},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(engine.BeginLogin(ctx, "ada"))
}
