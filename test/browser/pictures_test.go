package browser

import (
	"bytes"
	"cmp"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/caddymodule"
)

var update = flag.Bool("update", false, "take the pictures in docs/images again")

// pictures are those of docs/console.md.
var pictures = []struct {
	name, path string
	look       Look
}{
	{"console-overview.png", "/", Look{}},
	{"console-overview-dark.png", "/", Look{Dark: true}},
	{"console-live.png", "/live", Look{}},
	{"console-tokens.png", "/tokens", Look{}},
	{"console-break.png", "/break", Look{}},
}

const pictureFolder = "../../docs/images"

// maxPicture is the limit for each picture, in bytes: everyone who clones has them.
const maxPicture = 150_000

// TestPictures looks whether the pictures of docs/console.md are there. With -update it takes
// them again.
func TestPictures(t *testing.T) {
	if *update {
		takePictures(t)
	}
	for _, each := range pictures {
		info, err := os.Stat(filepath.Join(pictureFolder, each.name))
		switch {
		case err != nil:
			t.Errorf("%v; run go test -run Pictures -update here", err)
		case info.Size() > maxPicture:
			t.Errorf("%s has %d bytes, more than %d", each.name, info.Size(), maxPicture)
		}
	}
}

func takePictures(t *testing.T) {
	if err := os.MkdirAll(pictureFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	// An hour of an office, in a moment.
	var back atomic.Int64 // in minutes
	caddymodule.UseClock(func() time.Time { return time.Now().Add(-time.Duration(back.Load()) * time.Minute) })
	t.Cleanup(func() { caddymodule.UseClock(time.Now) })
	back.Store(59)
	c := startConsole(t, rehearse)
	c.play(t, office(), func(turn int) { back.Store(int64(59 - turn)) })
	b := Start(t, "force-color-profile=srgb", "font-render-hinting=none")
	for _, each := range pictures {
		picture := fewColors(t, b.OpenAs(t, c.Page+each.path, each.look).Picture(t))
		if err := os.WriteFile(filepath.Join(pictureFolder, each.name), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fewColors leaves a picture its 256 most frequent colors, which is enough for text.
func fewColors(t *testing.T, picture []byte) []byte {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bounds := decoded.Bounds()
	counts := make(map[color.Color]int)
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			counts[decoded.At(x, y)]++
		}
	}
	colors := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return cmp.Compare(counts[b], counts[a]) })
	few := image.NewPaletted(bounds, colors[:min(len(colors), 256)])
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			few.Set(x, y, decoded.At(x, y))
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
