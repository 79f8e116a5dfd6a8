// Package qr reads the QR codes of enrollments with two decoders that are not
// ours, zbarimg and a port of ZXing, up to the longest URI that the engine draws.
// Without it, a code that no phone reads would pass: the other tests compare it
// with what the library that drew it says.
//
// It has tests only and nothing to import. They take a few seconds:
//
//	go test ./internal/proof/qr
package qr
