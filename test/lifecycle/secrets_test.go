package lifecycle

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestProgramHidesSecrets: whatever a configuration says about logging, nothing that the
// program prints has a token, or a character that a terminal obeys. It logs at the level
// DEBUG.
func TestProgramHidesSecrets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, command := range map[string]func(listen, admin string) []string{
		"sidecar": func(listen, admin string) []string { return r.sidecar(listen, "--debug", "--admin", admin) },
		"Caddyfile without a log": func(listen, admin string) []string {
			return runFile(t, "debug\nadmin "+admin, strings.Replace(r.site(listen), "databricks_gateway", "log\ndatabricks_gateway", 1))
		},
		"Caddyfile with logs": func(listen, admin string) []string {
			logs := "log default {\nlevel DEBUG\nformat console\n}\nlog other {\ninclude http.log.access\noutput stdout\nformat filter {\nrequest>uri replace x\n}\n}\n"
			return runFile(t, logs+"admin "+admin, strings.Replace(r.site(listen), "databricks_gateway", "log\ndatabricks_gateway", 1))
		},
		"JSON": func(listen, admin string) []string {
			config := fmt.Sprintf(`{"admin":{"listen":%q},"logging":{"logs":{"default":{"level":"DEBUG"},"all":{"level":"DEBUG","encoder":{"format":"json"}}}},"apps":{"http":{"servers":{"s":{"listen":[%q],"automatic_https":{"disable":true},"logs":{},"routes":[{"handle":[{"handler":"databricks_scopes","workspace":%q},{"handler":"static_response","status_code":200}]}]}}}}}`, admin, listen, r.workspace.URL())
			file := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"run", "--config=" + file}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen, admin := processtest.FreeAddress(t), processtest.FreeAddress(t)
			p := r.start(t, listen, command(listen, admin))
			p.AwaitListener(t, admin)
			for i, secret := range spellings(r.token) {
				fetch(t, "GET", "http://"+listen+"/api/2.0/"+secret+"?q="+secret, map[string]string{"User-Agent": "agent " + secret, "X-" + r.token: "x", "X-Custom": secret})
				fetch(t, "GET", "http://"+listen+"/api/2.2/jobs/list?q="+secret, map[string]string{"Authorization": "Bearer " + r.token, "User-Agent": "Basic " + secret + "\u009b\u202e"})
				// Caddy's own answers repeat the path; its log must not.
				fetch(t, "GET", "http://"+admin+"/config/"+secret, nil)
				fetch(t, "GET", "http://"+admin+"//"+secret, nil)
				for _, target := range []string{"usage?format=", "recommend?token_id=", "tokens/", "explain?method=GET&path=/"} {
					answer := fetch(t, "GET", "http://"+admin+"/databricks_scopes/"+target+secret, nil)
					if shows(answer, r.token) {
						t.Errorf("spelling %d, %s: %s", i, target, answer)
					}
				}
			}
			printed := p.AwaitLog(t, "/databricks_scopes/tokens/")
			if shows(printed, r.token) {
				for line := range strings.Lines(printed) {
					if shows(line, r.token) {
						t.Errorf("it printed %.800s", line)
						break
					}
				}
			}
			if i := strings.IndexAny(printed, "\u009b\u202e"); i >= 0 {
				t.Errorf("it printed %+q", printed[max(0, i-200):i+5])
			}
			// Check that the search covered what it is about.
			for _, sign := range []string{"DEBUG", "admin.api", "dapi…", `\u{9b}`} {
				if !strings.Contains(strings.ReplaceAll(printed, `"debug"`, "DEBUG"), strings.ReplaceAll(sign, `\`, `\\`)) {
					t.Errorf("it did not print %s:\n%.3000s", sign, printed)
				}
			}
		})
	}
}

// spellings returns a token as it may stand in a path, a query and a header.
func spellings(token string) []string {
	escaped := ""
	for _, c := range []byte(token) {
		escaped += fmt.Sprintf("%%%02x", c)
	}
	return []string{
		token, escaped, "%64" + token[1:], token[:9] + fmt.Sprintf("%%%02X", token[9]) + token[10:], strings.ReplaceAll(escaped, "%", "%25"),
		hex.EncodeToString([]byte(token)), base64.RawURLEncoding.EncodeToString([]byte("token:" + token)), base64.RawURLEncoding.EncodeToString([]byte("x" + token)),
	}
}

// shows reports whether a text has eight characters of a token in a row, in one of its
// spellings.
func shows(text, token string) bool {
	for _, spelling := range spellings(token) {
		size := 8
		switch {
		case strings.HasPrefix(spelling, "%25"):
			size *= 5
		case strings.HasPrefix(spelling, "%64%"):
			size *= 3
		case strings.HasPrefix(spelling, "6461"):
			size *= 2
		case !strings.Contains(spelling, token[len(token)-8:]):
			size = 11
		}
		for i := len("%64api"); i+size <= len(spelling)-2; i++ {
			if strings.Contains(text, spelling[i:i+size]) {
				return true
			}
		}
	}
	return false
}

func fetch(t *testing.T, method, url string, headers map[string]string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		request.Header[name] = []string{value}
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
