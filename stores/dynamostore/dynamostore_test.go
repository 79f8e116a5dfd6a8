package dynamostore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/mfatest"
	"github.com/protekt/mfa/stores/dynamostore"
)

func TestMain(m *testing.M) { store.Main(m, open) }

// server returns the URL of the server.
func server() string { return store.Address("MFA_TEST_DYNAMODB", "http://127.0.0.1:4567") }

// connect returns a client with the SDK's default settings, and what closes its
// connections.
func connect(server string) (*dynamodb.Client, func()) {
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	return dynamodb.NewFromConfig(aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(server),
		HTTPClient:   &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}), transport.CloseIdleConnections
}

// open is a store.Opener. An address is a table and a server.
func open(address string) (mfa.Store, func(), error) {
	table, server, _ := strings.Cut(address, " ")
	client, closeClient := connect(server)
	store, err := dynamostore.New(context.Background(), client, dynamostore.Options{Table: table})
	return store, closeClient, err
}

// place connects to the server, or skips the test if there is none. It returns a
// name for a table of the test alone.
func place(t testing.TB) (client *dynamodb.Client, table string) {
	t.Helper()
	client, closeClient := connect(server())
	t.Cleanup(closeClient)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := client.ListTables(ctx, &dynamodb.ListTablesInput{})
	store.Require(t, "DynamoDB or dynalite", err)
	table = "mfa_test_" + rand.Text()[:12]
	t.Cleanup(func() {
		if err := drop(context.Background(), client, table); err != nil {
			t.Error(err)
		}
	})
	return client, table
}

// drop deletes a table, if there is one.
func drop(ctx context.Context, client *dynamodb.Client, table string) error {
	_, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &table})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return err
	}
	waiter := dynamodb.NewTableNotExistsWaiter(client, func(o *dynamodb.TableNotExistsWaiterOptions) { o.MinDelay = time.Millisecond })
	return waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &table}, time.Minute)
}

// create creates a store and opens it.
func create(t testing.TB, client *dynamodb.Client, table string) *dynamostore.Store {
	t.Helper()
	options := dynamostore.Options{Table: table}
	if err := dynamostore.Create(context.Background(), client, options); err != nil {
		t.Fatal(err)
	}
	store, err := dynamostore.New(context.Background(), client, options)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	mfatest.TestStore(t, func(t *testing.T) mfa.Store {
		client, table := place(t)
		return create(t, client, table)
	})
}

func TestLostStore(t *testing.T) {
	client, table := place(t)
	options := dynamostore.Options{Table: table}
	mfatest.TestLostStore(t, mfatest.Place{
		Create: func(ctx context.Context) error { return dynamostore.Create(ctx, client, options) },
		Open:   func(ctx context.Context) (mfa.Store, error) { return dynamostore.New(ctx, client, options) },
		Wipe:   func(ctx context.Context) error { return drop(ctx, client, table) },
	})
}

func TestLimits(t *testing.T) {
	client, table := place(t)
	store.TestLimits(t, create(t, client, table), func(userID string, version int64) {
		put(t, client, table, map[string]types.AttributeValue{
			"user_id": &types.AttributeValueMemberS{Value: userID},
			"version": &types.AttributeValueMemberN{Value: strconv.FormatInt(version, 10)},
		})
	})
}

func put(t *testing.T, client *dynamodb.Client, table string, item map[string]types.AttributeValue) {
	t.Helper()
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		t.Fatal(err)
	}
}

func TestProcesses(t *testing.T) { atAddress(t, store.TestProcesses) }

func TestCrash(t *testing.T) {
	atAddress(t, func(t *testing.T, open store.Opener, address string) { store.TestCrash(t, open, address, 50) })
}

func atAddress(t *testing.T, test func(*testing.T, store.Opener, string)) {
	client, table := place(t)
	create(t, client, table)
	test(t, open, table+" "+server())
}

func TestOutage(t *testing.T) { behindProxy(t, store.TestOutage) }
func TestHang(t *testing.T)   { behindProxy(t, store.TestHang) }

func behindProxy(t *testing.T, test func(*testing.T, *store.Proxy, func() (mfa.Store, func(), error))) {
	client, table := place(t)
	create(t, client, table)
	proxy := store.NewProxy(t, strings.TrimPrefix(server(), "http://"))
	test(t, proxy, func() (mfa.Store, func(), error) { return open(table + " http://" + proxy.Addr) })
}

// TestLostAnswers: the SDK, which repeats other requests, sends no Save again.
func TestLostAnswers(t *testing.T) {
	behindProxy(t, func(t *testing.T, proxy *store.Proxy, open func() (mfa.Store, func(), error)) {
		behind, closeStore, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore()
		store.TestLostAnswers(t, proxy, behind)
	})
}

