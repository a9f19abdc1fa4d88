package console

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestGuide: every site of the guide can be pasted into a Caddyfile.
func TestGuide(t *testing.T) {
	content, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```\n(.*?)```").FindAllStringSubmatch(string(content), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d sites", len(blocks))
	}
	for _, block := range blocks {
		site := strings.ReplaceAll(block[1], "<hash>", "$2b$04$PbXT1fCHB5kl4JSH7kia9egMbMrXn2xDn9pLk1g6WzLIyfQmVhgQG")
		if adapted, err := harness.Adapt(site); err != nil || !strings.Contains(string(adapted), `"databricks_console"`) {
			t.Errorf("%v\n%s", err, site)
		}
	}
}

// TestGuideOnThisMachine: the first site of the guide shows the page by all names of this machine, and
// by no others.
func TestGuideOnThisMachine(t *testing.T) {
	content, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	block := regexp.MustCompile("(?s)```\n(.*?)```").FindStringSubmatch(string(content))[1]
	if err := s.loadCaddyfile(t, strings.NewReplacer("2020", "PORT", " [::1]", "").Replace(block)); err != nil {
		t.Fatal(err)
	}
	for named, want := range map[string]int{"localhost": http.StatusOK, "127.0.0.1": http.StatusOK, "[::1]": http.StatusOK, "attacker.example.com": http.StatusMisdirectedRequest} {
		answer := harness.Do(t, harness.Client(t), at(harness.NewRequest(t, http.MethodGet, "http://127.0.0.1:"+s.port+"/live", "", nil), named))
		if answer.StatusCode != want || answer.Body == "" {
			t.Errorf("Host: %s: %d, want %d; %d bytes", named, answer.StatusCode, want, len(answer.Body))
		}
	}
}

// at is a request with another Host.
func at(r *http.Request, named string) *http.Request {
	r.Host = named
	return r
}
