package decision

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/scopes"
)

// shipped returns a file of deploy/proxies.
func shipped(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../deploy/proxies", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// substitute replaces each old text by the new one after it, and fails where one is not there.
func substitute(t testing.TB, text string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("there is no %q", oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

// proxied is a proxy that asks a decision service before it sends to the worst plausible
// workspace.
type proxied struct {
	*harness.Gateway        // the decision service
	address          string // of the proxy
	dial             func(t *testing.T) net.Conn
	host             string                                // that requests arrive for
	own              func(c attacks.Case, status int) bool // whether it answers so itself
	reads            []string                              // attacks that it reads otherwise than the gateway, and that are harmless then
	granted          map[string][]string
	fill             *strings.Replacer
	seen             int   // requests of the workspace
	tail             int64 // of the audit log
	pending          []map[string]any
	passed           int // requests that arrived
}

// decisionBlock is the directive of a decision service with long facts, so that only clients'
// requests reach the workspace once tokens are known.
func decisionBlock(w *fakeworkspace.Workspace) string {
	return "databricks_decision {\nworkspace " + w.URL() + "\n" + harness.AdminBlock + "cache {\nttl 1h\nnegative_ttl 1h\n}\n}"
}

// startProxied makes tokens and looks them up, for a proxy that listens on an address. Change
// may be nil.
func startProxied(t *testing.T, g *harness.Gateway, address string, change func(*proxied)) *proxied {
	t.Helper()
	p := &proxied{Gateway: g, address: address, granted: map[string][]string{}, host: strings.TrimPrefix(g.Workspace.URL(), "http://")}
	p.own = func(attacks.Case, int) bool { return false }
	p.dial = func(t *testing.T) net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	if change != nil {
		change(p)
	}
	names := []string{"{host}", address, "{upstream}", strings.TrimPrefix(g.Workspace.URL(), "http://")}
	for name, granted := range map[string][]string{"files": {"files"}, "sql": {"sql"}, "all": {"all-apis"}} {
		token := g.Mint(granted...)
		p.granted[token.Info.TokenId] = granted
		names = append(names, "{"+name+"}", token.Value)
	}
	p.fill = strings.NewReplacer(names...)
	for _, token := range []string{"{files}", "{sql}", "{all}", "{files}-2"} {
		p.exchange(t, attacks.With(harness.Me, "Authorization: Bearer "+token), 1)
	}
	p.seen = len(g.Workspace.Requests())
	p.readRecords(t)
	p.pending = nil
	return p
}

// exchange writes a text to a new connection and reads the responses.
func (p *proxied) exchange(t *testing.T, text string, expected int) (answers []harness.Answer) {
	t.Helper()
	conn := p.dial(t)
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(harness.Patience)) // it may be closed before all is read
	_, _ = io.WriteString(conn, p.fill.Replace(text))
	for in := bufio.NewReader(conn); ; {
		patience := harness.Patience
		if len(answers) >= expected {
			patience = 50 * time.Millisecond // no further response is due
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers
		}
		if a.StatusCode == http.StatusContinue {
			continue
		}
		content, _ := io.ReadAll(a.Body) // may be cut, and HEAD has none
		answers = append(answers, harness.Answer{Response: a, Body: string(content)})
	}
}

// try sends an attack, and checks what arrives: no more than may, and nothing that was not
// judged. What may pass may be refused all the same: the proxy cannot be told what to remove.
func (p *proxied) try(t *testing.T, c attacks.Case) []fakeworkspace.Request {
	t.Helper()
	answers := p.exchange(t, c.Text, len(c.Want))
	all := p.Workspace.Requests()
	arrived := all[p.seen:]
	p.seen = len(all)
	p.passed += len(arrived)
	may := 0
	for _, want := range c.Want {
		switch {
		// Which hosts it serves is the proxy's matter: it sends its own to the workspace.
		case want == attacks.Passes, want == attacks.BrokenBody, want == attacks.Misdirected,
			// What Connection names, it takes out of the check and of what it sends alike.
			strings.HasPrefix(c.Name, "hop by hop"), slices.Contains(p.reads, c.Name):
			may++
		}
	}
	if len(arrived) > may {
		t.Errorf("%d requests arrived, and %d may", len(arrived), may)
	}
	for _, a := range answers {
		if a.StatusCode >= 500 && a.StatusCode != http.StatusHTTPVersionNotSupported && !p.own(c, a.StatusCode) {
			t.Errorf("answered %d", a.StatusCode)
		}
	}
	for i := range arrived {
		p.judged(t, &arrived[i])
		p.clean(t, &arrived[i])
	}
	return arrived
}

// tryAll tries a table.
func (p *proxied) tryAll(t *testing.T, cases []attacks.Case) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { p.try(t, c) })
	}
}

