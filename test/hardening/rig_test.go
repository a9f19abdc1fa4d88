// Package hardening attacks the gateway as a client whose token permits one API and who
// wants another. The tests write raw requests, and the workspace behind the gateway is as
// lenient as possible: it decodes twice, drops parameters, treats backslashes as slashes
// and ignores case.
//
// Each test checks the outcome of its requests, and [rig.arrivals] checks every request
// that reached the workspace.
package hardening

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/discovery"
	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/scopes"
)

// rig is a gateway with all tokens in its cache, so that only clients' requests reach
// the workspace.
type rig struct {
	*harness.Gateway
	tokens  map[string]fakeworkspace.Token // by the name that requests use in braces
	scopes  map[string][]string            // by token id
	fill    *strings.Replacer
	seen    int // requests checked so far
	tail    int64
	pending []map[string]any // audit records of passed requests without an arrival
	halves  int              // requests with a broken body that have not arrived yet
}

const hardeningCache = "cache {\nttl 1h\nnegative_ttl 1h\n}\n"

// startRig runs databricks_gateway in front of the worst plausible workspace.
func startRig(t testing.TB, options string) *rig {
	t.Helper()
	return startRigSite(t, "databricks_gateway {workspace} {\n{admin}"+hardeningCache+options+"\n}")
}

// startRigSite runs a site. In directives, {workspace} is the workspace's URL and {admin}
// the admin block.
func startRigSite(t testing.TB, directives string) *rig {
	t.Helper()
	w := harness.StartWorkspace(t, fakeworkspace.WithSloppyPaths())
	g := harness.StartSite(t, w, strings.NewReplacer("{workspace}", w.URL(), "{admin}", harness.AdminBlock).Replace(directives))
	r := &rig{Gateway: g, tokens: map[string]fakeworkspace.Token{}, scopes: map[string][]string{}}
	names := []string{"{host}", g.Listen, "{upstream}", strings.TrimPrefix(w.URL(), "http://")}
	for name, granted := range map[string][]string{"files": {"files"}, "sql": {"sql"}, "all": {"all-apis"}} {
		token := g.Mint(granted...)
		r.tokens[name], r.scopes[token.Info.TokenId] = token, granted
		names = append(names, "{"+name+"}", token.Value)
	}
	r.fill = strings.NewReplacer(names...)
	for _, name := range []string{"files", "sql", "all"} {
		harness.Do(t, harness.Client(t), harness.NewRequest(t, "GET", g.URL+harness.Me, r.tokens[name].Value, nil, "Warm-Up", "1"))
	}
	harness.Do(t, harness.Client(t), harness.NewRequest(t, "GET", g.URL+harness.Me, r.tokens["files"].Value+"-2", nil, "Warm-Up", "1")) // an unknown token
	r.Records(t, 4)
	r.passed(t)
	r.pending, r.seen = nil, len(w.Requests())
	return r
}

// Texts of requests.
var (
	request = attacks.Request
	with    = attacks.With
)

// Outcomes of requests.
const (
	passes      = attacks.Passes
	badRequest  = attacks.BadRequest
	scope       = attacks.Scope
	malformed   = attacks.Malformed
	account     = attacks.Account
	ambiguous   = attacks.Ambiguous
	misdirected = attacks.Misdirected
	missing     = attacks.Missing
	unsupported = attacks.Unsupported
	unknown     = attacks.Unknown
	brokenBody  = attacks.BrokenBody
	smuggled    = attacks.Smuggled
)

// outcomeOf returns the outcome of the request that got this response.
func outcomeOf(a *http.Response) string {
	switch reason := a.Header.Get("X-Scopegate-Reason"); {
	case reason != "":
		return reason
	case a.Header.Get("Server") == "databricks": // Caddy and net/http say otherwise
		return passes
	case a.StatusCode == http.StatusBadRequest:
		return badRequest
	}
	return strconv.Itoa(a.StatusCode)
}

// all tries each attack of a table.
func (r *rig) all(t *testing.T, table []attacks.Case) {
	t.Helper()
	for _, c := range table {
		t.Run(c.Name, func(t *testing.T) { r.try(t, c.Text, c.Want...) })
	}
}

