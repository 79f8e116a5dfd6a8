package etcdstore_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/store"
)

// A member passes requests on to the server, as if it were another member of
// its cluster.
type member struct {
	pb.KVServer
	server pb.KVClient
	asked  atomic.Int64           // requests so far
	lose   atomic.Pointer[func()] // called before the next answer to a transaction, which it loses
}

// Range implements [pb.KVServer].
func (m *member) Range(ctx context.Context, request *pb.RangeRequest) (*pb.RangeResponse, error) {
	m.asked.Add(1)
	return m.server.Range(ctx, request)
}

// Txn implements [pb.KVServer].
func (m *member) Txn(_ context.Context, request *pb.TxnRequest) (*pb.TxnResponse, error) {
	m.asked.Add(1)
	response, err := m.server.Txn(context.Background(), request)
	if lose := m.lose.Swap(nil); lose != nil {
		(*lose)()
	}
	return response, err
}

// serve starts a member and returns its host and port.
func (m *member) serve(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, m)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// TestSaveIsNotResent: a Save whose answer was lost is an error, and reaches the
// cluster once, although another of its members could be asked: the second would
// conflict with the first.
func TestSaveIsNotResent(t *testing.T) {
	direct, prefix := place(t)
	losing := &member{server: pb.NewKVClient(direct.ActiveConnection())}
	other := &member{server: losing.server}
	proxy := store.NewProxy(t, losing.serve(t))
	client, err := connect("http://"+proxy.Addr, "http://"+other.serve(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	store := create(t, client, prefix)
	for losing.asked.Load() == 0 || other.asked.Load() == 0 {
		if _, err := store.Load(t.Context(), "nobody"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Fatal(err)
		}
	}
	cut := proxy.Cut
	losing.lose.Store(&cut)
	record := mfa.Record{UserID: "ada"}
	for err = nil; err == nil && record.Version < 10; record.Version++ { // the members take turns
		before := losing.asked.Load() + other.asked.Load()
		err = store.Save(t.Context(), record)
		if asked := losing.asked.Load() + other.asked.Load() - before; asked != 1 {
			t.Errorf("Save of version %d reaches the cluster %d times", record.Version, asked)
		}
	}
	if err == nil || errors.Is(err, mfa.ErrConflict) {
		t.Errorf("%v, want the error of the network", err)
	}
	if stored, err := store.Load(t.Context(), "ada"); err != nil || stored.Version != record.Version {
		t.Errorf("version %d, %v; want %d, since only the answer was lost", stored.Version, err, record.Version)
	}
}
