package main

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var screenshots = flag.Bool("screenshots", false, "write the README's pictures to screenshots")

// A look is one way in which a page is seen.
type look struct {
	name, scheme  string
	width, height int64
	phone         bool
}

var looks = []look{
	{"light", "light", 900, 640, false},
	{"dark", "dark", 900, 640, false},
	{"phone", "light", 390, 780, true},
}

// The README's pictures are what the pages look like: complete, dark in the
// dark, and as wide as a phone on a phone. The secrets on them are gone with
// the test's database. After a change that is meant, run
// go test -run TestBrowserScreenshots -screenshots .
func TestBrowserScreenshots(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenCodes)
	b := s.chromium()
	b.signUp("ada@example.com").open("/enroll").click("#choose-totp").wants("totp")
	a := b.scanned()
	b.pictures("setup")
	b.answer(a.shows()).wants("backupcodes")
	b.pictures("backup-codes")
	b.click("#saved").wants("security")
	s.clock.Advance(time.Hour)
	b.click("#replace-sms, #add-sms").wants("sms")
	b.fill("#phone", phoneTwo)
	b.click("#submit").wants("prompt")
	b.answer(a.shows()).wants("sms")
	b.answer(b.reads(phoneTwo)).wants("security")
	b.signOut()
	s.clock.Advance(24 * time.Hour)
	b.signIn("ada@example.com").wants("prompt")
	b.pictures("prompt")
	b.answer(a.shows()).wants("dashboard")
	b.open("/security").wants("security")
	b.pictures("security")
}

// pictures takes a page in each look.
func (b *tab) pictures(name string) {
	b.t.Helper()
	light := map[string]float64{}
	evaluate[bool](b, "document.activeElement.blur(), scrollTo(0, 0), true")
	for _, look := range looks {
		b.scheme(look.scheme)
		b.size(look.width, look.height, look.phone)
		if !look.phone { // what is below the window too, within reason
			look.height = min(evaluate[int64](b, "document.documentElement.scrollHeight"), 980)
			b.size(look.width, look.height, look.phone)
		}
		if over := evaluate[int64](b, "document.documentElement.scrollWidth"); over > look.width {
			b.t.Errorf("%s, %s: %d pixels wide in a window of %d", name, look.name, over, look.width)
		}
		taken, err := png.Decode(bytes.NewReader(b.screenshot()))
		if err != nil {
			b.t.Fatal(err)
		}
		if got := taken.Bounds().Size(); got != image.Pt(int(look.width), int(look.height)) {
			b.t.Errorf("%s, %s: %v", name, look.name, got)
		}
		colors, brightness := measure(taken)
		if len(colors) < 10 {
			b.t.Errorf("%s, %s: %d colors only", name, look.name, len(colors))
		}
		light[look.name] = brightness
		b.write(name+"-"+look.name+".png", taken, colors)
	}
	if light["dark"] > light["light"]/2 {
		b.t.Errorf("%s: %.2f bright in the dark, %.2f in the light", name, light["dark"], light["light"])
	}
	b.scheme("light")
	b.size(900, 640, false)
}

// measure counts a picture's colors and tells how bright it is, from 0 to 1.
func measure(picture image.Image) (colors map[color.Color]int, brightness float64) {
	colors = make(map[color.Color]int)
	bounds := picture.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			colors[picture.At(x, y)]++
		}
	}
	for c, n := range colors {
		brightness += float64(color.GrayModel.Convert(c).(color.Gray).Y) / 255 * float64(n)
	}
	return colors, brightness / float64(bounds.Dx()*bounds.Dy())
}

// maxPicture keeps the README light, in bytes.
const maxPicture = 50 << 10

// write keeps a picture, small.
func (b *tab) write(name string, picture image.Image, colors map[color.Color]int) {
	b.t.Helper()
	var small bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&small, paletted(picture, colors)); err != nil {
		b.t.Fatal(err)
	}
	if small.Len() > maxPicture {
		b.t.Errorf("%s has %d bytes", name, small.Len())
	}
	folder := b.t.TempDir()
	if *screenshots {
		folder = "screenshots"
	}
	if err := os.WriteFile(filepath.Join(folder, name), small.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// paletted is the picture in its 256 most frequent colors. The others, on the
// edges of letters, go to the next of them.
func paletted(picture image.Image, colors map[color.Color]int) image.Image {
	all := slices.SortedFunc(maps.Keys(colors), func(a, b color.Color) int { return colors[b] - colors[a] })
	palette := color.Palette(all[:min(256, len(all))])
	index := make(map[color.Color]uint8, len(all))
	for _, c := range all {
		index[c] = uint8(palette.Index(c))
	}
	bounds := picture.Bounds()
	small := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			small.SetColorIndex(x, y, index[picture.At(x, y)])
		}
	}
	return small
}
