package hardening

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
)

// TestNames: requests for file names as people use them pass and arrive unchanged.
func TestNames(t *testing.T) {
	r := startRig(t, "")
	for _, name := range attacks.FileNames {
		t.Run(name.Name, func(t *testing.T) {
			for _, sent := range name.Paths() {
				for _, method := range []string{"PUT", "GET", "DELETE"} {
					for _, got := range r.try(t, request(method, sent, "files"), passes) {
						if got.Path != sent {
							t.Errorf("%s arrived as %s", sent, got.Path)
						}
					}
				}
			}
		})
	}
	// Slashes that are data, and escapes in either case.
	for _, sent := range []string{"a%2Fb", "a%2fb", "a%2Bb", "%7Ea", "%41", "a/", "a//b", "a/./b", "a/../b"} {
		t.Run(sent, func(t *testing.T) {
			r.try(t, request("GET", "/api/2.0/fs/files/Volumes/main/default/v/"+sent, "files"), passes)
		})
	}
}
