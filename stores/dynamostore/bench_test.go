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
// consistent GetItem and one PutItem on the condition of the version.
func BenchmarkLogins(b *testing.B) {
	client, table := place(b)
	store.BenchmarkLogins(b, create(b, client, table), func(ctx context.Context, user string) error {
		key := map[string]types.AttributeValue{"user_id": &types.AttributeValueMemberS{Value: user}}
		var stored *dynamodb.GetItemOutput
		var err error
		for range 2 {
			if stored, err = client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)}); err != nil {
				return err
			}
		}
		_, err = client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                 &table,
			Item:                      stored.Item,
			ConditionExpression:       aws.String("#version = :stored"),
			ExpressionAttributeNames:  map[string]string{"#version": "version"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":stored": stored.Item["version"]},
		})
		return err
	})
}