// judged checks that a request arrived as it was judged, and that its token permits the path
// which the workspace acts on.
func (p *proxied) judged(t *testing.T, got *fakeworkspace.Request) {
	t.Helper()
	var record map[string]any
	harness.WaitFor(t, "a record that says that "+got.Method+" "+got.URI+" may pass", func() bool {
		p.readRecords(t)
		i := slices.IndexFunc(p.pending, func(r map[string]any) bool { return r["method"] == got.Method && r["path"] == got.Path })
		if i < 0 {
			return false
		}
		record = p.pending[i]
		p.pending = slices.Delete(p.pending, i, i+1)
		return true
	})
	if record["outcome"] != "decided" {
		t.Errorf("%s has the outcome %v", got.URI, record["outcome"])
	}
	public := strings.HasPrefix(got.Believed, "/oidc/") || got.Believed == harness.WellKnown
	if record["decision"] == "public" {
		if !public || got.TokenID != "" {
			t.Errorf("%s passed as public, with token %q, and the workspace reads it as %s", got.URI, got.TokenID, got.Believed)
		}
		return
	}
	held := p.granted[got.TokenID]
	if held == nil || record["token_id"] != got.TokenID {
		t.Errorf("token %v was judged, and %q arrived", record["token_id"], got.TokenID)
		return
	}
	readings, err := scopes.Default().Read(got.Method, got.Path, nil)
	if err != nil {
		t.Errorf("%s arrived: %v", got.URI, err)
	}
	for _, reading := range readings {
		if !reading.Operation.Permits(held) {
			t.Errorf("%s arrived with %v, and can be read as %s", got.URI, held, reading.Path)
		}
	}
	mine := attacks.Territories[held[0]]
	if strings.TrimSuffix(got.Believed, "/") == attacks.AccountPath || mine != nil && !public && !mine.MatchString(got.Believed) {
		t.Errorf("%s arrived with %v, and the workspace reads it as %s", got.URI, held, got.Believed)
	}
}

// clean checks that no header of a request contradicts what was judged.
func (p *proxied) clean(t *testing.T, got *fakeworkspace.Request) {
	t.Helper()
	if got.Host != p.host {
		t.Errorf("%s arrived for host %q", got.URI, got.Host)
	}
	if n := len(got.Header["Authorization"]); n > 1 {
		t.Errorf("%s arrived with %d credentials", got.URI, n)
	}
	for name, values := range got.Header {
		plain := strings.Trim(strings.ToLower(name), "_-.~!'`^|*+&%$#")
		exact := name == "Authorization" || name == "X-Databricks-Workspace-Id" || name == "X-Databricks-Org-Id"
		if attacks.Misleading.MatchString(plain) || attacks.Routing.MatchString(plain) && !exact {
			t.Errorf("%s arrived with %s: %q", got.URI, name, values)
		}
		if name != "Authorization" && strings.Contains(strings.Join(values, " "), "dapi") {
			t.Errorf("%s arrived with a token in %s", got.URI, name)
		}
	}
}

// readRecords reads what was recorded since the last call, and keeps what passed.
func (p *proxied) readRecords(t *testing.T) {
	t.Helper()
	file, err := os.Open(p.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(p.tail, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	text = text[:strings.LastIndexByte(string(text), '\n')+1] // the last line may be incomplete
	p.tail += int64(len(text))
	for line := range strings.Lines(string(text)) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("audit line %q: %v", line, err)
		}
		if record["decision"] != "deny" {
			p.pending = append(p.pending, record)
		}
	}
}

