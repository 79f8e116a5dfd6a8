package main

import (
	"fmt"
	"image/color"
	"io"
	"strings"

	"github.com/boombuler/barcode/qr"
)

const quietZone = 4 // modules on each side

// drawQR draws text as a QR code in half blocks, each of which shows two modules,
// one above the other. It sets the colors, since apps expect dark on light whatever
// the terminal's colors are.
func drawQR(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return err
	}
	size := code.Bounds().Dx()
	light := func(x, y int) bool {
		inside := x >= 0 && y >= 0 && x < size && y < size
		return !inside || code.At(x, y) != color.Black
	}
	for y := -quietZone; y < size+quietZone; y += 2 {
		var line strings.Builder
		for x := -quietZone; x < size+quietZone; x++ {
			switch top, bottom := light(x, y), light(x, y+1); {
			case top && bottom:
				line.WriteRune('█')
			case top:
				line.WriteRune('▀')
			case bottom:
				line.WriteRune('▄')
			default:
				line.WriteRune(' ')
			}
		}
		if _, err := fmt.Fprintf(w, "   \x1b[97;40m%s\x1b[0m\n", line.String()); err != nil {
			return err
		}
	}
	return nil
}
