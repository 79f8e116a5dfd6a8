package dynamostore_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/dynamostore"
)

// How a host connects, and what an operator does before.
func Example() {
	ctx := context.Background()
	var settings aws.Config // from LoadDefaultConfig of aws-sdk-go-v2/config
	client := dynamodb.NewFromConfig(settings)

	// Once, when the infrastructure is set up, and never when a process starts.
	if err := dynamostore.Create(ctx, client, dynamostore.Options{}); err != nil {
		log.Fatal(err)
	}

	// In each process.
	store, err := dynamostore.New(ctx, client, dynamostore.Options{})
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
