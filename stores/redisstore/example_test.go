package redisstore_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/redisstore"
)

// What an operator does once, and how a host opens the store.
func Example() {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: "redis.example.com:6379", ContextTimeoutEnabled: true})
	defer client.Close()

	// Once, and never when a process starts.
	if err := redisstore.Init(ctx, client, redisstore.Options{}); err != nil {
		log.Fatal(err)
	}

	// In each process.
	store, err := redisstore.New(ctx, client, redisstore.Options{})
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
