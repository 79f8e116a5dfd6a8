package otpauth

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"github.com/boombuler/barcode/qr"
)

const (
	quietZone = 4   // modules on each side (ISO/IEC 18004)
	maxWidth  = 400 // pixels
)

// QRCode draws text as the data URL of a one-bit PNG with whole modules.
func QRCode(text string) (string, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("drawing the QR code: %w", err)
	}
	modules := code.Bounds().Dx()
	scale := maxWidth / (modules + 2*quietZone)
	width := scale * (modules + 2*quietZone)
	picture := image.NewPaletted(image.Rect(0, 0, width, width), color.Palette{color.White, color.Black})
	for y := range modules {
		for x := range modules {
			if code.At(x, y) == color.Black {
				fill(picture, (x+quietZone)*scale, (y+quietZone)*scale, scale)
			}
		}
	}
	var b bytes.Buffer
	b.WriteString("data:image/png;base64,")
	encoder := base64.NewEncoder(base64.StdEncoding, &b)
	if err := png.Encode(encoder, picture); err != nil {
		return "", fmt.Errorf("drawing the QR code: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return "", fmt.Errorf("drawing the QR code: %w", err)
	}
	return b.String(), nil
}

// fill blackens a square.
func fill(picture *image.Paletted, left, top, size int) {
	for y := top; y < top+size; y++ {
		for x := left; x < left+size; x++ {
			picture.SetColorIndex(x, y, 1)
		}
	}
}
