// Package proof holds what proves the engine and ships in no host. The root's own
// tests are its specification by example, a file for each noun; the packages
// below this one each show something that those cannot:
//
//	package  shows                                                      seconds  command
//	(root)   what each operation does                                         3  go test .
//	attack   no published class of flaws is present                          12  go test ./internal/proof/attack
//	model    any order of calls ends as a small model says                    8  go test ./internal/proof/model
//	fuzz     arbitrary bytes, names and records do no harm                    1  go test ./internal/proof/fuzz
//	qr       QR codes are read by decoders that are not ours                  6  go test ./internal/proof/qr
//	load     nothing is lost or grows under load; a flood keeps nobody out   10  go test ./internal/proof/load
//	openapi  the endpoints answer as their OpenAPI document says               4  go test ./internal/proof/openapi
//	timing   the time of a refusal does not depend on a secret               60  MFA_TEST_TIMING=1 go test -v ./internal/proof/timing
//	house    the rules of this repository are kept                            3  go test ./internal/proof/house
//	store    what a store must show on a real server; each store runs it      -  go test ./... in stores/*
//	cluster  stores keep their word while nodes are killed and cut off      260  MFA_TEST_CLUSTER=1 go test -v -timeout 30m ./internal/proof/cluster
//	flaw     injects flaws, so that attack and model show what they catch  1500  MFA_TEST_FLAWS=1 go test -timeout 1h ./internal/proof/flaw
//	world    helpers that two or more of these use                            -
//
// Seconds are those of two quiet cores with a warm build cache. cluster, load,
// model, openapi and qr are modules of their own. -short leaves out what takes
// longest, and says so; MFA_TEST_LONG=1, MFA_TEST_SOAK and MFA_TEST_FLOOD make
// cluster, model, attack and load search further.
package proof