// TestReadsAreConsistent: every read asks for what has been acknowledged. dynalite
// has no replicas that could show it.
func TestReadsAreConsistent(t *testing.T) {
	client, table := place(t)
	create(t, client, table)
	watched, reads := watch(t)
	store := create(t, watched, table)
	for _, id := range []string{"ada", "nobody"} {
		if id == "ada" {
			if err := store.Save(t.Context(), mfa.Record{UserID: id}); err != nil {
				t.Fatal(err)
			}
		}
		before := len(reads())
		if _, err := store.Load(t.Context(), id); err != nil && !errors.Is(err, mfa.ErrNoRecord) {
			t.Fatal(err)
		}
		if n, want := len(reads())-before, map[string]int{"ada": 1, "nobody": 2}[id]; n != want {
			t.Errorf("Load of %s reads %d times, want %d", id, n, want)
		}
	}
	for _, read := range reads() {
		if !read {
			t.Error("a read is not consistent")
		}
	}
}

// watch returns a client, and a function that reports for each GetItem so far
// whether it was consistent.
func watch(t *testing.T) (*dynamodb.Client, func() []bool) {
	client, closeClient := connect(server())
	t.Cleanup(closeClient)
	var mu sync.Mutex
	var reads []bool
	options := client.Options()
	options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("watch", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			if get, ok := in.Parameters.(*dynamodb.GetItemInput); ok {
				mu.Lock()
				reads = append(reads, aws.ToBool(get.ConsistentRead))
				mu.Unlock()
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	})
	return dynamodb.New(options), func() []bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(reads)
	}
}

// TestCreate: many may call it at once, and again on a table with records.
func TestCreate(t *testing.T) {
	client, table := place(t)
	ctx := t.Context()
	options := dynamostore.Options{Table: table}
	errs := make([]error, 16)
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() { errs[i] = dynamostore.Create(ctx, client, options) })
	}
	done.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	store, err := dynamostore.New(ctx, client, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := dynamostore.Create(ctx, client, options); err != nil {
		t.Error(err)
	}
	if _, err := store.Load(ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("after the second Create, the store has another identity: %v", err)
	}
}

// TestForeignItemIsAnError: an item that something else has written is neither a
// record nor "no record".
func TestForeignItemIsAnError(t *testing.T) {
	client, table := place(t)
	store := create(t, client, table)
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }
	data := &types.AttributeValueMemberB{Value: []byte("x")}
	type item = map[string]types.AttributeValue
	valid := item{"user_id": text("ada"), "version": number("7"), "methods": text("totp"), "data": data}
	put(t, client, table, valid)
	if record, err := store.Load(t.Context(), "ada"); err != nil || record.Version != 7 {
		t.Errorf("a valid item: %+v, %v", record, err)
	}
	for name, change := range map[string]types.AttributeValue{"version": text("7"), "methods": number("7"), "data": text("x")} {
		foreign := maps.Clone(valid)
		foreign[name] = change
		put(t, client, table, foreign)
		if record, err := store.Load(t.Context(), "ada"); err == nil || errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%s of another type is read as %+v, %v", name, record, err)
		}
	}
	for _, version := range []string{"0", "-1", "1.5", "1e30"} {
		foreign := maps.Clone(valid)
		foreign["version"] = number(version)
		put(t, client, table, foreign)
		if record, err := store.Load(t.Context(), "ada"); err == nil || errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("version %s is read as %+v, %v", version, record, err)
		}
	}
}

// TestErrorsNameTheCure: a mistake of the host's is an error that says what to do
// about it.
func TestErrorsNameTheCure(t *testing.T) {
	client, table := place(t)
	options := dynamostore.Options{Table: table}
	says := func(what string, err error, want string) {
		t.Helper()
		if err == nil || errors.Is(err, mfa.ErrNoRecord) || errors.Is(err, mfa.ErrConflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want it to say %q", what, err, want)
		}
	}
	_, err := dynamostore.New(t.Context(), nil, options)
	says("no client", err, "dynamodb.NewFromConfig")
	says("no client for Create", dynamostore.Create(t.Context(), nil, options), "dynamodb.NewFromConfig")
	_, err = dynamostore.New(t.Context(), client, options)
	says("no table", err, "call Create")
	store := create(t, client, table)
	if _, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: map[string]types.AttributeValue{
		"user_id": &types.AttributeValueMemberS{Value: "\x00marker"},
	}}); err != nil {
		t.Fatal(err)
	}
	_, err = store.Load(t.Context(), "ada")
	says("no marker", err, "restore it")
}

var _ mfa.Store = (*dynamostore.Store)(nil)
