// Package qr reads the QR codes of enrollments with two independent decoders,
// zbarimg and a port of ZXing, up to the longest URI that the engine draws.
// Without it, a code that no phone reads would pass: the other tests compare the
// code only with the output of the library that drew it.
//
// It has tests only and nothing to import. They take a few seconds:
//
//	go test ./internal/proof/qr
package qr
