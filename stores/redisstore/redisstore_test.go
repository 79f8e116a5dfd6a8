package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
	"github.com/protekt/mfa/mfatest"
	"github.com/protekt/mfa/stores/redisstore"
)

func TestMain(m *testing.M) { store.Main(m, open) }

// server returns the URL of the server.
func server() string { return store.Address("MFA_TEST_REDIS", "redis://127.0.0.1:6379/0") }

// open is a store.Opener. An address is a prefix and a server.
func open(address string) (mfa.Store, func(), error) {
	prefix, server, _ := strings.Cut(address, " ")
	client, err := connect(server)
	if err != nil {
		return nil, nil, err
	}
	store, err := redisstore.New(client, redisstore.Options{Prefix: prefix})
	if err != nil {
		return nil, nil, err
	}
	return store, func() { client.Close() }, nil
}

func connect(server string) (*redis.Client, error) {
	options, err := redis.ParseURL(server)
	if err != nil {
		return nil, err
	}
	options.DialerRetries = 1                          // so that an outage shows at once
	options.ReadTimeout, options.WriteTimeout = -1, -1 // only contexts end calls
	return redis.NewClient(options), nil
}

// place connects to the server, or skips the test if there is none. It returns a
// prefix for the test alone.
func place(t testing.TB) (client *redis.Client, prefix string) {
	t.Helper()
	client, err := connect(server())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	store.Require(t, "Redis", client.Ping(ctx).Err())
	prefix = "mfa_test_" + rand.Text()[:12] + ":"
	t.Cleanup(func() {
		defer client.Close()
		keys := client.Scan(context.Background(), 0, prefix+"*", 1000).Iterator()
		for keys.Next(context.Background()) {
			if err := client.Del(context.Background(), keys.Val()).Err(); err != nil {
				t.Error(err)
			}
		}
		if err := keys.Err(); err != nil {
			t.Error(err)
		}
	})
	return client, prefix
}

func newStore(t testing.TB, client redis.UniversalClient, prefix string) *redisstore.Store {
	t.Helper()
	store, err := redisstore.New(client, redisstore.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	client, prefix := place(t)
	mfatest.TestStore(t, func(t *testing.T) mfa.Store {
		prefix += "x" // with the colon, no prefix is the start of another
		return newStore(t, client, prefix+":")
	})
}

func TestProcesses(t *testing.T) {
	_, prefix := place(t)
	store.TestProcesses(t, open, prefix+" "+server())
}

func TestCrash(t *testing.T) {
	_, prefix := place(t)
	store.TestCrash(t, open, prefix+" "+server(), 50)
}

func TestOutage(t *testing.T) { behindProxy(t, store.TestOutage) }
func TestHang(t *testing.T)   { behindProxy(t, store.TestHang) }

func behindProxy(t *testing.T, test func(*testing.T, *store.Proxy, func() (mfa.Store, func(), error))) {
	client, prefix := place(t)
	proxy := store.NewProxy(t, client.Options().Addr)
	address := prefix + " " + strings.Replace(server(), client.Options().Addr, proxy.Addr, 1)
	test(t, proxy, func() (mfa.Store, func(), error) { return open(address) })
}

func TestLimits(t *testing.T) {
	client, prefix := place(t)
	store.TestLimits(t, newStore(t, client, prefix), func(userID string, version int64) {
		if err := client.HSet(t.Context(), prefix+userID, "version", strconv.FormatInt(version, 10)).Err(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestNoExpiry: a record never expires.
func TestNoExpiry(t *testing.T) {
	client, prefix := place(t)
	store := newStore(t, client, prefix)
	for version := range int64(2) {
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Version: version}); err != nil {
			t.Fatal(err)
		}
		if ttl, err := client.TTL(t.Context(), prefix+"ada").Result(); err != nil || ttl != -1 {
			t.Errorf("expires in %v, %v", ttl, err)
		}
	}
}

// TestNewRefusesUnfitClients: New refuses clients that may return old records or
// miss existing ones.
func TestNewRefusesUnfitClients(t *testing.T) {
	good := &redis.Options{Addr: "127.0.0.1:1"}
	goodCluster := &redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}}
	for name, test := range map[string]struct {
		client redis.UniversalClient
		says   string // in the error; "" if the client is accepted
	}{
		"client":              {redis.NewClient(good), ""},
		"cluster":             {redis.NewClusterClient(goodCluster), ""},
		"sentinel":            {redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "m", SentinelAddrs: []string{"127.0.0.1:1"}}), ""},
		"a cache":             {redis.NewClient(&redis.Options{Protocol: 3, ClientSideCacheConfig: &redis.ClientSideCacheConfig{}}), "ClientSideCache"},
		"replicas":            {redis.NewClusterClient(&redis.ClusterOptions{ReadOnly: true}), "ReadOnly"},
		"replicas by latency": {redis.NewClusterClient(&redis.ClusterOptions{RouteByLatency: true}), "RouteByLatency"},
		"replicas at random":  {redis.NewClusterClient(&redis.ClusterOptions{RouteRandomly: true}), "RouteRandomly"},
		"a ring":              {redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}}), "Ring"},
		"none":                {nil, "nil"},
	} {
		_, err := redisstore.New(test.client, redisstore.Options{})
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
		if test.client != nil {
			test.client.Close()
		}
	}
}

