package hardening

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

// marks holds secrets by where they are sent.
type marks map[string]string

// mark makes a secret without the prefix of a token.
func (m marks) mark(where string) string {
	value := "s3cr3t" + hex.EncodeToString([]byte(where)) + "zz"
	m[where] = value
	return value
}

// forms returns the encodings in which a secret could leak, in lower case if case does
// not matter.
func forms(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret))}
	// Base64 depends on the offset modulo three, and the first and last characters depend
	// on the neighboring bytes.
	for offset := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			encoded := encoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + secret))
			all = append(all, encoded[4:len(encoded)-4])
		}
	}
	return all
}

// reveals returns the secrets that a text contains, as it is or once its escapes are
// undone. Of a token, eight characters are too many.
func (m marks) reveals(text string) (found []string) {
	once := unescape(text)
	texts := []string{text, strings.ToLower(text), once, unescape(once)}
	for where, secret := range m {
		wanted := append(forms(secret), strings.ToLower(secret))
		if strings.HasPrefix(secret, "dapi") {
			for i := len("dapi"); i+8 <= len(secret); i++ {
				wanted = append(wanted, secret[i:i+8])
			}
		}
		if slices.ContainsFunc(texts, func(text string) bool {
			return slices.ContainsFunc(wanted, func(form string) bool { return strings.Contains(text, form) })
		}) {
			found = append(found, where)
		}
	}
	return found
}

var escapes = regexp.MustCompile(`(?:%|\\+u00|&#x|=|\\+x)([0-9A-Fa-f]{2});?`)

// unescape undoes one layer of escapes.
func unescape(text string) string {
	return escapes.ReplaceAllStringFunc(text, func(escape string) string {
		digits, err := hex.DecodeString(escapes.FindStringSubmatch(escape)[1])
		if err != nil {
			return escape
		}
		return string(digits)
	})
}

