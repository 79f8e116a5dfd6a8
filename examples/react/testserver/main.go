// Testserver serves what the browser tests and the guide's Node code call: the
// endpoints of package mfahttp over users and sessions in memory, and the built
// application under /app/. It is for tests only: passwords are in the clear, and
// /test/messages shows everybody's.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
	"github.com/protekt/mfa/webauthn"
)

func main() {
	addr := flag.String("addr", "localhost:0", "the address to listen on")
	dist := flag.String("app", "app/dist", "the built application")
	flag.Parse()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	origin := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	handler, err := newHost(origin, *dist)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin) // the tests wait for this line
	log.Fatal(http.Serve(listener, handler))
}

func newHost(origin, dist string) (http.Handler, error) {
	passkeys, err := webauthn.New(webauthn.Config{RPID: "localhost", Origins: []string{origin}})
	if err != nil {
		return nil, err
	}
	h := &host{users: make(map[string]*user), sessions: make(map[string]*session), refresh: make(map[string]*session)}
	store := mfa.NewMemoryStore()
	h.engine, err = mfa.New(mfa.Config{
		Issuer:   "Protekt",
		Store:    store,
		Keys:     [][]byte{newKey()},
		SMS:      &h.outbox,
		SMSCodes: mfa.SMSConfig{Numbers: mfa.NewMemoryStore()},
		Passkeys: passkeys,
		Required: func(context.Context, string) (bool, error) { return h.required.Load(), nil },
		Now:      h.now,
	})
	if err != nil {
		return nil, err
	}
	if h.api, err = mfahttp.New(mfahttp.Config{Engine: h.engine, Session: h, Now: h.now}); err != nil {
		return nil, err
	}
	return h.routes(dist), nil
}
