package etcdstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.uber.org/zap"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/mfatest"
	"github.com/protekt/mfa/stores/etcdstore"
)

func TestMain(m *testing.M) { store.Main(m, open) }

// server returns the URL of the server.
func server() string { return store.Address("MFA_TEST_ETCD", "http://127.0.0.1:2379") }

func connect(servers ...string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: servers, Logger: zap.NewNop()})
}

// open is a store.Opener. An address is a prefix and a server.
func open(address string) (mfa.Store, func(), error) {
	prefix, server, _ := strings.Cut(address, " ")
	client, err := connect(server)
	if err != nil {
		return nil, nil, err
	}
	store, err := etcdstore.New(context.Background(), client, etcdstore.Options{Prefix: prefix})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return store, func() { client.Close() }, nil
}

// place connects to the server, or skips the test if there is none. It returns a
// prefix for the test alone.
func place(t testing.TB) (client *clientv3.Client, prefix string) {
	t.Helper()
	client, err := connect(server())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = client.Get(ctx, "mfa_test")
	store.Require(t, "etcd", err)
	prefix = "mfa_test_" + rand.Text()[:12] + "/"
	t.Cleanup(func() {
		if _, err := client.Delete(context.Background(), prefix, clientv3.WithPrefix()); err != nil {
			t.Error(err)
		}
	})
	return client, prefix
}

// create creates a store and opens it.
func create(t testing.TB, kv clientv3.KV, prefix string) *etcdstore.Store {
	t.Helper()
	options := etcdstore.Options{Prefix: prefix}
	if err := etcdstore.Create(context.Background(), kv, options); err != nil {
		t.Fatal(err)
	}
	store, err := etcdstore.New(context.Background(), kv, options)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	client, prefix := place(t)
	mfatest.TestStore(t, func(t *testing.T) mfa.Store {
		prefix += "x" // with the slash, no prefix is the start of another
		return create(t, client, prefix+"/")
	})
}

func TestLostStore(t *testing.T) {
	client, prefix := place(t)
	options := etcdstore.Options{Prefix: prefix}
	mfatest.TestLostStore(t, mfatest.Place{
		Create: func(ctx context.Context) error { return etcdstore.Create(ctx, client, options) },
		Open:   func(ctx context.Context) (mfa.Store, error) { return etcdstore.New(ctx, client, options) },
		Wipe: func(ctx context.Context) error {
			_, err := client.Delete(ctx, prefix, clientv3.WithPrefix())
			return err
		},
	})
}

func TestLimits(t *testing.T) {
	client, prefix := place(t)
	store.TestLimits(t, create(t, client, prefix), nil)
}

func TestProcesses(t *testing.T) { atAddress(t, store.TestProcesses) }

func TestCrash(t *testing.T) {
	atAddress(t, func(t *testing.T, open store.Opener, address string) { store.TestCrash(t, open, address, 50) })
}

func atAddress(t *testing.T, test func(*testing.T, store.Opener, string)) {
	client, prefix := place(t)
	create(t, client, prefix)
	test(t, open, prefix+" "+server())
}

func TestOutage(t *testing.T) { behindProxy(t, store.TestOutage) }
func TestHang(t *testing.T)   { behindProxy(t, store.TestHang) }

func behindProxy(t *testing.T, test func(*testing.T, *store.Proxy, func() (mfa.Store, func(), error))) {
	client, prefix := place(t)
	create(t, client, prefix)
	proxy, url := through(t)
	test(t, proxy, func() (mfa.Store, func(), error) { return open(prefix + " " + url) })
}

// through starts a proxy in front of the server, and returns it with its URL.
func through(t *testing.T) (*store.Proxy, string) {
	proxy := store.NewProxy(t, strings.TrimPrefix(server(), "http://"))
	return proxy, "http://" + proxy.Addr
}

// TestCreate: many may call it at once, and again on a store with records.
func TestCreate(t *testing.T) {
	client, prefix := place(t)
	ctx := t.Context()
	options := etcdstore.Options{Prefix: prefix}
	errs := make([]error, 16)
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() { errs[i] = etcdstore.Create(ctx, client, options) })
	}
	done.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	store, err := etcdstore.New(ctx, client, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := etcdstore.Create(ctx, client, options); err != nil {
		t.Error(err)
	}
	if _, err := store.Load(ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("after the second Create, the store has another identity: %v", err)
	}
}

// TestNamespace: a store uses the KV that it is given, and so the namespace that
// it adds.
func TestNamespace(t *testing.T) {
	client, prefix := place(t)
	store := create(t, namespace.NewKV(client, prefix), "")
	if err := store.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(t.Context(), "ada"); err != nil {
		t.Error(err)
	}
	if got, err := client.Get(t.Context(), prefix+"mfa_users/ada"); err != nil || got.Count != 1 {
		t.Errorf("%+v, %v; want the key in the namespace", got, err)
	}
}

// TestForeignValueIsAnError: a value that something else has written is neither a
// record nor "no record".
func TestForeignValueIsAnError(t *testing.T) {
	client, prefix := place(t)
	store := create(t, client, prefix)
	put := func(value string) {
		t.Helper()
		if _, err := client.Put(t.Context(), prefix+"ada", value); err != nil {
			t.Fatal(err)
		}
	}
	put("1 totp,sms\nx")
	if record, err := store.Load(t.Context(), "ada"); err != nil || len(record.Methods) != 2 || string(record.Data) != "x" {
		t.Errorf("a valid value: %+v, %v", record, err)
	}
	for _, foreign := range []string{"", "x", "1 totp", "2 totp\nx", "totp\nx"} {
		put(foreign)
		if record, err := store.Load(t.Context(), "ada"); err == nil || errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%q is read as %+v, %v", foreign, record, err)
		}
	}
	if err := store.Save(t.Context(), mfa.Record{UserID: "bob", Methods: []mfa.Method{"a\nb"}}); err == nil {
		t.Error("a method that would make the value unreadable is saved")
	}
}

// refusing is a KV whose requests fail.
type refusing struct {
	clientv3.KV
	err error
}

func (r refusing) Get(context.Context, string, ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return nil, r.err
}

// TestErrorsNameTheCure: a mistake of the host's is an error that says what to do
// about it.
func TestErrorsNameTheCure(t *testing.T) {
	client, prefix := place(t)
	opened := func(kv clientv3.KV) error {
		_, err := etcdstore.New(t.Context(), kv, etcdstore.Options{Prefix: prefix})
		return err
	}
	for _, test := range []struct {
		what string
		err  error
		says string
	}{
		{"no client", opened(nil), "clientv3.New"},
		{"no client for Create", etcdstore.Create(t.Context(), nil, etcdstore.Options{}), "clientv3.New"},
		{"no store", opened(client), "call Create"},
		{"no permission", opened(refusing{err: rpctypes.ErrPermissionDenied}), "readwrite"},
		{"no space", opened(refusing{err: rpctypes.ErrNoSpace}), "compact"},
	} {
		if test.err == nil || errors.Is(test.err, mfa.ErrNoRecord) || !strings.Contains(test.err.Error(), test.says) {
			t.Errorf("%s: %v; want it to say %q", test.what, test.err, test.says)
		}
	}
}

var _ mfa.Store = (*etcdstore.Store)(nil)