// attack tries every table.
func (p *proxied) attack(t *testing.T) {
	t.Helper()
	p.attackPaths(t)
	group := func(name string, cases []attacks.Case) {
		t.Run(name, func(t *testing.T) { p.tryAll(t, cases) })
	}
	for _, o := range attacks.Overrides {
		group(o.Name, o.Cases())
	}
	group("other overrides", attacks.OtherOverrides())
	group("workspaces", attacks.Workspaces(p.Workspace.WorkspaceID()))
	group("credentials", attacks.Credentials(p.fill))
	group("queries", attacks.QueryCredentials())
	group("targets", attacks.Targets())
	group("methods", attacks.Methods())
	group("descriptions", descriptions())
	if p.passed < 100 {
		t.Errorf("only %d requests passed: the attacks were refused for another reason", p.passed)
	}
}

// attackPaths tries every trick in testdata/path-tricks.tsv with every disguise. Only what
// stays below the base may pass.
func (p *proxied) attackPaths(t *testing.T) {
	t.Helper()
	for _, d := range attacks.Disguises {
		t.Run(d.Token+" "+d.Base+" to "+d.Target, func(t *testing.T) {
			for _, trick := range golden.PathTricks(t) {
				target, applies := d.Write(trick.Form)
				if !applies {
					continue
				}
				want := trick.Outcome
				if want == golden.Harmless || d.Token == "all" {
					want = attacks.Passes // what it is read as is checked
				}
				t.Run(trick.Name, func(t *testing.T) {
					p.try(t, attacks.Case{Text: attacks.Request(d.Method, target, d.Token), Want: []string{want}})
				})
			}
		})
	}
}

// descriptions are requests by clients that describe another one to the decision service.
func descriptions() (all []attacks.Case) {
	const file, clusters = "/api/2.0/fs/files/a", "/api/2.1/clusters/list"
	for _, pair := range [][2]string{
		{"X-Original-Method: GET", "X-Original-URI: " + file},
		{"X-Forwarded-Method: GET", "X-Forwarded-Uri: " + file},
		{"x_original_method: GET", "x_original_uri: " + file},
		{"X-Forwarded~Method: GET", "X-Forwarded~Uri: " + file},
		{"X.Forwarded.Method: GET", "X.Forwarded.Uri: " + file},
		{"Connection: X-Forwarded-Method", "X-Forwarded-Uri: " + file},
		{"Connection: X-Forwarded-Uri, X-Forwarded-Method", "Connection: X-Original-Uri"},
		{"X-Envoy-Original-Path: " + file, "Forwarded: for=127.0.0.1"},
	} {
		all = append(all,
			attacks.Case{Name: pair[0], Text: attacks.Request("GET", clusters, "files", pair[:]...), Want: []string{attacks.Scope}},
			attacks.Case{Name: pair[0] + ", lesser method", Text: attacks.Request("DELETE", clusters, "files", pair[:]...), Want: []string{attacks.Scope}},
			attacks.Case{Name: pair[0] + ", permitted", Text: attacks.Request("GET", file, "files", pair[0], strings.ReplaceAll(pair[1], file, clusters)), Want: []string{attacks.Passes}})
	}
	for _, line := range []string{"GET http:opaque/x", "GET http:" + clusters, "GET http://other.example" + clusters, "GET " + file + "/../../../../../2.1/clusters/list", "OPTIONS *"} {
		all = append(all, attacks.Case{
			Name: line, Text: line + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nConnection: close\r\n\r\n", Want: []string{attacks.Scope},
		})
	}
	return append(all,
		attacks.Case{
			Name: "absolute form", Text: "GET http://{host}" + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nConnection: close\r\n\r\n", Want: []string{attacks.Passes},
		},
		attacks.Case{
			Name: "trailers", Want: []string{attacks.Passes},
			Text: "PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-HTTP-Method-Override\r\n\r\n" +
				"1\r\nx\r\n0\r\nX-HTTP-Method-Override: DELETE\r\nAuthorization: Bearer {all}\r\n\r\n",
		},
		attacks.Case{Name: "long query", Text: attacks.Request("GET", file+"?a="+strings.Repeat("b", 8<<10), "files"), Want: []string{attacks.Passes}},
		attacks.Case{Name: "query of a path", Text: attacks.Request("GET", file+"?/../../2.1/clusters/list", "files"), Want: []string{attacks.Passes}},
	)
}

// write writes a file.
func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
