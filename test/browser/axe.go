package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// axeFile is axe-core, which npm ci installs here.
const axeFile = "node_modules/axe-core/axe.min.js"

// axe is the script that looks for barriers, or why there is none.
var axe = sync.OnceValues(func() (string, error) {
	if _, err := os.Stat(axeFile); err != nil {
		npm, err := exec.LookPath("npm")
		if err != nil {
			return "", fmt.Errorf("npm is not installed, so pages are not checked for barriers: %w", err)
		}
		if out, err := exec.Command(npm, "ci", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
			return "", fmt.Errorf("npm ci: %w\n%s", err, out)
		}
	}
	script, err := os.ReadFile(axeFile)
	return string(script), err
})

// Barriers returns what keeps people with disabilities from using the page, by the rules of
// WCAG 2.2 AA and axe-core's best practices, or by some of its rules. Without axe-core it
// logs so, and returns none.
func (p *Page) Barriers(t testing.TB, rules ...string) (all []string) {
	t.Helper()
	script, err := axe()
	if err != nil {
		t.Log(err)
		return nil
	}
	if !Eval[bool](t, p, "!!window.axe") {
		Eval[bool](t, p, script+"\n;true")
	}
	only := map[string]any{"type": "tag", "values": []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"}}
	if len(rules) > 0 {
		only = map[string]any{"type": "rule", "values": rules}
	}
	options, err := json.Marshal(map[string]any{"runOnly": only, "resultTypes": []string{"violations"}, "preload": false})
	if err != nil {
		t.Fatal(err)
	}
	found := Eval[[]struct {
		ID, Help string
		Nodes    []string
	}](t, p, fmt.Sprintf(`axe.run(document, %s).then(r => r.violations.map(v => ({
		ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + (n.any[0]?.message ?? ""))})))`, options))
	for _, v := range found {
		all = append(all, fmt.Sprintf("%s: %s\n\t%s", v.ID, v.Help, strings.Join(v.Nodes, "\n\t")))
	}
	return all
}