// encodings are how a secret may be written in a path, a query or a User-Agent.
var encodings = []func(string) string{
	func(s string) string { return s },
	strings.ToUpper,
	func(s string) string { return each(s, "%%%02x") },
	func(s string) string { return each(s, "%%%02X") },
	func(s string) string { return "%64" + s[1:] },
	func(s string) string { return s[:20] + each(s[20:21], "%%%02X") + s[21:] },
	func(s string) string { return "%2564" + s[1:] },
	func(s string) string { return each(each(s, "%%%02x"), "%%%02x") },
	func(s string) string { return strings.ReplaceAll(each(s, `\u%04x`), `\`, "%5C") },
	func(s string) string { return each(s, "=%02X") },
	func(s string) string { return each(s, "%%26%%23x%x%%3B") },
	func(s string) string { return hex.EncodeToString([]byte(s)) },
	func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("token:" + s)) },
	func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("xx" + s)) },
	func(s string) string { return each(base64.StdEncoding.EncodeToString([]byte("token:"+s)), "%%%02x") },
	func(s string) string { return strings.Repeat("x", 1000) + s }, // to be cut
	func(s string) string {
		return strings.Repeat("x", 1000) + base64.RawURLEncoding.EncodeToString([]byte(s))
	},
	func(s string) string { return strings.Repeat("x", 990) + each(s, "%%%02x") },
}

// each formats every byte of a secret.
func each(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func TestMarksAreFound(t *testing.T) {
	m := make(marks)
	secret := m.mark("a/b c+d?")
	m["odd"] = "a b+c/d?e&fghijklmnop"
	for _, text := range []string{
		secret, strings.ToUpper(secret), "x" + base64.StdEncoding.EncodeToString([]byte("token:"+secret)) + "y",
		base64.URLEncoding.EncodeToString([]byte("t:" + secret + ":")), base64.StdEncoding.EncodeToString([]byte("{" + secret)),
		hex.EncodeToString([]byte(secret)), url.QueryEscape(m["odd"]), url.PathEscape(m["odd"]),
	} {
		if len(m.reveals("before "+text+" after")) == 0 {
			t.Errorf("not found in %q", text)
		}
	}
	if found := m.reveals("nothing of the kind"); len(found) > 0 {
		t.Errorf("found %q in nothing", found)
	}
}

// TestSecrets sends every kind of request, with a secret in every place that can hold
// one, and searches everything that the gateway writes and answers. Caddy logs at the
// level DEBUG.
func TestSecrets(t *testing.T) {
	m := make(marks)
	receivers := map[string]*otlptest.Receiver{"good": otlptest.Start(t, otlptest.HTTP), "bad": otlptest.Start(t, otlptest.GRPC)}
	harness.TelemetryEnv(t, receivers["good"], map[string]string{
		"OTEL_LOGS_EXPORTER": "otlp",
		// The last two are malformed, so the exporters log errors about them.
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20" + m.mark("OTLP header") + ",x-bad=%zz" + m.mark("bad OTLP header") + "," + m.mark("broken OTLP header"),
		// This collector refuses the logs.
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://user:" + m.mark("OTLP password") + "@" + receivers["bad"].Address(),
		"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc",
		"OTEL_RESOURCE_ATTRIBUTES":         "broken" + m.mark("broken resource"),
	})
	receivers["bad"].Refuse(http.StatusUnauthorized)

	defer caddymodule.GuardOpenTelemetry()() // as the binary does
	workspace := harness.StartWorkspace(t, fakeworkspace.WithScopeCheck(harness.CatalogScopes))
	m["admin secret"] = os.Getenv("TEST_ADMIN_SECRET")
	s := startSecretSite(t, workspace)

	tokens := map[string]fakeworkspace.Token{
		"good":    workspace.Mint(fakeworkspace.TokenSpec{Owner: "a@example.com", Scopes: []string{"jobs", "authentication"}, Lifetime: time.Hour, Comment: m.mark("comment")}),
		"legacy":  workspace.Mint(fakeworkspace.TokenSpec{}),
		"expired": workspace.Mint(fakeworkspace.TokenSpec{ExpiryTime: time.Now().Add(-time.Hour), Scopes: []string{"jobs"}}),
		"revoked": workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}}),
		"outage":  workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}}),
	}
	workspace.Revoke(tokens["revoked"].Info.TokenId)
	for name, token := range tokens {
		m["token "+name] = token.Value
	}
	m["unknown token"] = "dapi" + strings.Repeat("5ec2e7", 5) + "00"
	m["cluster token"] = "dkea" + strings.Repeat("5ec2e7", 5) + "11"
	jwt := workspace.SignJWT(nil)
	m["JWT"], m["JWT signature"] = jwt, jwt[strings.LastIndexByte(jwt, '.')+1:]

	for mode, options := range map[string]string{"enforce": "", "verify": "oauth verify", "observe": "mode observe"} {
		s.load(t, options)
		good, with := tokens["good"].Value, func(value string) string { return "Authorization: Bearer " + value }
		for _, lines := range [][]string{
			{"GET " + harness.JobsList + "?q=" + m.mark("query"), with(good), "X-Custom: " + m.mark("header"), "Cookie: session=" + m.mark("cookie"), "X-Databricks-Azure-SP-Management-Token: " + m.mark("management token"), "Proxy-Authorization: Basic " + m.mark("proxy credential"), "X-Api-Key: " + m.mark("API key"), "Tracestate: vendor=" + m.mark("tracestate"), "Baggage: secret=" + m.mark("baggage"), "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-Request-Id: " + m.mark("request id"), "Referer: http://x/?" + m.mark("referer")},
			{"GET " + harness.ClustersList + "?q=" + m.mark("query of a refusal"), with(good), "X-Custom: " + m["header"]},
			{"GET " + harness.JobsList, with(tokens["legacy"].Value)},
			{"GET " + harness.JobsList, with(tokens["expired"].Value)},
			{"GET " + harness.JobsList, with(tokens["revoked"].Value)},
			{"GET " + harness.JobsList, with(m["unknown token"])},
			{"GET " + harness.JobsList, with(m["cluster token"])},
			{"GET " + harness.JobsList, with(m.mark("shapeless credential"))},
			{"GET " + harness.JobsList, "Authorization: " + m.mark("scheme") + " " + m.mark("parameter")},
			{"GET " + harness.JobsList, with(jwt)},
			{"GET " + harness.JobsList, with(jwt[:len(jwt)-4] + "AAAA")},
			{"GET " + harness.JobsList, "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("token:"+good))},
			{"GET " + harness.JobsList, "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("me@example.com:"+m.mark("password")))},
			{"GET " + harness.JobsList, with(good), with(tokens["legacy"].Value)},
			{"GET " + harness.JobsList + "?access_token=" + good, with(good)},
			{"GET " + harness.JobsList, with(good), "Connection: Authorization"},
			{"GET /api/2.0/" + good + "/x", with(good)},
			{"GET /api/2.0/%zz" + m.mark("broken path"), with(good)},
			{"GET /api/2.0/a%00" + good, with(good)},
			{"GET http://user:" + m.mark("password in the target") + "@" + s.listen + harness.JobsList, with(good)},
			{"GET " + harness.JobsList, with(good), "User-Agent: agent " + good},
			{"POST /api/2.1/jobs/create", with(good), "Content-Type: application/json", `{"name":"` + m.mark("body") + `"}`},
			{"POST /api/2.0/token/create", with(good), "Content-Type: application/json", `{"comment":"` + m.mark("comment of a new token") + `","lifetime_seconds":60}`},
			{"POST /api/2.0/token/delete", with(good), "Content-Type: application/json", `{"token_id":"` + m.mark("body of a deletion") + `"}`},
			{"POST /pb.Service/Method?q=" + m["query"], with(m["unknown token"]), "Content-Type: application/grpc", m.mark("gRPC body")},
			{"GET " + harness.WellKnown + "?q=" + m["query"], with(good)},
			{good + " " + harness.JobsList, with(good)},
		} {
			answer := s.send(t, lines)
			if strings.Contains(lines[0], "token/create") {
				if _, value, ok := strings.Cut(answer, `"token_value":"`); ok {
					m["new token "+mode], _, _ = strings.Cut(value, `"`)
				}
			}
		}
		for _, encode := range encodings {
			encoded := encode(good)
			s.send(t, []string{"GET /api/2.0/" + encoded + "/x?q=" + encoded, with(m["unknown token"]), "User-Agent: agent " + encoded[:min(len(encoded), 4000)]})
			s.send(t, []string{"GET " + harness.JobsList + "?q=" + encoded, with(good), "User-Agent: " + strings.Repeat("u", 230) + encoded})
			s.askAdmin(t, encoded)
		}
		s.send(t, []string{"GET " + harness.JobsList, with(good), "User-Agent: Basic " + base64.StdEncoding.EncodeToString([]byte("token:"+good)), good + ": x"})
		s.send(t, []string{"GET " + harness.JobsList, with(good), "User-Agent: a" + controls, "Dropped" + good + ": x"})
		// The workspace fails, and so does the connection to it.
		for _, fault := range []fakeworkspace.Kind{
			fakeworkspace.RejectAdmin(403), fakeworkspace.InternalError(), fakeworkspace.GarbageJSON(), fakeworkspace.Reset(),
			fakeworkspace.Respond(500, "text/plain", m.mark("answer of the admin API")),
			fakeworkspace.Respond(200, "application/json", `{"`+m.mark("JSON of the admin API")+`":`),
		} {
			workspace.Faults().Set("/api/2.0/token-management/", fault)
			s.send(t, []string{"GET " + harness.JobsList + "?q=" + m["query"], with(tokens["outage"].Value)})
			workspace.Faults().Clear()
		}
		workspace.Faults().Set("/api/2.2/jobs/", fakeworkspace.Reset())
		s.send(t, []string{"GET " + harness.JobsList + "?q=" + m["query"], with(good), "X-Custom: " + m["header"]})
		workspace.Faults().Clear()
		workspace.Faults().Set("/api/2.2/jobs/", fakeworkspace.Respond(500, "text/plain", m.mark("answer of the workspace")))
		s.send(t, []string{"GET " + harness.JobsList + "?q=" + m["query"], with(good)})
		workspace.Faults().Clear()
	}

	output := s.outputs(t)
	for name, receiver := range receivers {
		output["spans at the "+name+" collector"] = receivedText(receiver)
	}
	for where, text := range output {
		if i := strings.IndexAny(text, controls); i >= 0 {
			t.Errorf("%s contains %U: %.200q", where, []rune(text[i:])[0], text[max(0, i-100):])
		}
		// Reports are for people who know tokens by their comments, if the list can be had.
		shown := strings.HasPrefix(where, "GET /databricks_scopes/")
		found := slices.DeleteFunc(m.reveals(text), func(mark string) bool { return shown && strings.HasPrefix(mark, "comment") })
		if len(found) > 0 {
			t.Errorf("%s contains the secrets %q", where, found)
			for _, line := range strings.Split(text, "\n") {
				if found := m.reveals(line); len(found) > 0 {
					t.Logf("%s: %q in %.1500s", where, found, line)
					break
				}
			}
		}
	}
	// Check that the search covered the real output.
	for where, sign := range map[string]string{
		"default log": `"level":"debug"`, "audit log": tokens["good"].Info.TokenId, "trail log": tokens["good"].Info.TokenId, "spans at the good collector": "missing_scope",
		"GET /config/": "databricks_scopes", "autosave.json": "databricks_scopes", "GET /metrics": "scopegate_decisions_total", "GET /databricks_scopes/usage": tokens["good"].Info.TokenId,
	} {
		if !strings.Contains(output[where], sign) {
			t.Errorf("%s does not contain %s: %.300s", where, sign, output[where])
		}
	}
	if len(m) < 40 || m["new token enforce"] == "" {
		t.Errorf("%d secrets", len(m))
	}
}

