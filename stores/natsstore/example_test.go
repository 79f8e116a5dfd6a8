package natsstore_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/natsstore"
)

// What an operator does once, and how a host opens the bucket.
func Example() {
	ctx := context.Background()
	connection, err := nats.Connect("nats://n1.example.com,nats://n2.example.com,nats://n3.example.com", nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		log.Fatal(err)
	}

	// Once, and never when a process starts.
	if err := natsstore.Create(ctx, js, jetstream.KeyValueConfig{Bucket: "mfa_users", Replicas: 3}); err != nil {
		log.Fatal(err)
	}

	// In each process.
	store, err := natsstore.New(ctx, js, "mfa_users")
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
	fmt.Println(engine.BeginLogin(ctx, "bob"))
}
