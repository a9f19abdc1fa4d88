package fakeworkspace_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/config"
	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a workspace for one test.
func start(t testing.TB, opts ...fakeworkspace.Option) *fakeworkspace.Workspace {
	t.Helper()
	w := fakeworkspace.New(opts...)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// sdk returns the real client, configured without the environment.
func sdk(t testing.TB, cfg *databricks.Config) *databricks.WorkspaceClient {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	if cfg.HTTPTransport == nil {
		cfg.HTTPTransport = transport
	}
	cfg.ConfigFile = filepath.Join(t.TempDir(), "none")
	cfg.Loaders = []config.Loader{config.ConfigFile} // not the environment
	c, err := databricks.NewWorkspaceClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func patClient(t testing.TB, w *fakeworkspace.Workspace, token string) *databricks.WorkspaceClient {
	t.Helper()
	return sdk(t, &databricks.Config{Host: w.URL(), Token: token, AuthType: "pat"})
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body []byte
}

// refusalBody is the shape of every error.
type refusalBody struct {
	ErrorCode any    `json:"error_code"`
	Message   string `json:"message"`
}

func (a answer) refusal(t testing.TB) refusalBody {
	t.Helper()
	var b refusalBody
	if err := json.Unmarshal(a.body, &b); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
	return b
}

// call sends one request; an empty token sends no credential.
func call(t testing.TB, method, url, token, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := noRedirects.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, b}
}

var noRedirects = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// h2cTransport speaks HTTP/2 without TLS.
func h2cTransport() *http.Transport {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: &p}
}

// tlsTransport trusts the workspace and prefers HTTP/2.
func tlsTransport(w *fakeworkspace.Workspace) *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.CAPool()}, ForceAttemptHTTP2: true}
}
