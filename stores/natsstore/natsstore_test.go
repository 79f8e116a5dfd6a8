package natsstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/mfatest"
	"github.com/protekt/mfa/stores/natsstore"
)

func TestMain(m *testing.M) { store.Main(m, open) }

// open is a store.Opener. An address is a bucket and a server.
func open(address string) (mfa.Store, func(), error) {
	bucket, server, _ := strings.Cut(address, " ")
	connection, js, err := connect(server)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	store, err := natsstore.New(ctx, js, bucket)
	if err != nil {
		connection.Close()
		return nil, nil, err
	}
	return store, connection.Close, nil
}

// place starts a server and connects to it.
func place(t testing.TB) (js jetstream.JetStream, url string) {
	t.Helper()
	url = startServer(t)
	return connected(t, url), url
}

// address returns the address of a new bucket on a new server.
func address(t testing.TB) string {
	js, url := place(t)
	return bucket(t, js) + " " + url
}

// bucket creates a bucket for the test alone and returns its name.
func bucket(t testing.TB, js jetstream.JetStream) string {
	t.Helper()
	name := "mfa_test_" + rand.Text()[:12]
	if err := natsstore.Create(context.Background(), js, jetstream.KeyValueConfig{Bucket: name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := js.DeleteKeyValue(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return name
}

func newStore(t testing.TB, js jetstream.JetStream, bucket string) *natsstore.Store {
	t.Helper()
	store, err := natsstore.New(context.Background(), js, bucket)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	js, _ := place(t)
	mfatest.TestStore(t, func(t *testing.T) mfa.Store { return newStore(t, js, bucket(t, js)) })
}

func TestLostStore(t *testing.T) {
	js, _ := place(t)
	config := jetstream.KeyValueConfig{Bucket: "mfa_test_" + rand.Text()[:12]}
	mfatest.TestLostStore(t, mfatest.Place{
		Create: func(ctx context.Context) error { return natsstore.Create(ctx, js, config) },
		Open:   func(ctx context.Context) (mfa.Store, error) { return natsstore.New(ctx, js, config.Bucket) },
		Wipe: func(ctx context.Context) error {
			if err := js.DeleteKeyValue(ctx, config.Bucket); !errors.Is(err, jetstream.ErrBucketNotFound) {
				return err
			}
			return nil
		},
	})
}

// TestPurgedBucketIsALoss: a bucket without its marker is no new store, neither to
// processes nor to Create.
func TestPurgedBucketIsALoss(t *testing.T) {
	js, _ := place(t)
	name := bucket(t, js)
	running := newStore(t, js, name)
	for version := range int64(2) { // the store has then seen the revision of the second
		if err := running.Save(t.Context(), mfa.Record{UserID: "ada", Version: version}); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := js.Stream(t.Context(), "KV_"+name)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, loaded := running.Load(t.Context(), "ada")
	_, opened := natsstore.New(t.Context(), js, name)
	for doing, err := range map[string]error{
		"Load":            loaded,
		"the first Save":  running.Save(t.Context(), mfa.Record{UserID: "ada"}),
		"the second Save": running.Save(t.Context(), mfa.Record{UserID: "ada", Version: 2}),
		"New":             opened,
		"Create":          natsstore.Create(t.Context(), js, jetstream.KeyValueConfig{Bucket: name}),
	} {
		if err == nil || errors.Is(err, mfa.ErrNoRecord) || !strings.Contains(err.Error(), "is empty or was lost") {
			t.Errorf("%s: %v", doing, err)
		}
	}
}

// TestSaveAfterLoadIsOneRequest: the store remembers the revision that Load has seen.
func TestSaveAfterLoadIsOneRequest(t *testing.T) {
	js, _ := place(t)
	name := bucket(t, js)
	if err := newStore(t, js, name).Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
		t.Fatal(err)
	}
	running := newStore(t, js, name)
	record, err := running.Load(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	before := js.Conn().Stats().OutMsgs
	if err := running.Save(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if sent := js.Conn().Stats().OutMsgs - before; sent != 1 {
		t.Errorf("Save has sent %d messages", sent)
	}
}

func TestProcesses(t *testing.T) { store.TestProcesses(t, open, address(t)) }
func TestCrash(t *testing.T)     { store.TestCrash(t, open, address(t), 50) }
func TestOutage(t *testing.T)    { behindProxy(t, store.TestOutage) }
func TestHang(t *testing.T)      { behindProxy(t, store.TestHang) }
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

func behindProxy(t *testing.T, test func(*testing.T, *store.Proxy, func() (mfa.Store, func(), error))) {
	js, url := place(t)
	name := bucket(t, js)
	proxy := store.NewProxy(t, strings.TrimPrefix(url, "nats://"))
	test(t, proxy, func() (mfa.Store, func(), error) { return open(name + " nats://" + proxy.Addr) })
}

// TestCluster: a store that one server of a cluster keeps is refused, and one on
// three keeps the promises of mfa.Store.
func TestCluster(t *testing.T) {
	hub := freeAddress(t)
	js := connectedToThree(t, fmt.Sprintf("leafnodes { listen: %q }\n", hub))
	config := jetstream.KeyValueConfig{Bucket: "alone", Replicas: 1}
	leaf := throughLeaf(t, hub)
	for through, js := range map[string]jetstream.JetStream{"a server of the cluster": js, "a leaf node": leaf} {
		created := natsstore.Create(t.Context(), js, config)
		_, opened := natsstore.New(t.Context(), js, config.Bucket)
		for doing, err := range map[string]error{"Create": created, "New": opened} {
			if err == nil || !strings.Contains(err.Error(), "Replicas: 3") {
				t.Errorf("%s on one server, through %s: %v", doing, through, err)
			}
		}
	}
	mfatest.TestStore(t, func(t *testing.T) mfa.Store {
		config := jetstream.KeyValueConfig{Bucket: "mfa_test_" + rand.Text()[:12], Replicas: 3}
		if err := natsstore.Create(t.Context(), js, config); err != nil {
			t.Fatal(err)
		}
		return newStore(t, js, config.Bucket)
	})
}

// throughLeaf connects to servers through a leaf node of theirs, which belongs to no
// cluster and has no JetStream of its own.
func throughLeaf(t *testing.T, hub string) jetstream.JetStream {
	t.Helper()
	url := startProgram(t, fmt.Sprintf("leafnodes { remotes: [{ url: %q }] }\n", "nats://"+hub))
	for over := time.Now().Add(store.Patience); ; time.Sleep(10 * time.Millisecond) {
		connection, err := nats.Connect(url)
		if err == nil {
			var js jetstream.JetStream
			if js, err = jetstream.NewWithDomain(connection, "hub"); err == nil {
				if _, err = js.AccountInfo(t.Context()); err == nil {
					t.Cleanup(connection.Close)
					return js
				}
			}
			connection.Close()
		}
		if time.Now().After(over) {
			t.Fatalf("the leaf node does not connect: %v", err)
		}
	}
}

// TestOldServersAreRefused, such as the one that Debian 12 has.
func TestOldServersAreRefused(t *testing.T) {
	connection, js, err := connect("nats://127.0.0.1:4222")
	store.Require(t, "NATS server at its usual address", err)
	defer connection.Close()
	if version := connection.ConnectedServerVersion(); version != "2.9.10" {
		t.Skipf("the server has version %s", version)
	}
	_, opened := natsstore.New(t.Context(), js, "any")
	created := natsstore.Create(t.Context(), js, jetstream.KeyValueConfig{Bucket: "any"})
	for doing, err := range map[string]error{"New": opened, "Create": created} {
		if err == nil || !strings.Contains(err.Error(), "upgrade") {
			t.Errorf("%s: %v", doing, err)
		}
	}
}

// ada is the key of the user "ada".
const ada = "YWRh"

func TestLimits(t *testing.T) {
	js, _ := place(t)
	name := bucket(t, js)
	kv, err := js.KeyValue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	store.TestLimits(t, newStore(t, js, name), func(_ string, version int64) {
		if _, err := kv.PutString(t.Context(), ada, fmt.Sprintf("1 %d \n", version)); err != nil {
			t.Fatal(err)
		}
	})
}

// TestForeignValueIsAnError: a value that something else has written is neither a
// record nor "no record".
func TestForeignValueIsAnError(t *testing.T) {
	js, _ := place(t)
	name := bucket(t, js)
	store := newStore(t, js, name)
	kv, err := js.KeyValue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), ada, "1 7 totp\nx"); err != nil {
		t.Fatal(err)
	}
	if record, err := store.Load(t.Context(), "ada"); err != nil || record.Version != 7 {
		t.Errorf("a valid value: %+v, %v", record, err)
	}
	for _, foreign := range []string{"", "x", "1 1", "2 1 totp\nx", "1 0 \nx", "1 -1 \nx", "1 1 totp sms\nx", "1 x \n"} {
		if _, err := kv.PutString(t.Context(), ada, foreign); err != nil {
			t.Fatal(err)
		}
		if record, err := store.Load(t.Context(), "ada"); err == nil || errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%q is read as %+v, %v", foreign, record, err)
		}
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Version: 7}); err == nil {
			t.Errorf("%q is overwritten", foreign)
		}
	}
}