// try writes a text to a new connection, and checks that exactly the given outcomes
// follow. It returns the requests that arrived.
func (r *rig) try(t *testing.T, text string, want ...string) []fakeworkspace.Request {
	t.Helper()
	conn, err := net.Dial("tcp", r.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The server may close the connection without reading everything.
	_ = conn.SetWriteDeadline(time.Now().Add(harness.Patience))
	_, _ = io.WriteString(conn, r.fill.Replace(text))
	return r.outcomes(t, conn, want)
}

// outcomes reads all responses.
func (r *rig) outcomes(t *testing.T, conn net.Conn, want []string) []fakeworkspace.Request {
	t.Helper()
	in := bufio.NewReader(conn)
	var got []string
	for {
		patience := harness.Patience
		if len(got) >= len(want) {
			patience = 50 * time.Millisecond // no further response is expected
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			break
		}
		if a.StatusCode == http.StatusContinue {
			continue
		}
		// Bodies may be incomplete if the connection closes, and HEAD has none.
		_, _ = io.Copy(io.Discard, a.Body)
		got = append(got, outcomeOf(a))
	}
	arrived := r.arrivals(t)
	if !slices.Equal(got, want) {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	due := 0
	for _, o := range got {
		switch o {
		case passes:
			due++
		case brokenBody:
			r.halves++
		}
	}
	if more := len(arrived) - due; more < 0 || more > r.halves {
		t.Errorf("%d requests arrived, but %d were answered", len(arrived), due)
	} else {
		r.halves -= more
	}
	return arrived
}

// arrivals checks and returns the requests that arrived since the last call: each was
// judged as sent, with the token that it carries, and that token permits the path that
// the workspace acts on.
func (r *rig) arrivals(t *testing.T) []fakeworkspace.Request {
	t.Helper()
	all := r.Workspace.Requests()
	arrived := all[r.seen:]
	r.seen = len(all)
	for i := range arrived {
		r.judged(t, &arrived[i])
		r.clean(t, &arrived[i])
	}
	return arrived
}

// judged checks one arrival against the records and against the token.
func (r *rig) judged(t *testing.T, got *fakeworkspace.Request) {
	t.Helper()
	var record map[string]any
	harness.WaitFor(t, "a record that says that "+got.Method+" "+got.URI+" may pass", func() bool {
		r.passed(t)
		i := slices.IndexFunc(r.pending, func(record map[string]any) bool {
			return record["method"] == got.Method && record["path"] == got.Path
		})
		if i < 0 {
			return false
		}
		record = r.pending[i]
		r.pending = slices.Delete(r.pending, i, i+1)
		return true
	})
	readings, err := scopes.Default().Read(got.Method, got.Path, nil)
	if err != nil {
		t.Errorf("%s arrived: %v", got.URI, err)
	}
	public := strings.HasPrefix(got.Believed, "/oidc/") || got.Believed == harness.WellKnown
	if record["decision"] == "public" {
		if !public {
			t.Errorf("%s passed as public, but the workspace reads it as %s", got.URI, got.Believed)
		}
		return
	}
	held := r.scopes[got.TokenID]
	if got.TokenID == "" && discovery.Endpoint(got.Path) {
		return // it was allowed, and the token taken off
	}
	if got.TokenID == "" || record["token_id"] != got.TokenID || held == nil {
		t.Errorf("token %v was checked, but %q arrived", record["token_id"], got.TokenID)
		return
	}
	for _, reading := range readings {
		if !reading.Operation.Permits(held) {
			t.Errorf("%s arrived with %v, but can be read as %s", got.URI, held, reading.Path)
		}
	}
	if strings.TrimSuffix(got.Believed, "/") == attacks.AccountPath {
		t.Errorf("%s arrived, but no personal access token may call it", got.URI)
	}
	if mine := attacks.Territories[held[0]]; mine != nil && !public && !mine.MatchString(got.Believed) {
		t.Errorf("%s arrived with %v, but the workspace reads it as %s", got.URI, held, got.Believed)
	}
}

// clean checks that no header of an arrival contradicts what was judged.
func (r *rig) clean(t *testing.T, got *fakeworkspace.Request) {
	t.Helper()
	if got.Host != strings.TrimPrefix(r.Workspace.URL(), "http://") {
		t.Errorf("%s arrived for host %q", got.URI, got.Host)
	}
	if n := len(got.Header["Authorization"]); n > 1 {
		t.Errorf("%s arrived with %d credentials", got.URI, n)
	}
	for name, values := range got.Header {
		plain := strings.Trim(strings.ToLower(name), "_-.~!'`^|*+&%$#")
		if attacks.Misleading.MatchString(plain) || attacks.Routing.MatchString(plain) && name != "Authorization" && name != "X-Databricks-Workspace-Id" && name != "X-Databricks-Org-Id" {
			t.Errorf("%s arrived with %s: %q", got.URI, name, values)
		}
		if name != "Authorization" && strings.Contains(strings.Join(values, " "), "dapi") {
			t.Errorf("%s arrived with a token in %s", got.URI, name)
		}
	}
	if up := got.Header["Upgrade"]; len(up) > 0 && !slices.Equal(up, []string{"websocket"}) {
		t.Errorf("%s arrived with an upgrade to %q", got.URI, up)
	}
}

// passed reads the audit records written since the last call, and keeps those of requests
// that passed.
func (r *rig) passed(t testing.TB) {
	t.Helper()
	file, err := os.Open(r.AuditLog)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(r.tail, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // the last line may be incomplete
	r.tail += int64(len(text))
	for line := range bytes.Lines(text) {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("audit line %q: %v", line, err)
		}
		if record["decision"] != "deny" || record["enforced"] == false {
			r.pending = append(r.pending, record)
		}
	}
}
