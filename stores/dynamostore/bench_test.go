package dynamostore_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/protekt/mfa/internal/proof/store"
)

// BenchmarkLogins compares logins with what the server could do. The floor is two
// consistent GetItem and one PutItem without a condition.
func BenchmarkLogins(b *testing.B) {
	client, table := place(b)
	store.BenchmarkLogins(b, create(b, client, table), func(ctx context.Context, user string, data []byte) error {
		id := &types.AttributeValueMemberS{Value: user}
		for range 2 {
			if _, err := client.GetItem(ctx, &dynamodb.GetItemInput{
				TableName:      &table,
				Key:            map[string]types.AttributeValue{"user_id": id},
				ConsistentRead: aws.Bool(true),
			}); err != nil {
				return err
			}
		}
		_, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{
			"user_id": id,
			"version": &types.AttributeValueMemberN{Value: "1"},
			"methods": &types.AttributeValueMemberS{Value: "totp"},
			"data":    &types.AttributeValueMemberB{Value: data},
		}})
		return err
	})
}