// TestMethodsThatWouldBreakTheLineAreRefused: they would make the value unreadable.
func TestMethodsThatWouldBreakTheLineAreRefused(t *testing.T) {
	js, _ := place(t)
	store := newStore(t, js, bucket(t, js))
	for _, method := range []mfa.Method{"a b", "a\nb"} {
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Methods: []mfa.Method{method}}); err == nil {
			t.Errorf("%q is saved", method)
		}
		if _, err := store.Load(t.Context(), "ada"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%q: %v", method, err)
		}
	}
}

// TestDeleteLeavesNothing: Delete leaves no marker behind, and one that another
// tool leaves counts as no record.
func TestDeleteLeavesNothing(t *testing.T) {
	js, _ := place(t)
	name := bucket(t, js)
	store := newStore(t, js, name)
	kv, err := js.KeyValue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for round, remove := range []func() error{
		func() error { return store.Delete(t.Context(), "ada") },
		func() error { return kv.Delete(t.Context(), ada) },
		func() error { return kv.Purge(t.Context(), ada) },
		func() error { return store.Delete(t.Context(), "ada") },
	} {
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Load(t.Context(), "ada"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("round %d: %v", round, err)
		}
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Version: 1}); !errors.Is(err, mfa.ErrConflict) {
			t.Errorf("round %d: Save of the deleted version: %v, want ErrConflict", round, err)
		}
	}
	stream, err := js.Stream(t.Context(), "KV_"+name)
	if err != nil {
		t.Fatal(err)
	}
	if left := stream.CachedInfo().State.Msgs; left != 1 {
		t.Errorf("%d messages are left, want the marker", left)
	}
}