// TestErrorsNameTheCure: a mistake of the host's is an error that says what to do
// about it, and never "no record" or a conflict.
func TestErrorsNameTheCure(t *testing.T) {
	client, prefix := place(t)
	store := newStore(t, client, prefix)
	say := func(name string, store *redisstore.Store, want string) {
		t.Helper()
		_, err := store.Load(t.Context(), name)
		for call, err := range map[string]error{"Load": err, "Save": store.Save(t.Context(), mfa.Record{UserID: name, Version: 1})} {
			if call == "Save" && want == "field" {
				continue // Save reads only the version
			}
			if err == nil || errors.Is(err, mfa.ErrNoRecord) || errors.Is(err, mfa.ErrConflict) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %s: %v; want it to say %q", call, name, err, want)
			}
		}
	}
	for _, err := range []error{
		client.Set(t.Context(), prefix+"text", "x", 0).Err(),
		client.HSet(t.Context(), prefix+"half", "version", "1").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	say("text", store, "not a hash")
	say("half", store, "field")
	if err := client.HSet(t.Context(), prefix+"number", "version", "one", "methods", "", "data", "").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(t.Context(), "number"); err == nil || errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("a version that is not a number: %v", err)
	}
	other, err := connect(server())
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	say("ada", newStore(t, other, prefix), "keep it open")
}

// TestUnknownScriptIsSentAgain: a server forgets its scripts when it restarts.
func TestUnknownScriptIsSentAgain(t *testing.T) {
	client, prefix := place(t)
	store := newStore(t, client, prefix)
	for version := range int64(2) {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Version: version}); err != nil {
			t.Error(err)
		}
	}
}

// TestSaveIsNotResent: the client does not resend a Save whose answer was lost,
// since the second would conflict with the first.
func TestSaveIsNotResent(t *testing.T) {
	client, prefix := place(t)
	proxy := store.NewProxy(t, client.Options().Addr)
	options := *client.Options()
	options.Addr, options.MaxRetries = proxy.Addr, 3 // go-redis's default
	through := redis.NewClient(&options)
	defer through.Close()
	store := newStore(t, through, prefix)
	if err := store.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
		t.Fatal(err)
	}
	proxy.LoseAnswer(1)
	if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Version: 1}); err == nil || errors.Is(err, mfa.ErrConflict) {
		t.Errorf("%v, want the error of the network", err)
	}
	if record, err := store.Load(t.Context(), "ada"); err != nil || record.Version != 2 {
		t.Errorf("version %d, %v; want 2, since only the answer was lost", record.Version, err)
	}
}

// panics is a hook of the client's that panics on every command.
type panics struct{}

func (panics) DialHook(next redis.DialHook) redis.DialHook { return next }

func (panics) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (panics) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { panic("a hook's") }
}

// TestPanicReachesTheCaller: a panic in the client comes out of the call, where
// the caller can recover it.
func TestPanicReachesTheCaller(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	client.AddHook(panics{})
	defer func() {
		if p := recover(); p != "a hook's" {
			t.Errorf("panic %v, want the hook's", p)
		}
	}()
	newStore(t, client, "").Load(t.Context(), "ada")
}
