package clients_test

import (
	"log"
	"os"
	"strings"

	"golang.org/x/mod/modfile"
)

// moduleVersion returns the version of a module that go.mod pins.
func moduleVersion(path string) string {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		log.Fatal(err)
	}
	pins, err := modfile.ParseLax("go.mod", text, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, pin := range pins.Require {
		if pin.Mod.Path == path {
			return strings.TrimPrefix(pin.Mod.Version, "v")
		}
	}
	log.Fatalf("go.mod does not require %s", path)
	return ""
}
