// Package proof holds what proves the engine and ships in no host. The root's own
// tests are its specification by example, a file for each noun; the packages
// below this one each show something that those cannot:
//
//	package  shows                                                    command
//	(root)   what each operation does                                 go test .
//	attack   no published class of flaws is present                   go test ./internal/proof/attack
//	model    any order of calls ends as a small model says            go test ./internal/proof/model
//	fuzz     arbitrary bytes, names and records do no harm            go test ./internal/proof/fuzz
//	qr       QR codes are read by decoders that are not ours          go test ./internal/proof/qr
//	flood    many wrong codes at once take no memory, keep nobody out go test ./internal/proof/flood
//	openapi  the endpoints answer as their OpenAPI document says      go test ./internal/proof/openapi
//	house    the rules of this repository are kept                    go test ./internal/proof/house
//	store    what a store must show on a real server                  go test ./... in stores/*
//	cluster  stores keep their word while nodes are killed, cut off   MFA_TEST_CLUSTER=1 go test -v -timeout 30m ./internal/proof/cluster
//	flaw     injects flaws, to show what the others catch             MFA_TEST_FLAWS=1 go test -timeout 1h ./internal/proof/flaw
//	world    helpers that two or more of these use
//
// cluster takes minutes and flaw half an hour, so they run on request; attack
// takes the longest of the others. cluster, model, openapi and qr are modules of
// their own. -short leaves out what takes longest, and says so; MFA_TEST_LONG=1
// and MFA_TEST_FLOOD make cluster, model, attack and flood search further.
package proof