// TestNewRefusesUnfitBuckets: New refuses buckets that may return old records or
// lose them, and Create makes a bucket fit where it can.
func TestNewRefusesUnfitBuckets(t *testing.T) {
	js, _ := place(t)
	ctx := t.Context()
	create := func(config jetstream.KeyValueConfig) string {
		config.Bucket = "mfa_test_" + rand.Text()[:12]
		if _, err := js.CreateKeyValue(ctx, config); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { js.DeleteKeyValue(context.Background(), config.Bucket) })
		return config.Bucket
	}
	refused := func(name, says string) {
		t.Helper()
		if _, err := natsstore.New(ctx, js, name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	plain := create(jetstream.KeyValueConfig{})
	refused(plain, "natsstore.Create")
	for range 2 { // Create may be called again
		if err := natsstore.Create(ctx, js, jetstream.KeyValueConfig{Bucket: plain}); err != nil {
			t.Error(err)
		}
		newStore(t, js, plain)
	}
	expiring := create(jetstream.KeyValueConfig{TTL: time.Hour})
	if err := natsstore.Create(ctx, js, jetstream.KeyValueConfig{Bucket: expiring}); err == nil || !strings.Contains(err.Error(), "TTL") {
		t.Errorf("an expiring bucket: %v", err)
	}
	refused(expiring, "TTL")
	inMemory := create(jetstream.KeyValueConfig{Storage: jetstream.MemoryStorage})
	if err := natsstore.Create(ctx, js, jetstream.KeyValueConfig{Bucket: inMemory}); err == nil || !strings.Contains(err.Error(), "FileStorage") {
		t.Errorf("a bucket in memory: %v", err)
	}
	refused(inMemory, "FileStorage")
	wanted := jetstream.KeyValueConfig{Bucket: plain, MaxBytes: 5 << 20, Replicas: 3}
	if err := natsstore.Create(ctx, js, wanted); err == nil { // some single servers refuse replicas
		stream, err := js.Stream(ctx, "KV_"+plain)
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.CachedInfo().Config; got.MaxBytes != wanted.MaxBytes || got.Replicas != wanted.Replicas {
			t.Errorf("an existing bucket has %d bytes and %d replicas after Create", got.MaxBytes, got.Replicas)
		}
	}
	dropping := create(jetstream.KeyValueConfig{MaxBytes: 1 << 20})
	stream, err := js.Stream(ctx, "KV_"+dropping)
	if err != nil {
		t.Fatal(err)
	}
	settings := stream.CachedInfo().Config
	settings.Discard, settings.AllowDirect = jetstream.DiscardOld, false
	if _, err := js.UpdateStream(ctx, settings); err != nil {
		t.Fatal(err)
	}
	refused(dropping, "DiscardNew")
	refused("mfa_test_missing", "natsstore.Create")
}
