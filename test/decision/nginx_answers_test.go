package decision

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	sdk "github.com/databricks/databricks-sdk-go/config"
	filesapi "github.com/databricks/databricks-sdk-go/service/files"
	jobsapi "github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

const folder = "/api/2.0/fs/files/Volumes/main/default/v/"

// TestNginxRefusals: what clients see of a refusal is what the gateway itself would answer.
func TestNginxRefusals(t *testing.T) {
	const origin = "https://app.example.com"
	w := harness.StartWorkspace(t)
	n := startNginxAt(t, harness.StartSite(t, w, strings.Replace(decisionBlock(w), "cache {", "cors "+origin+"\ncache {", 1)))
	n.Records(t, 1)
	missing := golden.FindRefusal(t, "missing_scope", "scopes", "jobs")
	for _, test := range []struct {
		name, path, token string
		header            []string
		want              golden.Refusal
	}{
		{"out of scope", jobs, "files", nil, missing},
		{"no credential", jobs, "", nil, golden.FindRefusal(t, "missing_credential")},
		{"unknown token", jobs, "files}-2{", nil, golden.FindRefusal(t, "unknown_token")},
		{"with an origin", jobs, "files", []string{"Origin", origin}, missing},
		{"thrift", "/sql/1.0/warehouses/x", "", []string{"Content-Type", "application/x-thrift"}, golden.FindRefusal(t, "missing_credential")},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := strings.TrimSuffix(n.fill.Replace("{"+test.token+"}"), "{}")
			if test.token == "" {
				token = ""
			}
			a := harness.Do(t, n.client, harness.NewRequest(t, http.MethodGet, n.url+test.path, token, nil, test.header...))
			a.CheckRefusal(t, test.want)
			for name, values := range a.Header {
				if len(values) != 1 {
					t.Errorf("%s: %q", name, values)
				}
			}
			if a.ProtoMajor != 2 || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s, headers %v", a.Proto, a.Header)
			}
			crossed := slices.Contains(test.header, origin)
			if (a.Header.Get("Access-Control-Allow-Origin") == origin) != crossed || (a.Header.Get("Access-Control-Expose-Headers") != "") != crossed || a.Header.Get("Vary") != "Origin" {
				t.Errorf("headers %v", a.Header)
			}
			if (a.Header.Get("X-Thriftserver-Error-Message") != "") != (test.name == "thrift") {
				t.Errorf("headers %v", a.Header)
			}
		})
	}
	t.Run("HEAD", func(t *testing.T) {
		a := n.ask(t, http.MethodHead, jobs, "files")
		if a.StatusCode != 403 || a.Body != "" || a.Header.Get("X-Scopegate-Reason") != attacks.Scope {
			t.Errorf("answered %d %v %q", a.StatusCode, a.Header, a.Body)
		}
	})
	if found := harness.Arrivals(w); slices.ContainsFunc(found, func(r fakeworkspace.Request) bool { return r.Path != harness.Me }) {
		t.Errorf("%d requests arrived", len(found))
	}
}

// TestNginxStatuses: return takes no variable, so each status of a refusal has its line.
func TestNginxStatuses(t *testing.T) {
	var listed, want []int
	for _, match := range regexp.MustCompile(`if \(\$scopegate_status = (\d+)\) \{ return (\d+) \$scopegate_body; \}`).FindAllStringSubmatch(shipped(t, "nginx/scopegate-server.conf"), -1) {
		status, _ := strconv.Atoi(match[1])
		if listed = append(listed, status); match[1] != match[2] {
			t.Errorf("%s is told as %s", match[1], match[2])
		}
	}
	for _, refusal := range golden.Refusals(t) {
		want = append(want, refusal.Status)
	}
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(listed, want) {
		t.Errorf("statuses %v, and there are %v", listed, want)
	}
}

// TestNginxAnswersOfTheWorkspace: its own 401, 403 and 500 pass as they are.
func TestNginxAnswersOfTheWorkspace(t *testing.T) {
	n := startNginx(t)
	for _, status := range []int{401, 403, 429, 500, 502, 503, 504} {
		n.Workspace.Handle("GET "+folder+strconv.Itoa(status), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", n.Workspace.TLSURL()+"/x")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "the workspace's own")
		}))
		a := n.ask(t, http.MethodGet, folder+strconv.Itoa(status), "files")
		if a.StatusCode != status || a.Body != "the workspace's own" || a.Header.Get("X-Scopegate-Reason") != "" ||
			a.Header.Get("Server") != "databricks" || a.Header.Get("Location") != n.Workspace.TLSURL()+"/x" {
			t.Errorf("%d: answered %d %v %s", status, a.StatusCode, a.Header, a.Body)
		}
	}
}

