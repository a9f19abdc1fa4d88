package decision

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// nginxFiles are the shipped files. The last one is the example, which includes the others.
var nginxFiles = []string{"scopegate-http.conf", "scopegate-server.conf", "scopegate-location.conf", "scopegate-headers.conf", "example.conf"}

// nginx is an nginx with the shipped files, which asks and sends over TLS to the workspace.
type nginx struct {
	*proxied
	url    string
	client *http.Client // trusts it, and speaks HTTP/2
	wire   *tls.Config  // for HTTP/1.1
}

// nginxMain is what a distribution has in its nginx.conf.
const nginxMain = `daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes 1;
{user}
events {}
http {
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	include example.conf;
}
`

// startNginx runs nginx with the shipped files, in which addresses and certificates are
// replaced, and beside it the gateway. Edits are pairs of an old and a new text in any file.
func startNginx(t *testing.T, edits ...string) *nginx {
	t.Helper()
	w := harness.StartWorkspace(t, fakeworkspace.WithSloppyPaths())
	if err := w.StartTLS(); err != nil {
		t.Fatal(err)
	}
	return startNginxAt(t, harness.StartSite(t, w, decisionBlock(w)), edits...)
}

// startNginxAt is startNginx beside a gateway that runs.
func startNginxAt(t *testing.T, g *harness.Gateway, edits ...string) *nginx {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // where Debian has it, out of users' PATH
		if _, err := os.Stat(program); err != nil {
			t.Skip("nginx is not installed (Debian: nginx-light)")
		}
	}
	folder, address := harness.TempDir(t), processtest.FreeAddress(t)
	n := &nginx{url: "https://" + address}
	n.trust(t, folder)
	write(t, filepath.Join(folder, "ca.pem"), string(g.Workspace.CAPEM()))
	const workspace = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
	replaced := []string{
		"127.0.0.1:9080", g.Listen,
		"listen 443", "listen " + address,
		"/etc/nginx/tls/databricks.pem", folder + "/cert.pem",
		"/etc/nginx/tls/databricks.key", folder + "/key.pem",
		workspace + ":443", strings.TrimPrefix(g.Workspace.TLSURL(), "https://"),
		workspace, "localhost",
		"/etc/ssl/certs/ca-certificates.crt", folder + "/ca.pem",
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the folder is not for others
	}
	write(t, filepath.Join(folder, "nginx.conf"), strings.Replace(nginxMain, "{user}", user, 1))
	n.configure(t, folder, edits, replaced)
	processtest.Start(t, address, nil, program, "-e", "stderr", "-p", folder, "-c", filepath.Join(folder, "nginx.conf"))
	n.proxied = startProxied(t, g, address, func(p *proxied) {
		p.host = "localhost"
		p.dial = func(t *testing.T) net.Conn {
			conn, err := tls.Dial("tcp", address, n.wire)
			if err != nil {
				t.Fatal(err)
			}
			return conn
		}
	})
	return n
}

// configure writes the shipped files with edits, each of which must apply, and then
// replacements.
func (n *nginx) configure(t *testing.T, folder string, edits, replaced []string) {
	t.Helper()
	const end = "\n# end of the file\n"
	var all string
	for _, name := range nginxFiles {
		all += shipped(t, "nginx/"+name) + end
	}
	all = substitute(t, substitute(t, all, edits...), replaced...)
	if err := os.Mkdir(filepath.Join(folder, "scopegate"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, content := range strings.SplitN(all, end, len(nginxFiles)) {
		where := filepath.Join(folder, "scopegate", nginxFiles[i])
		if nginxFiles[i] == "example.conf" {
			where = filepath.Join(folder, "example.conf")
		}
		write(t, where, content)
	}
}

// trust makes a certificate for nginx, and clients that trust it.
func (n *nginx) trust(t *testing.T, folder string) {
	t.Helper()
	donor := httptest.NewTLSServer(http.NotFoundHandler())
	defer donor.Close()
	leaf := donor.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]})))
	write(t, filepath.Join(folder, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	roots := x509.NewCertPool()
	roots.AddCert(donor.Certificate())
	n.wire = &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
	transport := &http.Transport{TLSClientConfig: n.wire.Clone(), ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	n.client = &http.Client{Transport: transport, Timeout: harness.Patience}
}

// ask sends a request over HTTP/2, with a token by the name of its scope and headers in pairs.
func (n *nginx) ask(t *testing.T, method, path, token string, header ...string) harness.Answer {
	t.Helper()
	if token != "" {
		token = n.fill.Replace("{" + token + "}")
	}
	return harness.Do(t, n.client, harness.NewRequest(t, method, n.url+path, token, nil, header...))
}
