package fleet

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// ask sends a request to an authority, as an edge that may be anybody.
func ask(t *testing.T, g *fleettest.Gateway, path string, change func(*http.Request), certificates ...tls.Certificate) (status int, body string) {
	t.Helper()
	secret, err := os.ReadFile(g.Rig().EdgeToken)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.Authority()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(secret)))
	r.Header.Set(wire.WorkspaceHeader, g.Rig().Workspace.URL())
	r.Header.Set(wire.NameHeader, "tester")
	if change != nil {
		change(r)
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: g.Rig().CA.Pool(), Certificates: certificates},
		ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// TestAccess: an authority tells an edge of one token at a time, of its own workspace, and
// tells others nothing.
func TestAccess(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	authority := r.Start("authority", fleettest.Setting{Answers: true})
	token := r.Mint()
	id := token.Info.TokenId
	for _, test := range []struct {
		name, path string
		change     func(*http.Request)
		status     int
		code       string
	}{
		{"one token", wire.Prefix + "tokens/" + id, nil, 200, ""},
		{"the list", wire.Prefix + "tokens", nil, 404, ""},
		{"the list, with a slash", wire.Prefix + "tokens/", nil, 404, ""},
		{"the workspace's list", tokensPath, nil, 404, ""},
		{"a pattern", wire.Prefix + "tokens/*", nil, 404, "no_route"},
		{"half an id", wire.Prefix + "tokens/" + id[:32], nil, 400, "malformed"},
		{"the admin API", "/databricks_scopes/tokens", nil, 404, ""},
		{"an invented token", wire.Prefix + "tokens/" + fleettest.RandomHex(32), nil, 404, "unknown_token"},
		{"another workspace", wire.Prefix + "tokens/" + id, func(r *http.Request) { r.Header.Set(wire.WorkspaceHeader, "https://other.cloud.databricks.com") }, 421, "workspace"},
		{"no workspace", wire.Prefix + "tokens/" + id, func(r *http.Request) { r.Header.Del(wire.WorkspaceHeader) }, 0, ""},
		{"no credential", wire.Prefix + "tokens/" + id, func(r *http.Request) { r.Header.Del("Authorization") }, 401, "unauthorized"},
		{"another credential", wire.Prefix + "tokens/" + id, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+fleettest.RandomHex(32)) }, 401, "unauthorized"},
		{"the token itself", wire.Prefix + "tokens/" + id, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token.Value) }, 401, "unauthorized"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := ask(t, authority, test.path, test.change)
			var problem wire.Problem
			_ = json.Unmarshal([]byte(body), &problem) // other answers have none
			switch {
			case test.status == 0 && status/100 != 4:
				t.Errorf("%d %s", status, body)
			case test.status != 0 && status != test.status, test.code != "" && problem.Code != test.code:
				t.Errorf("%d %s, want %d %s", status, body, test.status, test.code)
			case test.status != 200 && (strings.Contains(body, "user@example.com") || strings.Contains(body, token.Value)):
				t.Errorf("it tells: %s", body)
			}
		})
	}
	if got := r.Workspace.Counts(); got.Lists != 0 {
		t.Errorf("%d lists", got.Lists)
	}
}

// TestClientCertificates: with certificates, those with one of the names are let in.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	authority := r.Start("authority", fleettest.Setting{Answers: true, LetsIn: "client_certificate edge-1"})
	load := func(ca *fleettest.Certificates, name string) tls.Certificate {
		certificate, key := ca.Issue(t, name)
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	file, _ := r.CA.Issue(t, "edge-1")
	good, stranger, forged := load(r.CA, "edge-1"), load(r.CA, "edge-9"), load(fleettest.NewCertificates(t), "edge-1")
	path := wire.Prefix + "tokens/" + r.Mint().Info.TokenId
	withoutToken := func(r *http.Request) { r.Header.Del("Authorization") }
	if status, body := ask(t, authority, path, withoutToken, good); status != 200 {
		t.Errorf("a certificate with the name: %d %s", status, body)
	}
	if status, body := ask(t, authority, path, withoutToken, stranger); status != 401 && status != 403 {
		t.Errorf("one with another name: %d %s", status, body)
	}
	if status, body := ask(t, authority, path, withoutToken, forged); status == 200 {
		t.Errorf("one of another authority: %d %s", status, body)
	}
	if status, body := ask(t, authority, path, nil); status != 401 {
		t.Errorf("none: %d %s", status, body)
	}
	authority.Process.AwaitLog(t, `"reason":"forbidden"`)
	authority.Process.AwaitLog(t, "client_certificate needs tls { client_auth {")
	edge := r.Edges(1, func(_ int, s *fleettest.Setting) { s.Certificate = strings.TrimSuffix(file, ".pem") }, authority)[0]
	mustPass(t, r.Mint().Value, edge)
}

// TestPlainHTTP: nothing that lets anybody in crosses a network in the clear.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	t.Run("edge", func(t *testing.T) {
		file := filepath.Join(r.Folder, "plain.Caddyfile")
		content := "http://:1 {\ndatabricks_gateway " + r.Workspace.URL() + " {\nadmin {\nauthority http://authority.example.com:9443 {\ntoken {file." + r.EdgeToken + "}\n}\n}\n}\n}\n"
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		p := processtest.Launch(t, "127.0.0.1:1", nil, "scopegate", "adapt", "--config", file, "--adapter", "caddyfile", "--validate")
		if code := p.Exit(t); code == 0 || !strings.Contains(p.Log.String(), "https://") {
			t.Errorf("exit code %d, want an error that names https://: %s", code, p.Log)
		}
	})
	t.Run("authority", func(t *testing.T) {
		outside := outsideAddress()
		if outside == "" {
			t.Skip("skipped: this machine has loopback only")
		}
		port := processtest.FreeAddress(t)
		_, port, _ = net.SplitHostPort(port)
		g := r.Prepare("plain", fleettest.Setting{Answers: true})
		folder := filepath.Join(r.Folder, g.Name)
		content := g.Caddyfile() + "http://:" + port + " {\nbind 127.0.0.1 " + outside + "\ndatabricks_authority {\nworkspace prod\ntoken {file." + r.EdgeToken + "}\n}\n}\n"
		if err := os.WriteFile(filepath.Join(folder, "Caddyfile"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		g.Process = processtest.Launch(t, g.Listen, nil, "scopegate", "run", "--config", filepath.Join(folder, "Caddyfile"), "--adapter", "caddyfile")
		g.AwaitReady()
		secret, err := os.ReadFile(r.EdgeToken)
		if err != nil {
			t.Fatal(err)
		}
		for host, want := range map[string]int{"127.0.0.1": 200, outside: 403} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(host, port)+wire.Prefix+"tokens/"+r.Mint().Info.TokenId, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(secret)))
			request.Header.Set(wire.WorkspaceHeader, r.Workspace.URL())
			request.Header.Set(wire.NameHeader, "tester")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("%s: %d, want %d", host, response.StatusCode, want)
			}
		}
	})
}

// outsideAddress returns an IPv4 address of this machine that is not loopback, or nothing.
func outsideAddress() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && !network.IP.IsLoopback() && !network.IP.IsLinkLocalUnicast() {
			return network.IP.String()
		}
	}
	return ""
}
