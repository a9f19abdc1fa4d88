package gatewaycmd

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

var (
	caddyfileBlock = regexp.MustCompile("(?ms)^( *)```caddyfile\n(.*?)^ *```")
	// ofPlugin is the block of a directive that a plugin by others has.
	ofPlugin = regexp.MustCompile(`(?ms)^\t\trate_limit [^\n]*\n.*?^\t\t\}\n`)
	// ofGateway is a site with a gateway, or settings for one.
	ofGateway = regexp.MustCompile(`(?m)^https?://[^{\n]+ \{\n(.*\n)*?\tdatabricks_|^\tdatabricks \{`)
)

// TestExamplesCloseAdmin: whoever starts from an example has no admin API on TCP.
func TestExamplesCloseAdmin(t *testing.T) {
	examples := 0
	check := func(name, content string) {
		if !ofGateway.MatchString(content) {
			return
		}
		examples++
		content = ofPlugin.ReplaceAllString(content, "")
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(strings.ReplaceAll(content, "<name>", "example")), nil)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, content)
			return
		}
		if !regexp.MustCompile(`"admin":\{("disabled":true|"listen":"unix//[^"]*\|0600")`).Match(adapted) {
			t.Errorf("%s leaves the admin API open:\n%s", name, content)
		}
	}
	root := "../.."
	example, err := os.ReadFile(filepath.Join(root, "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	check("Caddyfile.example", string(example))
	for _, folder := range []string{"README.md", "docs", "deploy", "bench/README.md"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
				return err
			}
			content, err := os.ReadFile(path)
			for _, block := range caddyfileBlock.FindAllStringSubmatch(string(content), -1) {
				check(path, strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")[1:]) // in a list it is indented
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if examples < 4 {
		t.Errorf("found %d examples", examples)
	}
}
