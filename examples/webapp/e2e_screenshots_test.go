package main

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

var screenshots = flag.Bool("screenshots", false, "write the README's pictures to the folder screenshots")

// pictures takes screenshots of a page on a desktop, a tablet and a phone, in the
// light and in the dark, of which the README shows those that have names. It
// checks that the page is dark in the dark and no wider than its window.
func (b *tab) pictures(name string) {
	b.t.Helper()
	light := map[string]float64{}
	evaluate[bool](b, "document.activeElement.blur(), scrollTo(0, 0), true")
	for _, look := range []struct {
		name, scheme  string
		width, height int64
		phone         bool
	}{
		{"light", "light", 1280, 720, false},
		{"", "dark", 1280, 720, false},
		{"", "light", 768, 640, false},
		{"dark", "dark", 768, 640, false},
		{"phone", "light", 375, 780, true},
		{"", "dark", 375, 780, true},
	} {
		b.scheme(look.scheme)
		b.size(look.width, look.height, look.phone)
		if !look.phone { // include what is below the window, within reason
			look.height = min(evaluate[int64](b, "document.documentElement.scrollHeight"), 1200)
			b.size(look.width, look.height, look.phone)
		}
		b.wantsWidth(look.width)
		picture, err := png.Decode(bytes.NewReader(b.screenshot()))
		if err != nil {
			b.t.Fatal(err)
		}
		if got := picture.Bounds().Size(); got != image.Pt(int(look.width), int(look.height)) {
			b.t.Errorf("%s, %s: %v", name, look.name, got)
		}
		light[look.scheme] = brightness(picture)
		if !*screenshots || name == "" || look.name == "" {
			continue
		}
		b.write(filepath.Join("screenshots", name+"-"+look.name+".png"), paletted(picture))
	}
	if light["dark"] > light["light"]/2 {
		b.t.Errorf("%s: %.2f bright in the dark, %.2f in the light", name, light["dark"], light["light"])
	}
	b.scheme("light")
	b.size(900, 640, false)
}

// brightness returns the mean brightness of a picture's every tenth row and
// column, from 0 to 1.
func brightness(picture image.Image) float64 {
	bounds := picture.Bounds()
	var sum, n float64
	for y := bounds.Min.Y; y < bounds.Max.Y; y += 10 {
		for x := bounds.Min.X; x < bounds.Max.X; x += 10 {
			sum += float64(color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y) / 255
			n++
		}
	}
	return sum / n
}

func (b *tab) write(path string, picture image.Image) {
	b.t.Helper()
	var file bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&file, picture); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// paletted returns a picture in its 256 most frequent colors, which makes its file
// small.
func paletted(picture image.Image) image.Image {
	bounds := picture.Bounds()
	counts := make(map[color.Color]int)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[picture.At(x, y)]++
		}
	}
	colors := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	small := image.NewPaletted(bounds, colors[:min(256, len(colors))])
	draw.Draw(small, bounds, picture, bounds.Min, draw.Src)
	return small
}
