package store

import (
	"net"
	"sync"
	"testing"
)

// A Proxy stands between a client and its server, so that a test can cut off its
// own client and no other.
type Proxy struct {
	Addr string // host and port to connect to

	server   string
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	gone    bool // refuse connections
	hangs   bool // pass nothing on
	loses   int  // drop the answer so many from now, and its connection
	pairs   map[net.Conn]net.Conn
}

// NewProxy starts a proxy in front of the server at that host and port. It runs
// until the test ends.
func NewProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: listener.Addr().String(), server: server, listener: listener, pairs: make(map[net.Conn]net.Conn)}
	p.changed = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.Cut()
		p.Restore()
		p.running.Wait()
	})
	return p
}

// accept passes on connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		gone := p.gone
		p.mu.Unlock()
		if gone {
			client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.pairs[client] = server
		p.mu.Unlock()
		p.running.Go(func() { p.pass(server, client, &p.loses) })
		p.running.Go(func() {
			p.pass(client, server, new(int))
			p.mu.Lock()
			delete(p.pairs, client)
			p.mu.Unlock()
		})
	}
}

// pass copies from one connection to the other until either ends, then closes
// both. It counts *loses down when data arrives; at the last of them it drops the
// data and ends.
func (p *Proxy) pass(from, to net.Conn, loses *int) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		for p.hangs {
			p.changed.Wait()
		}
		lost := false
		if n > 0 && *loses > 0 {
			*loses--
			lost = *loses == 0
		}
		p.mu.Unlock()
		if lost {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Cut closes every connection and refuses new ones, as if the server were gone.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for client, server := range p.pairs {
		client.Close()
		server.Close()
	}
}

// Hang stops passing data on, in either direction. Connections stay open.
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangs = true
}

// LoseAnswer drops the nth answer of the server from now and closes its
// connection: the request is carried out, but the client does not learn of it.
func (p *Proxy) LoseAnswer(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loses = n
}

// Restore undoes Cut, Hang and LoseAnswer.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone, p.hangs, p.loses = false, false, 0
	p.changed.Broadcast()
}

// Open returns the number of open connections.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pairs)
}
