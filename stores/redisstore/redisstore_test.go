package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
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

// options are those of the stores on the server that the tests find, which keeps
// no append-only file.
func options(prefix string) redisstore.Options {
	return redisstore.Options{Prefix: prefix, InsecureNoAOF: true}
}

// open is a store.Opener. An address is a prefix and a server.
func open(address string) (mfa.Store, func(), error) {
	prefix, server, _ := strings.Cut(address, " ")
	client, err := connect(server)
	if err != nil {
		return nil, nil, err
	}
	store, err := redisstore.New(context.Background(), client, options(prefix))
	if err != nil {
		client.Close()
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

// newStore creates and opens a store.
func newStore(t testing.TB, client redis.UniversalClient, options redisstore.Options) *redisstore.Store {
	t.Helper()
	if err := redisstore.Init(context.Background(), client, options); err != nil {
		t.Fatal(err)
	}
	store, err := redisstore.New(context.Background(), client, options)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// key is the key of a user.
func key(t testing.TB, client *redis.Client, prefix, userID string) string {
	t.Helper()
	keys, err := client.Keys(context.Background(), prefix+"{*}"+userID).Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%q, %v", keys, err)
	}
	return keys[0]
}

func TestStore(t *testing.T) {
	client, prefix := place(t)
	mfatest.TestStore(t, func(t *testing.T) mfa.Store {
		prefix += "x" // with the colon, no prefix is the start of another
		return newStore(t, client, options(prefix+":"))
	})
}

func TestLostStore(t *testing.T) {
	addr := startServer(t, "--appendonly", "yes")
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	mfatest.TestLostStore(t, mfatest.Place{
		Create: func(ctx context.Context) error { return redisstore.Init(ctx, client, redisstore.Options{}) },
		Open:   func(ctx context.Context) (mfa.Store, error) { return redisstore.New(ctx, client, redisstore.Options{}) },
		Wipe:   func(ctx context.Context) error { return client.FlushAll(ctx).Err() },
	})
}

// TestPartlyLostStore: where some of the markers are gone, as with one of the
// primaries of a cluster, users beside them do not count as users without MFA, and
// neither New nor Init takes the rest for a store.
func TestPartlyLostStore(t *testing.T) {
	client, prefix := place(t)
	running := newStore(t, client, options(prefix))
	keys, err := client.Keys(t.Context(), prefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Del(t.Context(), keys[:len(keys)/2]...).Err(); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for i := range 100 {
		id := fmt.Sprint("user ", i)
		_, err := running.Load(t.Context(), id)
		saved := running.Save(t.Context(), mfa.Record{UserID: id})
		if errors.Is(err, mfa.ErrNoRecord) != (saved == nil) {
			t.Errorf("%s: Load: %v, Save: %v", id, err, saved)
		}
		if !errors.Is(err, mfa.ErrNoRecord) {
			lost++
		}
	}
	if lost == 0 || lost == 100 {
		t.Errorf("%d of 100 users are lost", lost)
	}
	_, err = redisstore.New(t.Context(), client, options(prefix))
	for doing, err := range map[string]error{"New": err, "Init": redisstore.Init(t.Context(), client, options(prefix))} {
		if err == nil || !strings.Contains(err.Error(), "a part of this store") {
			t.Errorf("%s: %v", doing, err)
		}
	}
}

// TestInitAtOnce: of many that create a store at the same time, each finds it
// created, once, and no marker is that of another.
func TestInitAtOnce(t *testing.T) {
	client, prefix := place(t)
	for round := range 5 {
		options := options(fmt.Sprint(prefix, round, ":"))
		errs := make([]error, 8)
		var done sync.WaitGroup
		for i := range errs {
			done.Go(func() {
				if errs[i] = redisstore.Init(t.Context(), client, options); errs[i] == nil {
					_, errs[i] = redisstore.New(t.Context(), client, options)
				}
			})
		}
		done.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInterruptedInit: a store whose creation was interrupted is not complete, and
// Init completes it unless something else was written meanwhile.
func TestInterruptedInit(t *testing.T) {
	client, prefix := place(t)
	options := options(prefix)
	newStore(t, client, options)
	first := prefix + "{0}"
	identity, err := client.Get(t.Context(), first).Result()
	if err != nil {
		t.Fatal(err)
	}
	interrupt := func(others func(key string)) {
		client.Set(t.Context(), first, "unfinished:"+identity, 0)
		for n := 1; n < 1024; n += 3 {
			others(fmt.Sprintf("%s{%d}", prefix, n))
		}
		if _, err := redisstore.New(t.Context(), client, options); err == nil || !strings.Contains(err.Error(), "call it again") {
			t.Errorf("New on a store that is not complete: %v", err)
		}
	}
	interrupt(func(key string) { client.Del(t.Context(), key) })
	if _, err := newStore(t, client, options).Load(t.Context(), "ada"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("Load from a store that was completed: %v", err)
	}
	interrupt(func(key string) { client.Set(t.Context(), key, "another", 0) })
	if err := redisstore.Init(t.Context(), client, options); err == nil || !strings.Contains(err.Error(), "a part of this store") {
		t.Errorf("Init beside markers of another: %v", err)
	}
}

func TestProcesses(t *testing.T) { store.TestProcesses(t, open, address(t)) }
func TestCrash(t *testing.T)     { store.TestCrash(t, open, address(t), 50) }

// address returns the address of a new store.
func address(t *testing.T) string {
	client, prefix := place(t)
	newStore(t, client, options(prefix))
	return prefix + " " + server()
}

func TestOutage(t *testing.T) { behindProxy(t, store.TestOutage) }
func TestHang(t *testing.T)   { behindProxy(t, store.TestHang) }

func behindProxy(t *testing.T, test func(*testing.T, *store.Proxy, func() (mfa.Store, func(), error))) {
	client, _ := place(t)
	proxy := store.NewProxy(t, client.Options().Addr)
	address := strings.Replace(address(t), client.Options().Addr, proxy.Addr, 1)
	test(t, proxy, func() (mfa.Store, func(), error) { return open(address) })
}

func TestLimits(t *testing.T) {
	client, prefix := place(t)
	store.TestLimits(t, newStore(t, client, options(prefix)), func(userID string, version int64) {
		if err := client.HSet(t.Context(), key(t, client, prefix, userID), "version", strconv.FormatInt(version, 10)).Err(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestNoExpiry: a record never expires.
func TestNoExpiry(t *testing.T) {
	client, prefix := place(t)
	store := newStore(t, client, options(prefix))
	for version := range int64(2) {
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Version: version}); err != nil {
			t.Fatal(err)
		}
		if ttl, err := client.TTL(t.Context(), key(t, client, prefix, "ada")).Result(); err != nil || ttl != -1 {
			t.Errorf("expires in %v, %v", ttl, err)
		}
	}
}

// TestNewRefusesUnfitClients: New refuses clients that may return old records or
// miss existing ones.
func TestNewRefusesUnfitClients(t *testing.T) {
	good, prefix := place(t)
	newStore(t, good, options(prefix))
	withCache := *good.Options()
	withCache.Protocol, withCache.ClientSideCacheConfig = 3, &redis.ClientSideCacheConfig{}
	for name, test := range map[string]struct {
		client redis.UniversalClient
		says   string // in the error; "" if the client is accepted
	}{
		"a client":            {good, ""},
		"a cache":             {redis.NewClient(&withCache), "ClientSideCache"},
		"replicas":            {redis.NewClusterClient(&redis.ClusterOptions{ReadOnly: true}), "ReadOnly"},
		"replicas by latency": {redis.NewClusterClient(&redis.ClusterOptions{RouteByLatency: true}), "RouteByLatency"},
		"replicas at random":  {redis.NewClusterClient(&redis.ClusterOptions{RouteRandomly: true}), "RouteRandomly"},
		"a ring":              {redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}}), "Ring"},
		"none":                {nil, "nil"},
	} {
		_, opened := redisstore.New(t.Context(), test.client, options(prefix))
		created := redisstore.Init(t.Context(), test.client, options(prefix))
		for doing, err := range map[string]error{"New": opened, "Init": created} {
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("%s with %s: %v, want %q", doing, name, err, test.says)
			}
		}
		if test.client != nil && test.client != redis.UniversalClient(good) {
			test.client.Close()
		}
	}
}

// TestNewRefusesUnfitServers: New refuses servers that may lose records, as far as
// they tell.
func TestNewRefusesUnfitServers(t *testing.T) {
	check := func(name string, client *redis.Client, options redisstore.Options, says string) {
		t.Helper()
		err := redisstore.Init(t.Context(), client, options)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	volatile := startClient(t)
	check("no append-only file", volatile, redisstore.Options{}, "appendonly yes")
	check("no append-only file, as wanted", volatile, redisstore.Options{InsecureNoAOF: true}, "")
	evicting := startClient(t, "--appendonly", "yes", "--maxmemory-policy", "allkeys-lru")
	check("eviction", evicting, redisstore.Options{InsecureNoAOF: true, InsecureFailover: true}, "noeviction")
	check("a server on its own", startClient(t, "--appendonly", "yes", "--maxmemory-policy", "volatile-ttl"), redisstore.Options{}, "")
	primary, replica := startPair(t)
	check("a replica", replica, redisstore.Options{InsecureFailover: true}, "connect to the primary")
	check("a primary with a replica", primary, redisstore.Options{}, "InsecureFailover")
	check("a primary with a replica, as wanted", primary, redisstore.Options{InsecureFailover: true}, "")
}

// TestReplicas: with Options.Replicas, what Save acknowledges is on a replica, and
// no Save is sent twice. Load fails below min-replicas-to-write, and once the primary
// is a replica itself.
func TestReplicas(t *testing.T) {
	primary, replica := startPair(t)
	options := redisstore.Options{Replicas: 1, InsecureFailover: true}
	running := newStore(t, primary, options)
	if err := running.Save(t.Context(), mfa.Record{UserID: "ada"}); err != nil {
		t.Fatal(err)
	}
	if version, err := replica.HGet(t.Context(), key(t, primary, "mfa_users:", "ada"), "version").Result(); err != nil || version != "1" {
		t.Errorf("the replica has version %q, %v", version, err)
	}
	proxy := store.NewProxy(t, primary.Options().Addr)
	through := redis.NewClient(&redis.Options{Addr: proxy.Addr, MaxRetries: 3})
	defer through.Close()
	store.TestLostAnswers(t, proxy, newStore(t, through, options))

	tooMany := newStore(t, primary, redisstore.Options{Replicas: 2, InsecureFailover: true})
	if err := tooMany.Save(t.Context(), mfa.Record{UserID: "bob"}); err == nil || errors.Is(err, mfa.ErrConflict) || !strings.Contains(err.Error(), "Options.Replicas") {
		t.Errorf("with one replica of two: %v", err)
	}

	if err := primary.ConfigSet(t.Context(), "min-replicas-to-write", "2").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := running.Load(t.Context(), "nobody"); err == nil || errors.Is(err, mfa.ErrNoRecord) || !strings.Contains(err.Error(), "NOREPLICAS") {
		t.Errorf("Load from a primary with too few replicas: %v", err)
	}
	if err := primary.ConfigSet(t.Context(), "min-replicas-to-write", "0").Err(); err != nil {
		t.Fatal(err)
	}

	host, port, _ := strings.Cut(replica.Options().Addr, ":")
	if err := primary.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"ada", "nobody"} {
		if _, err := running.Load(t.Context(), id); err == nil || errors.Is(err, mfa.ErrNoRecord) || !strings.Contains(err.Error(), "connect to the primary") {
			t.Errorf("Load of %s from a replica: %v", id, err)
		}
	}
}

// TestErrorsNameTheCure: a mistake of the host's is an error that says what to do
// about it, and never "no record" or a conflict.
func TestErrorsNameTheCure(t *testing.T) {
	client, prefix := place(t)
	store := newStore(t, client, options(prefix))
	say := func(name string, store *redisstore.Store, want string) {
		t.Helper()
		_, err := store.Load(t.Context(), name)
		for call, err := range map[string]error{"Load": err, "Save": store.Save(t.Context(), mfa.Record{UserID: name, Version: 2})} {
			if call == "Save" && want == "something else" {
				continue // Save reads only the version
			}
			if err == nil || errors.Is(err, mfa.ErrNoRecord) || errors.Is(err, mfa.ErrConflict) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %s: %v; want it to say %q", call, name, err, want)
			}
		}
	}
	for _, id := range []string{"text", "half", "number"} {
		if err := store.Save(t.Context(), mfa.Record{UserID: id}); err != nil {
			t.Fatal(err)
		}
	}
	text := key(t, client, prefix, "text")
	for _, err := range []error{
		client.Del(t.Context(), text).Err(),
		client.Set(t.Context(), text, "x", 0).Err(),
		client.HDel(t.Context(), key(t, client, prefix, "half"), "data").Err(),
		client.HSet(t.Context(), key(t, client, prefix, "number"), "version", "one").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	say("text", store, "not a hash")
	say("half", store, "something else")
	say("number", store, "something else")
	other, err := connect(server())
	if err != nil {
		t.Fatal(err)
	}
	closed := newStore(t, other, options(prefix))
	other.Close()
	say("ada", closed, "keep it open")
}

// TestUnknownScriptIsSentAgain: a server forgets its scripts when it restarts.
func TestUnknownScriptIsSentAgain(t *testing.T) {
	client, prefix := place(t)
	store := newStore(t, client, options(prefix))
	for version := range int64(2) {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := store.Save(t.Context(), mfa.Record{UserID: "ada", Version: version}); err != nil {
			t.Error(err)
		}
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if record, err := store.Load(t.Context(), "ada"); err != nil || record.Version != version+1 {
			t.Errorf("version %d, %v", record.Version, err)
		}
	}
}

// TestLostAnswers runs with a client that resends commands, as go-redis does by
// default.
func TestLostAnswers(t *testing.T) {
	client, prefix := place(t)
	proxy := store.NewProxy(t, client.Options().Addr)
	options := *client.Options()
	options.Addr, options.MaxRetries = proxy.Addr, 3
	through := redis.NewClient(&options)
	defer through.Close()
	store.TestLostAnswers(t, proxy, newStore(t, through, redisstore.Options{Prefix: prefix, InsecureNoAOF: true}))
}

// TestDeadlinesWithoutGoroutine: a client that keeps deadlines itself ends calls
// while the server hangs.
func TestDeadlinesWithoutGoroutine(t *testing.T) {
	client, prefix := place(t)
	proxy := store.NewProxy(t, client.Options().Addr)
	through := *client.Options()
	through.Addr, through.ContextTimeoutEnabled = proxy.Addr, true
	punctual := redis.NewClient(&through)
	defer punctual.Close()
	running := newStore(t, punctual, options(prefix))
	var seen stack
	punctual.AddHook(&seen)
	if _, err := running.Load(t.Context(), "ada"); !errors.Is(err, mfa.ErrNoRecord) || !strings.Contains(seen.last, t.Name()+"(") {
		t.Errorf("%v, called from another goroutine:\n%s", err, seen.last)
	}
	proxy.Hang()
	defer proxy.Restore()
	for name, call := range map[string]func(ctx context.Context) error{
		"Load":   func(ctx context.Context) error { _, err := running.Load(ctx, "ada"); return err },
		"Save":   func(ctx context.Context) error { return running.Save(ctx, mfa.Record{UserID: "ada"}) },
		"Delete": func(ctx context.Context) error { return running.Delete(ctx, "ada") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- call(ctx) }()
		select {
		case err := <-ended:
			if err == nil || errors.Is(err, mfa.ErrNoRecord) || errors.Is(err, mfa.ErrConflict) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(store.Patience):
			t.Fatalf("%s does not end with its deadline", name)
		}
	}
}

// A stack is a hook of the client's that keeps the stack of the last command.
type stack struct{ last string }

func (s *stack) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *stack) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s *stack) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		s.last = string(debug.Stack())
		return next(ctx, command)
	}
}

// panics is a hook of the client's that panics on every script.
type panics struct{}

func (panics) DialHook(next redis.DialHook) redis.DialHook { return next }

func (panics) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (panics) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			panic("a hook's")
		}
		return next(ctx, cmd)
	}
}

// TestPanicReachesTheCaller: a panic in the client comes out of the call, where
// the caller can recover it.
func TestPanicReachesTheCaller(t *testing.T) {
	client, prefix := place(t)
	store := newStore(t, client, options(prefix))
	client.AddHook(panics{})
	defer func() {
		if p := recover(); p != "a hook's" {
			t.Errorf("panic %v, want the hook's", p)
		}
	}()
	store.Load(t.Context(), "ada")
}
