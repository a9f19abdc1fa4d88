package history

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// now is the time of all tests.
var now = time.Date(2026, 3, 4, 12, 34, 56, 0, time.UTC)

func TestPeriods(t *testing.T) {
	t.Parallel()
	for _, p := range Periods {
		if g := gridOf(p, now); g.bins > 180 || p.Length%p.Step != 0 || g.bins < 12 {
			t.Errorf("%s has %d bins", p.Name, g.bins)
		}
	}
}

func TestGrid(t *testing.T) {
	t.Parallel()
	g := gridOf(Periods[0], now)
	first, last := time.Date(2026, 3, 4, 6, 30, 0, 0, time.UTC), time.Date(2026, 3, 4, 12, 30, 0, 0, time.UTC)
	if g.bins != 72 || !g.begins(0).Equal(first) || !g.last.Equal(last) {
		t.Fatalf("%+v, from %s", g, g.begins(0))
	}
	for _, test := range []struct {
		name string
		at   time.Time
		bin  int
		ok   bool
	}{
		{"the first", first.Add(5 * time.Minute), 0, true},
		{"the second", first.Add(10 * time.Minute), 1, true},
		{"the last", last, 71, true},
		{"before the first", first, 0, false},
		{"after the last", last.Add(time.Second), 0, false},
		{"in another age", time.Unix(0, 0), 0, false},
	} {
		if bin, ok := g.bin(float64(test.at.Unix())); bin != test.bin || ok != test.ok {
			t.Errorf("%s: %d %t", test.name, bin, ok)
		}
	}
	parameters := g.parameters("up")
	if parameters.Get("start") != "1772606100" || parameters.Get("end") != "1772627400" || parameters.Get("step") != "300" {
		t.Errorf("%v", parameters)
	}
}

// TestQuery: Prometheus understands it, whatever is matched.
func TestQuery(t *testing.T) {
	t.Parallel()
	text := query([]Match{{"job", "scopegate"}, {"team", `a"} or vector(1) or x{y="\`}}, time.Hour)
	if want := `sum by (decision, reason, mode) (increase(scopegate_decisions_total{decision!="",job="scopegate",team="a\"} or vector(1) or x{y=\"\\"}[3600s])) or `; !strings.HasPrefix(text, want) {
		t.Errorf("got %s", text)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	rules, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "x", "rules": []any{map[string]string{"record": "x", "expr": text}}}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yml") // JSON is YAML
	if err := os.WriteFile(file, rules, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestParseMatch(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"job=scopegate":                  "",
		"team=a=b":                       "",
		"_x1=\u202e\x00":                 "",
		"job":                            "needs a label and its value",
		"job=":                           "needs a label and its value",
		"=x":                             "needs a label and its value",
		`a"=x`:                           "needs a label and its value",
		"1a=x":                           "needs a label and its value",
		"__name__=up":                    "needs a label and its value",
		"reason=permitted":               "that label tells decisions apart",
		"a=" + strings.Repeat("x", 1000): "at most 256",
	} {
		_, err := ParseMatch(text)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, url string
		insecure  bool
		says      string
	}{
		{"this machine", "http://localhost:9090", false, ""},
		{"private network", "http://10.1.2.3:9090/", false, ""},
		{"service of a cluster", "http://prometheus.monitoring.svc:9090", false, ""},
		{"with TLS", "https://metrics.example.com/prometheus", false, ""},
		{"in the clear", "http://metrics.example.com", false, "is not encrypted; write https://metrics.example.com, or set insecure_http"},
		{"in the clear, as wanted", "http://metrics.example.com", true, ""},
		{"no scheme", "localhost:9090", false, "not one of a Prometheus server"},
		{"another scheme", "unix://run/prometheus", false, "must be http or https"},
		{"no host", "http:///x", false, "not one of a Prometheus server"},
		{"nothing", "", false, "not one of a Prometheus server"},
		{"a password", "https://u:hush@metrics.example.com", false, "use the option token"},
		{"a query", "https://metrics.example.com?token=hush", false, "more than a path"},
		{"a query and another scheme", "ftp://metrics.example.com?token=hush", false, "more than a path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseURL(test.url, test.insecure)
			if (err == nil) != (test.says == "") || err != nil && (!strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hush")) {
				t.Errorf("%v", err)
			}
		})
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