// controls are characters that terminals obey, or that change the direction of a line.
const controls = "\u009b\u202e\u2066\u200f\u061c\u2028\ufeff"

// askAdmin asks Caddy's admin API for what does not exist, as who pastes a token at the
// wrong place does.
func (s *secretSite) askAdmin(t *testing.T, secret string) {
	t.Helper()
	for _, request := range []string{
		"GET /databricks_scopes/usage?format=", "GET /databricks_scopes/usage?sort=", "GET /databricks_scopes/usage?unused=", "GET /databricks_scopes/usage?a=1&",
		"GET /databricks_scopes/recommend?token_id=", "GET /databricks_scopes/explain?method=GET&path=/api/2.0/", "GET /databricks_scopes/explain?token_id=",
		"DELETE /databricks_scopes/tokens/", "POST /databricks_scopes/usage?x=", "GET /",
	} {
		method, target, _ := strings.Cut(request, " ")
		asked, err := http.NewRequest(method, "http://"+s.admin+target+secret, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(asked)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		s.answers += fmt.Sprintln(answer.Header, string(body))
	}
}

// secretSite is a gateway that logs as much as possible.
type secretSite struct {
	workspace *fakeworkspace.Workspace
	folder    string
	listen    string
	admin     string
	printed   *os.File
	answers   string // of the admin API
}

func startSecretSite(t *testing.T, workspace *fakeworkspace.Workspace) *secretSite {
	t.Helper()
	folder, err := os.MkdirTemp("", "scopegate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	s := &secretSite{workspace: workspace, folder: folder, listen: harness.FreeAddress(t), admin: harness.FreeAddress(t)}

	autosave, stderr, stdout := caddy.ConfigAutosavePath, os.Stderr, os.Stdout
	caddy.ConfigAutosavePath = filepath.Join(folder, "autosave.json")
	if s.printed, err = os.Create(filepath.Join(folder, "printed")); err != nil {
		t.Fatal(err)
	}
	os.Stderr, os.Stdout = s.printed, s.printed
	log.SetOutput(s.printed)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		caddy.ConfigAutosavePath, os.Stderr, os.Stdout = autosave, stderr, stdout
		log.SetOutput(stderr)
		_ = s.printed.Close()
	})
	return s
}

