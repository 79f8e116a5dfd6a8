// Package dynamostore keeps MFA state in Amazon DynamoDB, through version 2 of the
// AWS SDK. It provides an mfa.Store with one item per user.
//
//	err := dynamostore.Create(ctx, client, dynamostore.Options{}) // once, by the operator
//	...
//	store, err := dynamostore.New(ctx, client, dynamostore.Options{})
//	...
//	engine, err := mfa.New(mfa.Config{Store: store, ...})
//
// Load is one consistent read, and Save one conditional write, which the SDK does
// not repeat. An item whose key is no user's marks the store: users whose items are
// lost must not pass for users without MFA.
//
// It is tested against dynalite, which shows that the API is used as it should be.
// That DynamoDB itself keeps what it has acknowledged is the word of AWS.
package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/protekt/mfa"
)

// Options configures a [Store]. The zero value is ready to use.
type Options struct {
	// Table is the name of the table. The default is "mfa_users".
	Table string
}

// table returns the name of the table, as the API takes it.
func (o Options) table() *string {
	if o.Table == "" {
		return aws.String("mfa_users")
	}
	return aws.String(o.Table)
}

// The attributes of an item.
const (
	attributeUserID   = "user_id" // the partition key
	attributeVersion  = "version"
	attributeMethods  = "methods"
	attributeData     = "data"
	attributeIdentity = "identity" // of the marker alone
)

// item is an item, or the key of one, as the API takes it.
type item = map[string]types.AttributeValue

// A Store is an mfa.Store in DynamoDB. It is safe for concurrent use.
type Store struct {
	client   *dynamodb.Client
	table    *string
	identity string // of the marker that New found
}

// New returns the store in a table that [Create] has made ready. It changes
// nothing.
func New(ctx context.Context, client *dynamodb.Client, options Options) (*Store, error) {
	if client == nil {
		return nil, errNil
	}
	s := &Store{client: client, table: options.table()}
	var err error
	if s.identity, err = s.marker(ctx); err != nil {
		return nil, s.explain(ctx, "opening", err)
	}
	return s, nil
}

var (
	errNil      = errors.New("dynamostore: the client is nil: make one with dynamodb.NewFromConfig")
	errLost     = errors.New("this store is empty or was lost")
	errReplaced = errors.New("this store is empty or was lost: it is not the one that this process opened")
	errForeign  = errors.New("the item was not written by this package: something else writes to the table")
)

// check returns an error unless the marker is the one that New found.
func (s *Store) check(ctx context.Context) error {
	identity, err := s.marker(ctx)
	if err == nil && identity != s.identity {
		err = errReplaced
	}
	return err
}

// marker returns the identity in the marker.
func (s *Store) marker(ctx context.Context) (string, error) {
	found, err := s.get(ctx, markerID)
	if err != nil {
		return "", err
	}
	identity, ok := found[attributeIdentity].(*types.AttributeValueMemberS)
	if !ok {
		return "", errLost
	}
	return identity.Value, nil
}

// get returns an item after every write that has been acknowledged, or nil if
// there is none.
func (s *Store) get(ctx context.Context, id string) (item, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: s.table, Key: key(id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// key returns the key of an item.
func key(id string) item {
	return item{attributeUserID: &types.AttributeValueMemberS{Value: id}}
}

// once keeps the SDK from sending a write again whose answer was lost: a second
// Save would conflict with the first.
func once(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }

// Load implements [mfa.Store]. For a user without an item it then reads the
// marker.
func (s *Store) Load(ctx context.Context, userID string) (mfa.Record, error) {
	if err := mfa.CheckUserID(userID); err != nil {
		return mfa.Record{}, fmt.Errorf("dynamostore: %w", err)
	}
	found, err := s.get(ctx, userID)
	if err == nil && found == nil {
		if err = s.check(ctx); err == nil {
			return mfa.Record{}, mfa.ErrNoRecord
		}
	}
	if err != nil {
		return mfa.Record{}, s.explain(ctx, "loading from", err)
	}
	version, isNumber := found[attributeVersion].(*types.AttributeValueMemberN)
	methods, isText := found[attributeMethods].(*types.AttributeValueMemberS)
	data, isBinary := found[attributeData].(*types.AttributeValueMemberB)
	if !isNumber || !isText || !isBinary {
		return mfa.Record{}, s.explain(ctx, "loading from", errForeign)
	}
	record := mfa.Record{UserID: userID, Methods: splitMethods(methods.Value), Data: data.Value}
	if record.Version, err = strconv.ParseInt(version.Value, 10, 64); err != nil || record.Version < 1 {
		return mfa.Record{}, s.explain(ctx, "loading from", errForeign)
	}
	return record, nil
}

// Save implements [mfa.Store]. Before a user's first record it reads the marker.
func (s *Store) Save(ctx context.Context, record mfa.Record) error {
	if err := mfa.CheckUserID(record.UserID); err != nil {
		return fmt.Errorf("dynamostore: %w", err)
	}
	methods, err := joinMethods(record.Methods)
	if err != nil {
		return err
	}
	data := record.Data
	if data == nil {
		data = []byte{} // not NULL
	}
	put := &dynamodb.PutItemInput{TableName: s.table, Item: key(record.UserID)}
	put.Item[attributeVersion] = number(record.Version + 1)
	put.Item[attributeMethods] = &types.AttributeValueMemberS{Value: methods}
	put.Item[attributeData] = &types.AttributeValueMemberB{Value: data}
	if record.Version == 0 {
		if err := s.check(ctx); err != nil {
			return s.explain(ctx, "saving to", err)
		}
		put.ConditionExpression = unlessTaken
	} else {
		put.ConditionExpression = aws.String("#version = :stored")
		put.ExpressionAttributeNames = map[string]string{"#version": attributeVersion}
		put.ExpressionAttributeValues = item{":stored": number(record.Version)}
	}
	_, err = s.client.PutItem(ctx, put, once)
	if isConflict(err) {
		return mfa.ErrConflict
	}
	return s.explain(ctx, "saving to", err)
}

// unlessTaken is the condition of a write that there is no item yet.
var unlessTaken = aws.String("attribute_not_exists(" + attributeUserID + ")")

func number(n int64) *types.AttributeValueMemberN {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// Delete implements [mfa.Store].
func (s *Store) Delete(ctx context.Context, userID string) error {
	if err := mfa.CheckUserID(userID); err != nil {
		return fmt.Errorf("dynamostore: %w", err)
	}
	_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: s.table, Key: key(userID)}, once)
	return s.explain(ctx, "deleting from", err)
}

// isConflict reports whether a write had no effect since its condition did not
// hold.
func isConflict(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed)
}

// explain returns err with what was being done and, for known faults, the cure.
// It returns nil for nil.
func (s *Store) explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	cure := ""
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		cure = ", which is missing: this store is empty or was lost (restore it from a backup or, if there has never been one, call Create once)"
	case errors.Is(err, errLost):
		cure = " (restore it from a backup or, if there has never been a record in it, call Create once)"
	case errors.Is(err, errReplaced):
		cure = " (start the process again if it was replaced on purpose)"
	}
	return fmt.Errorf("dynamostore: %s table %s%s: %w", doing, *s.table, cure, err)
}
