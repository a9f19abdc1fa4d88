package decision

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// territories are the paths that each token permits, as the workspace reads them. They are
// written independently of the catalog.
var territories = map[string]*regexp.Regexp{
	"files": regexp.MustCompile(`^/api/2\.0/(fs/(files|directories)/|dbfs/)`),
	"sql":   regexp.MustCompile(`^/api/2\.0/sql/(statements|warehouses|endpoints|queries|alerts|history)(/|$)`),
}

// accountPath is a path that no personal access token may call.
const accountPath = "/api/2.0/accounts/1/workspaces"

// misleading matches the names of headers that must not be sent, once their odd characters
// are folded into hyphens.
var misleading = regexp.MustCompile(`(?i)^(cookie|proxy.authorization|.*(override|rewrite|rewritten|original|replaced).*|(x.)?request.uri|x.(http.)?method|x.proxy.url|x.api.key|x.forwarded.(uri|url|path|prefix|method|authorization|access.token)|http2.settings|x.databricks.(azure|gcp).*)$`)

// sender is an Envoy: it asks about a request, and sends it if it may, without the headers
// that it is told to remove.
type sender struct {
	*rig
	client authv3.AuthorizationClient
	form   form
	tokens map[string]string // values
	sent   int               // requests
}

// form is how Envoy writes a check.
type form bool

const (
	asText form = false
	asRaw  form = true // encode_raw_headers
)

func (f form) String() string {
	if f == asRaw {
		return "raw"
	}
	return "text"
}

// line is a header as the client sends it.
type line struct{ name, value string }

// describe writes a check of a request as Envoy does: names in lower case, duplicates joined
// in text, bytes that are not UTF-8 replaced in text.
func (f form) describe(method, target string, lines []line) *authv3.CheckRequest {
	of := &authv3.AttributeContext_HttpRequest{Method: text(method), Path: text(target), Host: "h", Scheme: "https", Protocol: "HTTP/1.1"}
	all := append([]line{{":method", method}, {":path", target}, {":authority", "h"}, {":scheme", "https"}}, lines...)
	if f == asRaw {
		of.HeaderMap = new(corev3.HeaderMap)
		for _, l := range all {
			of.HeaderMap.Headers = append(of.HeaderMap.Headers, &corev3.HeaderValue{Key: strings.ToLower(l.name), RawValue: []byte(l.value)})
		}
	} else {
		of.Headers = map[string]string{}
		for _, l := range all {
			name := strings.ToLower(l.name)
			if earlier, ok := of.Headers[name]; ok {
				of.Headers[name] = earlier + "," + text(l.value)
			} else {
				of.Headers[name] = text(l.value)
			}
		}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: of}}}
}

// text is what Envoy writes of bytes in a string: ! for each that is not UTF-8.
func text(raw string) string {
	var b strings.Builder
	for len(raw) > 0 {
		r, size := utf8.DecodeRuneInString(raw)
		if r == utf8.RuneError && size == 1 {
			b.WriteByte('!')
		} else {
			b.WriteString(raw[:size])
		}
		raw = raw[size:]
	}
	return b.String()
}