// load loads a configuration, with the log format that Caddyfile.example recommends.
func (s *secretSite) load(t *testing.T, options string) {
	t.Helper()
	example, err := os.ReadFile(filepath.Join(golden.Root(t), "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	format := regexp.MustCompile(`\n\t\tformat .*\n`).FindString(string(example))
	if !strings.Contains(format, "databricks_safe") {
		t.Fatal("Caddyfile.example has no log format that hides secrets")
	}
	adapted, err := harness.Adapt(fmt.Sprintf(`{
	debug
	admin %s
	auto_https off
	storage file_system %s/storage
	metrics
	log default {
		level DEBUG
		output file %s/default.log
		exclude http.handlers.databricks_scopes.audit
		%s
	}
	log audit {
		include http.handlers.databricks_scopes.audit
		output file %s/audit.log
	}
}
http://%s {
	log
	tracing
	databricks_gateway %s {
		%s
		lookup {
			timeout 1s
			rate 1000
		}
		audit {
			log on
			output file %s/trail.log
		}
		%s
	}
}
`, s.admin, s.folder, s.folder, format, s.folder, s.listen, s.workspace.URL(), harness.AdminBlock, s.folder, options))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
}

// send writes a raw request: the request line without the version, headers, and the last
// line as the body if it is not a header. It returns the response, if any.
func (s *secretSite) send(t *testing.T, lines []string) string {
	t.Helper()
	var connection net.Conn
	harness.WaitFor(t, "the gateway to listen", func() bool {
		var err error
		connection, err = net.Dial("tcp", s.listen)
		return err == nil
	})
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	request := lines[0] + " HTTP/1.1\r\nHost: " + s.listen + "\r\nConnection: close\r\n"
	body := ""
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, "{") || !strings.Contains(line, ": ") {
			body = line
			break
		}
		request += line + "\r\n"
	}
	if body != "" {
		request += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(connection, request+"\r\n"+body); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(connection) // possibly nothing
	return string(answer)
}

// outputs returns everything that the gateway wrote or answered, by place.
func (s *secretSite) outputs(t *testing.T) map[string]string {
	t.Helper()
	output := map[string]string{"answers of the admin API": s.answers}
	paths := []string{"/config/", "/metrics", "/reverse_proxy/upstreams", "/debug/vars", "/pki/ca/local"}
	// As Caddy asks for the routes.
	module, err := caddy.GetModule("admin.api.databricks_scopes")
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range module.New().(caddy.AdminRouter).Routes() {
		paths = append(paths, route.Pattern)
	}
	for _, path := range paths {
		response, err := http.Get("http://" + s.admin + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		output["GET "+path] = fmt.Sprint(response.Header, string(body))
	}
	if err := caddy.Stop(); err != nil { // saves the recorded usage
		t.Error(err)
	}
	err = filepath.WalkDir(s.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name := entry.Name()
		if base, ok := strings.CutSuffix(name, ".log"); ok {
			name = base + " log"
		}
		output[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// receivedText returns what a collector got from scopegate. Spans of Caddy's tracing
// directive quote paths and user agents as sent.
func receivedText(r *otlptest.Receiver) string {
	var b strings.Builder
	for _, span := range r.Spans() {
		if !strings.HasPrefix(span.Scope.GetName(), "github.com/scopegate/") {
			continue
		}
		ours := proto.Clone(span.Span).(*tracepb.Span)
		if span.ParentID() != "" {
			ours.TraceState = "" // comes from the caller and is part of its trace
		}
		b.WriteString(protojson.Format(ours) + protojson.Format(span.Resource) + "\n")
	}
	for _, log := range r.Logs() {
		b.WriteString(protojson.Format(log.LogRecord) + protojson.Format(log.Resource) + "\n")
	}
	return b.String()
}
