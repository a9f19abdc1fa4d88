package browser

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
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

// maxPicture is the limit for each picture, in bytes: everyone who clones has them.
const maxPicture = 150_000

// TestPictures looks whether the pictures of docs/console.md are there. With -update it takes
// them again.
func TestPictures(t *testing.T) {
	const folder = "../../docs/images"
	if *update {
		b := Start(t, "force-color-profile=srgb", "font-render-hinting=none")
		c := startConsole(t, rehearse)
		c.play(t, office())
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, each := range pictures {
			p := b.OpenAs(t, c.Page+each.path, each.look)
			if err := os.WriteFile(filepath.Join(folder, each.name), p.Picture(t), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, each := range pictures {
		info, err := os.Stat(filepath.Join(folder, each.name))
		switch {
		case err != nil:
			t.Errorf("%v; run go test -run Pictures -update here", err)
		case info.Size() > maxPicture:
			t.Errorf("%s has %d bytes, more than %d", each.name, info.Size(), maxPicture)
		}
	}
}