func startSender(t *testing.T, f form) *sender {
	t.Helper()
	r := start(t, "cache {\nttl 1h\nnegative_ttl 1h\n}")
	s := &sender{rig: r, client: r.envoy(t), form: f, tokens: map[string]string{"files": r.files, "sql": r.Mint("sql").Value, "all": r.all}}
	for _, token := range s.tokens { // so that only what is sent reaches the workspace from now on
		if _, err := s.client.Check(t.Context(), f.describe("GET", harness.Me, []line{{"authorization", "Bearer " + token}})); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// try asks about a request, and sends it to the workspace if it may pass. Token is the name of
// the one that the request must be judged by.
func (s *sender) try(t *testing.T, token, method, target string, lines ...line) (allowed bool, reason string) {
	t.Helper()
	answer, err := s.client.Check(t.Context(), s.form.describe(method, target, lines))
	if err != nil {
		t.Fatal(err)
	}
	reason = answer.GetDynamicMetadata().GetFields()["reason"].GetStringValue()
	if answer.GetStatus().GetCode() != 0 {
		if answer.GetDeniedResponse().GetStatus().GetCode() < 400 || answer.GetOkResponse() != nil {
			t.Errorf("%s %q is refused by %v", method, target, answer)
		}
		return false, reason
	}
	if answer.GetDeniedResponse() != nil || answer.GetOkResponse() == nil {
		t.Fatalf("%s %q passes by %v", method, target, answer)
	}
	removed := answer.GetOkResponse().GetHeadersToRemove()
	var kept []line
	for _, l := range lines {
		if !slices.ContainsFunc(removed, func(name string) bool { return strings.EqualFold(name, l.name) }) {
			kept = append(kept, l)
		}
	}
	s.clean(t, target, kept)
	got := s.send(t, method, target, kept)
	if id := fmt.Sprintf("%x", sha256.Sum256([]byte(s.tokens[token]))); got.TokenID != id && (got.TokenID != "" || !slices.Contains(removed, "Authorization")) {
		t.Errorf("%s %q was judged by the token %s, and another arrived", method, target, token)
	}
	if mine := territories[token]; mine != nil && !mine.MatchString(got.Believed) {
		t.Errorf("%s %q passes with %s, but the workspace reads it as %s", method, target, token, got.Believed)
	}
	if strings.TrimSuffix(got.Believed, "/") == accountPath {
		t.Errorf("%s %q passes, but no personal access token may call it", method, target)
	}
	return true, reason
}

// clean checks that nothing leaves that contradicts what was judged.
func (s *sender) clean(t *testing.T, target string, kept []line) {
	t.Helper()
	credentials := 0
	for _, l := range kept {
		if strings.EqualFold(l.name, "Authorization") {
			credentials++
			continue
		}
		plain := strings.Trim(strings.ToLower(l.name), "_-.~!'`^|*+&%$#")
		if misleading.MatchString(plain) || plain == "authorization" {
			t.Errorf("%q leaves with %s", target, l.name)
		}
		if strings.Contains(l.value, "dapi") {
			t.Errorf("%q leaves with a token in %s", target, l.name)
		}
	}
	if credentials > 1 {
		t.Errorf("%q leaves with %d credentials", target, credentials)
	}
}

// send sends a request that may pass to the workspace, and returns what it made of it.
func (s *sender) send(t *testing.T, method, target string, lines []line) fakeworkspace.Request {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Workspace.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s.sent++
	host := fmt.Sprintf("sent-%d.example", s.sent)
	out := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	for _, l := range lines {
		out += l.name + ": " + l.value + "\r\n"
	}
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	_, _ = io.WriteString(conn, out+"\r\n")
	_, _ = io.Copy(io.Discard, conn)
	all := s.Workspace.Requests()
	i := slices.IndexFunc(all, func(r fakeworkspace.Request) bool { return r.Host == host })
	if i < 0 {
		t.Fatalf("%s %q did not arrive", method, target)
	}
	return all[i]
}

// bearer is the header of a token, by its name.
func (s *sender) bearer(token string) line { return line{"authorization", "Bearer " + s.tokens[token]} }

// inBothForms runs a test for each form of checks.
func inBothForms(t *testing.T, test func(t *testing.T, s *sender)) {
	for _, f := range []form{asText, asRaw} {
		t.Run(f.String(), func(t *testing.T) { test(t, startSender(t, f)) })
	}
}

// TestEnvoyPaths tries every trick in testdata/path-tricks.tsv with disguises: a token that
// permits everything below base, and not target.
func TestEnvoyPaths(t *testing.T) {
	refusals := []string{"missing_scope", "malformed_path", "account_level_operation", "ambiguous_request"}
	inBothForms(t, func(t *testing.T, s *sender) {
		for _, d := range []struct{ token, base, method, target string }{
			{"files", "/api/2.0/fs/files/Volumes/a", "GET", "/api/2.0/secrets/list"},
			{"files", "/api/2.0/fs/directories/a", "DELETE", "/api/2.0/token-management/tokens/1"},
			{"sql", "/api/2.0/sql/statements", "POST", "/api/2.0/token/create"},
			{"sql", "/api/2.0/sql/warehouses", "GET", "/api/2.1/clusters/list"},
			{"all", "/api/2.0/sql/warehouses", "GET", accountPath},
		} {
			for _, trick := range golden.PathTricks(t) {
				target, applies := golden.Disguise{Base: d.base, Target: d.target}.Write(trick.Form)
				if !applies {
					continue
				}
				t.Run(d.token+" "+d.target+" "+trick.Name, func(t *testing.T) {
					allowed, reason := s.try(t, d.token, d.method, target, s.bearer(d.token))
					harmless := trick.Outcome == golden.Harmless || d.token == "all"
					switch {
					case allowed && !harmless:
						t.Errorf("%q passes", target)
					case allowed:
					case target == "" && reason == "gateway_misconfigured": // no path at all
					case !slices.Contains(refusals, reason):
						t.Errorf("%q is refused by %s", target, reason)
					case reason == "ambiguous_request" && (s.form == asText && !strings.Contains(text(target), "!") || s.form == asRaw && text(target) == target):
						t.Errorf("%q is taken for two", target)
					case !harmless && reason != "ambiguous_request" && slices.Contains(refusals, trick.Outcome) && trick.Name != "absolute URL of this host" && reason != trick.Outcome:
						t.Errorf("%q is refused by %s, want %s", target, reason, trick.Outcome)
					}
				})
			}
		}
	})
}

// spellings returns variants of a header name that some servers treat as the same name.
func spellings(name string) []string {
	var all []string
	for _, with := range []string{"-", "_", ".", "~", "!", "^", "`", "|"} {
		all = append(all, strings.ReplaceAll(name, "-", with))
	}
	return append(all, strings.ToUpper(name), strings.ToLower(name), name+"_", "_"+name, name+".", "~"+name,
		strings.Replace(name, "-", "_", 1), strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
}

// TestEnvoyOverrides: headers that name another method, path or credential are removed, in
// every spelling, and never let anything pass.
func TestEnvoyOverrides(t *testing.T) {
	const clusters, file = "/api/2.1/clusters/list", "/api/2.0/fs/files/a"
	inBothForms(t, func(t *testing.T, s *sender) {
		for name, value := range map[string]string{
			"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE", "X-Original-Method": "DELETE",
			"X-Forwarded-Method": "DELETE", "X-HTTP-Verb-Override": "DELETE", "X-Method": "DELETE", "X-Envoy-Original-Method": "DELETE",
			"X-Original-URL": clusters, "X-Original-URI": clusters, "X-Rewrite-URL": clusters, "X-Override-URL": clusters,
			"X-Forwarded-URI": clusters, "X-Forwarded-Path": clusters, "X-Forwarded-Prefix": clusters, "X-Envoy-Original-Path": clusters,
			"X-Original-Path": clusters, "X-Request-URI": clusters, "X-Rewrite-URI": clusters, "X-Rewritten-URL": clusters,
			"X-Forwarded-URL": clusters, "X-Replaced-Path": clusters, "X-Proxy-URL": clusters, "Request-URI": clusters,
			"Proxy-Authorization": "Bearer " + s.tokens["all"], "X-Forwarded-Authorization": "Bearer " + s.tokens["all"],
			"X-Original-Authorization": "Bearer " + s.tokens["all"], "X-Api-Key": s.tokens["all"], "Cookie": "token=" + s.tokens["all"],
			"X-Forwarded-Access-Token": s.tokens["all"], "HTTP2-Settings": "AAMAAABk",
			"X-Databricks-Azure-SP-Management-Token": s.tokens["all"], "X-Databricks-GCP-SA-Access-Token": s.tokens["all"],
		} {
			t.Run(name, func(t *testing.T) {
				for _, spelling := range spellings(name) {
					if allowed, reason := s.try(t, "files", "GET", file, s.bearer("files"), line{spelling, value}); !allowed {
						t.Errorf("%s: refused by %s", spelling, reason)
					}
				}
				if allowed, _ := s.try(t, "files", "GET", file, line{name, "x"}, s.bearer("files"), line{name, value}); !allowed {
					t.Error("twice: refused")
				}
				if allowed, reason := s.try(t, "files", "GET", clusters, s.bearer("files"), line{name, file}); allowed || reason != "missing_scope" {
					t.Errorf("with a path in scope: %s", reason)
				}
			})
		}
	})
}

// TestEnvoyCredentials: exactly one credential is sent, and it is the one that was judged.
func TestEnvoyCredentials(t *testing.T) {
	const either = "" // one refusal in text, another in raw
	inBothForms(t, func(t *testing.T, s *sender) {
		files, all := s.tokens["files"], s.tokens["all"]
		basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
		for _, test := range []struct {
			name  string
			lines []line
			want  string
		}{
			{"one", []line{s.bearer("files")}, "permitted"},
			{"none", nil, "missing_credential"},
			{"empty", []line{{"authorization", ""}}, "missing_credential"},
			{"no scheme", []line{{"authorization", files}}, "unsupported_credential"},
			{"lower-case scheme", []line{{"authorization", "bearer " + files}}, "permitted"},
			{"two, the permitted one first", []line{s.bearer("files"), s.bearer("all")}, either},
			{"two, the permitted one last", []line{s.bearer("all"), s.bearer("files")}, either},
			{"the same twice", []line{s.bearer("files"), s.bearer("files")}, either},
			{"two spellings", []line{s.bearer("files"), {"AUTHORIZATION", "Bearer " + all}}, either},
			{"one and an empty one", []line{s.bearer("files"), {"authorization", ""}}, either},
			{"an empty one and one", []line{{"authorization", ""}, s.bearer("files")}, either},
			{"basic and bearer", []line{s.bearer("files"), {"authorization", basic("token:" + all)}}, either},
			{"list", []line{{"authorization", "Bearer " + files + ", Bearer " + all}}, "unsupported_credential"},
			{"list without spaces", []line{{"authorization", "Bearer " + files + "," + all}}, "unsupported_credential"},
			{"not UTF-8", []line{{"authorization", "Bearer " + files + "\xff"}}, "unsupported_credential"},
			{"not UTF-8 in between", []line{{"authorization", "Bearer \xff" + files}}, "unsupported_credential"},
			{"NUL", []line{{"authorization", "Bearer " + files + "\x00"}}, "unsupported_credential"},
			{"unknown", []line{{"authorization", "Bearer " + files + "-2"}}, "unknown_token"},
			{"basic", []line{{"authorization", basic("token:" + files)}}, "permitted"},
			{"basic, other user", []line{{"authorization", basic("admin:" + files)}}, "unsupported_credential"},
			{"underscore", []line{s.bearer("files"), {"authorization_", "Bearer " + all}}, "permitted"},
			{"dot", []line{s.bearer("files"), {"authorization.", "Bearer " + all}}, "permitted"},
			{"only an alias", []line{{"authorization_", "Bearer " + files}}, "missing_credential"},
			{"only a proxy credential", []line{{"proxy-authorization", "Bearer " + files}}, "missing_credential"},
			{"cookie only", []line{{"cookie", "DBAUTH=" + files}}, "missing_credential"},
			{"several cookies", []line{s.bearer("files"), {"cookie", "a=" + all}, {"cookie", "b=" + all}, {"cookie~", "c=" + all}}, "permitted"},
			{"hop by hop", []line{s.bearer("files"), {"connection", "authorization"}}, "ambiguous_request"},
			{"another workspace", []line{s.bearer("files"), {"x-databricks-org-id", fmt.Sprint(s.Workspace.WorkspaceID() + 1)}}, "wrong_workspace"},
			{"two workspaces", []line{s.bearer("files"), {"x-databricks-org-id", fmt.Sprint(s.Workspace.WorkspaceID())}, {"x-databricks-org-id", fmt.Sprint(s.Workspace.WorkspaceID() + 1)}}, "ambiguous_request"},
			{"another workspace by tildes", []line{s.bearer("files"), {"x-databricks-org~id", fmt.Sprint(s.Workspace.WorkspaceID() + 1)}}, "permitted"},
		} {
			t.Run(test.name, func(t *testing.T) {
				allowed, reason := s.try(t, "files", "GET", "/api/2.0/fs/files/a", test.lines...)
				if test.want != either && reason != test.want || test.want == either && (allowed || reason != "ambiguous_request" && reason != "unsupported_credential") {
					t.Errorf("%s", reason)
				}
			})
		}
		for _, query := range []string{"access_token=" + all, "access_token", "a=b&access_token=" + all, "%61ccess_token=" + all, "a=b;access_token=" + all, "a=\xff&access_token=" + all} {
			if allowed, reason := s.try(t, "sql", "GET", "/api/2.0/sql/warehouses?"+query, s.bearer("sql")); allowed || reason != "ambiguous_request" {
				t.Errorf("query %s: %s", query, reason)
			}
		}
	})
}
