// Package discovery checks that clients stay at the gateway: OAuth by Databricks' own SDK
// and redirects, with a workspace that only the gateway can reach.
package discovery

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// The names by which the workspace calls itself. They resolve for nobody: the gateway is
// told where to connect to.
const (
	plainAddress  = "http://ws.example.test"
	secureAddress = "https://ws.example.test"
)

// hidden is a workspace that only the gateway can reach.
type hidden struct {
	*fakeworkspace.Workspace
	address string // that it calls itself by
}

// startHidden starts a workspace, over TLS if its address is https.
func startHidden(t testing.TB, address string) *hidden {
	t.Helper()
	w := fakeworkspace.New(fakeworkspace.WithAddress(address))
	start := w.Start
	if address == secureAddress {
		start = w.StartTLS
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	harness.SetAdmin(t, w)

	// Look-ups clone the default transport.
	usual := http.DefaultTransport
	leading := usual.(*http.Transport).Clone()
	proxy := &url.URL{Scheme: "http", Host: socket(w)}
	if address == secureAddress {
		proxy.Host = tunnel(t, socket(w))
	}
	leading.Proxy = http.ProxyURL(proxy)
	leading.TLSClientConfig = &tls.Config{RootCAs: w.CAPool(), ServerName: "127.0.0.1"}
	http.DefaultTransport = leading
	t.Cleanup(func() { http.DefaultTransport = usual })
	return &hidden{w, address}
}

// tunnel starts a proxy through which a client, whatever host it asks for, gets to one
// address. It returns its own.
func tunnel(t testing.TB, to string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			inner, err := listener.Accept()
			if err != nil {
				return
			}
			go pipe(inner, to)
		}
	}()
	return listener.Addr().String()
}

// pipe answers a CONNECT and connects the client with an address.
func pipe(inner net.Conn, to string) {
	defer inner.Close()
	in := bufio.NewReader(inner)
	if _, err := http.ReadRequest(in); err != nil {
		return
	}
	outer, err := net.Dial("tcp", to)
	if err != nil {
		return // the workspace has ended
	}
	defer outer.Close()
	if _, err := io.WriteString(inner, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(outer, in)
		_ = outer.Close()
	}()
	_, _ = io.Copy(inner, outer)
}

// socket returns host and port where a workspace listens.
func socket(w *fakeworkspace.Workspace) string {
	_, address, _ := strings.Cut(w.URL(), "://")
	return address
}

// led leads the gateway's connections to the workspace.
func (h *hidden) led(t testing.TB, config []byte) []byte {
	t.Helper()
	port := ":80"
	if h.address == secureAddress {
		port = ":443"
		authority := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(authority, h.CAPEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		config = replaced(t, config, `"tls":{"server_name":"ws.example.test"}`,
			fmt.Sprintf(`"tls":{"server_name":"127.0.0.1","ca":{"provider":"file","pem_files":[%q]}}`, authority))
	}
	return replaced(t, config, fmt.Sprintf(`"dial":%q`, "ws.example.test"+port), fmt.Sprintf(`"dial":%q`, socket(h.Workspace)))
}

func replaced(t testing.TB, config []byte, before, after string) []byte {
	t.Helper()
	if bytes.Count(config, []byte(before)) != 1 {
		t.Fatalf("no single %s in %s", before, config)
	}
	return bytes.Replace(config, []byte(before), []byte(after), 1)
}

// gateway runs databricks_gateway in front of the workspace.
func (h *hidden) gateway(t testing.TB, options string, change ...func(*harness.Gateway)) *harness.Gateway {
	t.Helper()
	return h.site(t, fmt.Sprintf("databricks_gateway %s {\nusage off\n%s%s\n}", h.address, harness.AdminBlock, options), change...)
}

// site runs a site with the given directives.
func (h *hidden) site(t testing.TB, directives string, change ...func(*harness.Gateway)) *harness.Gateway {
	t.Helper()
	g := harness.NewGateway(t, h.Workspace)
	g.Change = func(config []byte) []byte { return h.led(t, config) }
	for _, f := range change {
		f(g)
	}
	g.Load(t, directives)
	return g
}

// secureGateway runs the same with `tls internal`, and returns its URL and what trusts it.
func (h *hidden) secureGateway(t testing.TB, options string) (address string, trust *tls.Config) {
	t.Helper()
	storage := harness.TempDir(t)
	listen := harness.FreeAddress(t)
	config, err := harness.Adapt(fmt.Sprintf(`{
	admin off
	skip_install_trust
	persist_config off
	auto_https disable_redirects
	storage file_system %s
	log default {
		output discard
	}
}
https://%s {
	tls internal
	databricks_gateway %s {
		usage off
		%s
		%s
	}
}
`, storage, listen, h.address, harness.AdminBlock, options))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(h.led(t, config), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { harness.Stop(t) })
	root, err := os.ReadFile(filepath.Join(storage, "pki", "authorities", "local", "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	trust = &tls.Config{RootCAs: h.CAPool()}
	if !trust.RootCAs.AppendCertsFromPEM(root) {
		t.Fatal("no certificate of Caddy's own authority")
	}
	// Caddy makes the certificate in the background.
	harness.WaitFor(t, "a certificate", func() bool {
		conn, err := tls.Dial("tcp", listen, trust)
		return err == nil && conn.Close() == nil
	})
	return "https://" + listen, trust
}

// fence is a client's network, in which nothing but the gateway can be reached.
type fence struct {
	*http.Transport
	mu      sync.Mutex
	refused []string // addresses that the client tried
}

// enclose returns a network in which only these hosts and ports can be reached.
func enclose(t testing.TB, trust *tls.Config, open ...string) *fence {
	t.Helper()
	f := &fence{Transport: &http.Transport{TLSClientConfig: trust}}
	f.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !slices.Contains(open, address) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.refused = append(f.refused, address)
			return nil, fmt.Errorf("%s is out of reach", address)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	t.Cleanup(f.CloseIdleConnections)
	return f
}

// tried returns the addresses beyond the fence that the client tried.
func (f *fence) tried() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.refused)
}