// TestNginxSDK: Databricks' own client works, and gets the typed error of a refusal.
func TestNginxSDK(t *testing.T) {
	n := startNginx(t)
	client, err := databricks.NewWorkspaceClient(&databricks.Config{
		Host: n.url, Token: n.fill.Replace("{files}"), AuthType: "pat", HTTPTransport: n.client.Transport,
		ConfigFile: filepath.Join(t.TempDir(), "none"), Loaders: []sdk.Loader{sdk.ConfigFile},
	})
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	const name = "/Volumes/main/default/v/größe 100%.bin"
	if err := client.Files.Upload(t.Context(), filesapi.UploadRequest{FilePath: name, Contents: io.NopCloser(bytes.NewReader(content))}); err != nil {
		t.Fatal(err)
	}
	file, err := client.Files.DownloadByFilePath(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Contents.Close()
	if got, err := io.ReadAll(file.Contents); err != nil || !bytes.Equal(got, content) {
		t.Errorf("downloaded %d bytes, %v", len(got), err)
	}
	_, err = client.Jobs.ListAll(t.Context(), jobsapi.ListJobsRequest{})
	if !errors.Is(err, databricks.ErrPermissionDenied) || !strings.Contains(err.Error(), "does not have required scopes: jobs") {
		t.Errorf("refused with %v", err)
	}
}

// TestNginxStreams: neither direction waits for the end of a body.
func TestNginxStreams(t *testing.T) {
	n := startNginx(t)
	got, resume := make(chan string), make(chan struct{})
	n.Workspace.Handle("PUT "+folder+"up", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		first := make([]byte, 5)
		_, _ = io.ReadFull(r.Body, first)
		got <- string(first)
		rest, _ := io.ReadAll(r.Body)
		got <- string(rest)
	}))
	n.Workspace.Handle("GET "+folder+"down", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-resume
		_, _ = io.WriteString(w, "rest")
	}))
	body, pipe := io.Pipe()
	answered := make(chan int)
	go func() {
		r := harness.NewRequest(t, http.MethodPut, n.url+folder+"up", n.fill.Replace("{files}"), body)
		answer, err := n.client.Do(r)
		if err != nil {
			t.Error(err)
			close(answered)
			return
		}
		_ = answer.Body.Close()
		answered <- answer.StatusCode
	}()
	_, _ = io.WriteString(pipe, "first")
	if text := <-got; text != "first" {
		t.Errorf("uploaded %q", text)
	}
	_, _ = io.WriteString(pipe, "rest")
	_ = pipe.Close()
	if text, status := <-got, <-answered; text != "rest" || status != 200 {
		t.Errorf("uploaded %q, answered %d", text, status)
	}
	answer, err := n.client.Do(harness.NewRequest(t, http.MethodGet, n.url+folder+"down", n.fill.Replace("{files}"), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	first := make([]byte, 5)
	if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "first" {
		t.Errorf("downloaded %q, %v", first, err)
	}
	close(resume)
	if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "rest" {
		t.Errorf("downloaded %q, %v", rest, err)
	}
}

// TestNginxRefusesBeforeTheBody: a client that waits is not asked for a body that is refused.
func TestNginxRefusesBeforeTheBody(t *testing.T) {
	n := startNginx(t)
	conn := n.dial(t)
	defer conn.Close()
	_, _ = io.WriteString(conn, n.fill.Replace("PUT "+folder+"a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sql}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 403 || answer.Header.Get("X-Scopegate-Reason") != attacks.Scope {
		t.Errorf("answered %d %v", answer.StatusCode, answer.Header)
	}
}

// TestNginxWebSocket: a tunnel opens where a token was judged, and nowhere else.
func TestNginxWebSocket(t *testing.T) {
	n := startNginx(t)
	n.Workspace.Handle("GET "+folder+"ws", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			return
		}
		conn, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, _ := in.ReadString('\n')
		_, _ = io.WriteString(conn, "echo "+line)
	}))
	upgrade := func(kind string) string {
		return n.fill.Replace("GET " + folder + "ws HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nConnection: Upgrade\r\nUpgrade: " + kind + "\r\n\r\n")
	}
	conn := n.dial(t)
	defer conn.Close()
	_, _ = io.WriteString(conn, upgrade("WebSocket"))
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.WriteString(conn, "hello\n")
	if line, err := in.ReadString('\n'); answer.StatusCode != 101 || err != nil || line != "echo hello\n" {
		t.Errorf("answered %d, %q, %v", answer.StatusCode, line, err)
	}
	public := strings.Replace(upgrade("websocket"), folder+"ws", "/oidc/x", 1)
	public = regexp.MustCompile(`Authorization: .*\r\n`).ReplaceAllString(public, "")
	for _, text := range []string{upgrade("h2c"), upgrade("websocket, h2c"), public} {
		n.exchange(t, text, 1)
		got, _ := n.Workspace.LastRequest()
		if up := got.Header["Upgrade"]; up != nil {
			t.Errorf("%s arrived with Upgrade: %q", got.Path, up)
		}
	}
}
