package decision

import (
	"regexp"
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/judge"
)

// TestLists: the shipped files remove every conflicting header by its name.
func TestLists(t *testing.T) {
	for name, pattern := range map[string]string{
		"caddy/Caddyfile":     `(?m)^\t\trequest_header -([A-Za-z0-9-]+)$`,
		"traefik/dynamic.yml": `(?m)^          ([A-Za-z0-9-]+): ""$`,
	} {
		t.Run(name, func(t *testing.T) {
			var listed []string
			for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(shipped(t, name), -1) {
				if judge.Conflicts(match[1]) {
					listed = append(listed, match[1])
				}
			}
			if want := judge.ConflictingHeaders(); !slices.Equal(listed, want) {
				t.Errorf("lists\n%q\nand there are\n%q", listed, want)
			}
		})
	}
}
