package dynamostore

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// markerID is the key of the marker, an item that shows that the table is still
// the one that was made ready. It is no user ID: those have no control characters.
const markerID = "\x00marker"

// patience is the time for which Create waits for a table that is being created.
const patience = 5 * time.Minute

// Create makes a store: it creates the table, with capacity on demand, unless
// there is one, as from the templates of the host's infrastructure, and writes the
// marker unless it is there. It is a step of a deployment: a process that called
// it whenever it starts would make an empty store of a table that was lost.
// Several processes may call it at the same time.
func Create(ctx context.Context, client *dynamodb.Client, options Options) error {
	if client == nil {
		return errNil
	}
	s := &Store{client: client, table: options.table()}
	return s.explain(ctx, "creating", s.create(ctx))
}

func (s *Store) create(ctx context.Context) error {
	_, err := s.marker(ctx)
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		if err = s.createTable(ctx); err == nil {
			err = errLost // the table is new
		}
	}
	if !errors.Is(err, errLost) {
		return err
	}
	marker := key(markerID)
	marker[attributeIdentity] = &types.AttributeValueMemberS{Value: rand.Text()}
	_, err = s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: s.table, Item: marker, ConditionExpression: unlessTaken})
	if isConflict(err) { // another process was faster
		return nil
	}
	return err
}

// createTable creates the table, and waits until it can be used.
func (s *Store) createTable(ctx context.Context) error {
	id := attributeUserID
	_, err := s.client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            s.table,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &id, AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: &id, KeyType: types.KeyTypeHash}},
		BillingMode:          types.BillingModePayPerRequest,
	})
	var taken *types.ResourceInUseException
	if err != nil && !errors.As(err, &taken) {
		return err
	}
	waiter := dynamodb.NewTableExistsWaiter(s.client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 5*time.Second
	})
	return waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: s.table}, patience)
}
