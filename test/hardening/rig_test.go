// Package hardening attacks the gateway as a client with a token for one thing that
// wants another. The tests write the bytes of their requests themselves, and the
// workspace behind the gateway believes everything: it decodes twice, drops
// parameters, and takes backslashes for slashes and capitals for small letters.
//
// Each test checks what becomes of its requests, and [rig.arrivals] checks a
// property of whatever arrived.
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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/scopes"
)

// rig is a gateway that has all tokens in its cache: what comes to the workspace
// from now on was sent by clients.
type rig struct {
	*harness.Gateway
	tokens  map[string]fakeworkspace.Token // by the name that requests use in braces
	scopes  map[string][]string            // by token id
	fill    *strings.Replacer
	seen    int // requests looked at so far
	tail    int64
	pending []map[string]any // audit records of passed requests without an arrival
	halves  int              // requests with a broken body that have not arrived yet
}

// territories are the paths that the tokens of a rig are for, as the workspace
// believes them. They do not come from the catalog.
var territories = map[string]*regexp.Regexp{
	"files": regexp.MustCompile(`^/api/2\.0/(fs/(files|directories)/|dbfs/)`),
	"sql":   regexp.MustCompile(`^/api/2\.0/sql/(statements|warehouses|endpoints|queries|alerts|history)(/|$)`),
}

// accountPath is what personal access tokens cannot call.
const accountPath = "/api/2.0/accounts/1/workspaces"

const hardeningCache = "cache {\nttl 1h\nnegative_ttl 1h\n}\n"

// startRig runs databricks_gateway in front of the worst plausible workspace.
func startRig(t testing.TB, options string) *rig {
	t.Helper()
	return startRigSite(t, "databricks_gateway {workspace} {\n{admin}"+hardeningCache+options+"\n}")
}

// startRigSite runs a site; {workspace} and {admin} stand for the workspace's URL
// and the block that signs in to it.
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
	harness.Do(t, harness.Client(t), harness.NewRequest(t, "GET", g.URL+harness.Me, r.tokens["files"].Value+"-2", nil, "Warm-Up", "1")) // is unknown
	r.Records(t, 4)
	r.passed(t)
	r.pending, r.seen = nil, len(w.Requests())
	return r
}

// request is the text of a request without a body, over a connection that ends
// with it.
func request(method, target, token string, headers ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: {host}", "Authorization: Bearer {" + token + "}", "Connection: close"}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// Outcomes of a request that are not the reason code of a refusal.
const (
	passes     = "passes"
	badRequest = golden.BadRequest
)

// outcomeOf returns what became of the request that got this answer.
func outcomeOf(a *http.Response) string {
	switch reason := a.Header.Get("X-Scopegate-Reason"); {
	case reason != "":
		return reason
	case strings.Contains(a.Header.Get("Via"), "Caddy"):
		return passes
	case a.StatusCode == http.StatusBadRequest:
		return badRequest
	}
	return strconv.Itoa(a.StatusCode)
}

// try writes a text to a connection of its own, and checks what became of the
// requests in it, and that no more answers come. It returns what arrived.
func (r *rig) try(t *testing.T, text string, want ...string) []fakeworkspace.Request {
	t.Helper()
	conn, err := net.Dial("tcp", r.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A connection that is refused may not be read to the end.
	_ = conn.SetWriteDeadline(time.Now().Add(harness.Patience))
	_, _ = io.WriteString(conn, r.fill.Replace(text))
	return r.outcomes(t, conn, want)
}

// outcomes reads all answers.
func (r *rig) outcomes(t *testing.T, conn net.Conn, want []string) []fakeworkspace.Request {
	t.Helper()
	in := bufio.NewReader(conn)
	var got []string
	for {
		patience := harness.Patience
		if len(got) >= len(want) {
			patience = 50 * time.Millisecond // no more is expected
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			break
		}
		if a.StatusCode == http.StatusContinue {
			continue
		}
		// Answers that end with the connection, and those to HEAD, have no whole body.
		_, _ = io.Copy(io.Discard, a.Body)
		got = append(got, outcomeOf(a))
	}
	arrived := r.arrivals(t)
	if !slices.Equal(got, want) {
		t.Errorf("came to %q, want %q", got, want)
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
		t.Errorf("%d requests arrived, and %d were answered", len(arrived), due)
	} else {
		r.halves -= more
	}
	return arrived
}

// arrivals checks what arrived since the last call, and returns it: each request was
// judged as the one that it is, for the token that it carries, and what the
// workspace believes it to be is something that the token is for.
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
			t.Errorf("%s passed as public, and is believed to be %s", got.URI, got.Believed)
		}
		return
	}
	held := r.scopes[got.TokenID]
	if got.TokenID == "" || record["token_id"] != got.TokenID || held == nil {
		t.Errorf("judged %v, and %q arrived", record["token_id"], got.TokenID)
		return
	}
	for _, reading := range readings {
		if !reading.Operation.Permits(held) {
			t.Errorf("%s arrived with %v, and can be read as %s", got.URI, held, reading.Path)
		}
	}
	if strings.TrimSuffix(got.Believed, "/") == accountPath {
		t.Errorf("%s arrived, and no personal token may call that", got.URI)
	}
	if mine := territories[held[0]]; mine != nil && !public && !mine.MatchString(got.Believed) {
		t.Errorf("%s arrived with %v, and is believed to be %s", got.URI, held, got.Believed)
	}
}

// misleading are the names of headers that must not arrive in any spelling.
var misleading = regexp.MustCompile(`(?i)^(cookie|proxy.authorization|.*(override|rewrite|original).*|x.http.method|x.forwarded.(uri|path|prefix|method|access.token)|http2.settings|x.databricks.(azure|gcp).*)$`)

// routing are the headers that may arrive in their own spelling only.
var routing = regexp.MustCompile(`(?i)^(authorization|x.databricks.(org|workspace).id)$`)

// clean checks that no header of an arrival conflicts with what was judged.
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
		if misleading.MatchString(plain) || routing.MatchString(plain) && name != "Authorization" && name != "X-Databricks-Workspace-Id" && name != "X-Databricks-Org-Id" {
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

// passed reads the audit records written since the last call, and keeps those of
// requests that were let through.
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
	text = text[:bytes.LastIndexByte(text, '\n')+1] // the last one may be in the writing
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
