package lifecycle

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// unencrypted is the warning about what TLS prevents.
const unencrypted = "send their tokens unencrypted"

// trusted is what a sidecar says of how to trust it.
type trusted struct {
	File   string `json:"ca_file"`
	Node   string
	Python string
	Java   string
	Go     string
	Curl   string
	Host   string `json:"-"` // DATABRICKS_HOST
}

// startTLS runs a sidecar and returns what it says, once it has said all.
func (r *rig) startTLS(t *testing.T, address, listen string, args ...string) (*processtest.Process, trusted) {
	t.Helper()
	p := r.start(t, address, r.sidecar(listen, args...))
	return p, awaitTrust(t, p)
}

func awaitTrust(t *testing.T, p *processtest.Process) (said trusted) {
	t.Helper()
	for line := range strings.Lines(p.AwaitLog(t, "point your client here")) {
		switch {
		case strings.Contains(line, "clients have to trust this root certificate"):
			if err := json.Unmarshal([]byte(line), &said); err != nil {
				t.Fatal(err)
			}
		case strings.Contains(line, "point your client here"):
			var here struct{ DATABRICKS_HOST string }
			if err := json.Unmarshal([]byte(line), &here); err != nil {
				t.Fatal(err)
			}
			said.Host = here.DATABRICKS_HOST
		}
	}
	return said
}

// poolOf returns the certificates in a file.
func poolOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		t.Fatalf("no certificate in %s:\n%s", file, content)
	}
	return pool
}

// clientTLS trusts the certificates in a file and nothing else.
func clientTLS(t *testing.T, file string, http2 bool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{RootCAs: poolOf(t, file), MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: harness.Patience}
}

// hasIPv6 reports whether this machine has the address ::1.
func hasIPv6() bool {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err == nil {
		listener.Close()
	}
	return err == nil
}

// TestSidecarTLS: whatever the address, clients that trust the root certificate reach the
// gateway under the names that they use, by HTTP/1.1 and HTTP/2, and under no other.
func TestSidecarTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	machine = strings.ToLower(machine)
	for _, test := range []struct {
		listen string // with PORT
		hosts  string // that clients use
		says   string // DATABRICKS_HOST
		local  bool   // and so not on other addresses of this machine
	}{
		{"https://localhost:PORT", "localhost 127.0.0.1 [::1]", "https://localhost:PORT", true},
		{"https://LOCALHOST.:PORT/", "localhost 127.0.0.1 [::1]", "https://localhost:PORT", true},
		{"https://127.0.0.1:PORT", "127.0.0.1", "https://127.0.0.1:PORT", true},
		{"https://127.0.0.2:PORT", "127.0.0.2", "https://127.0.0.2:PORT", true},
		{"https://[::1]:PORT", "[::1]", "https://[::1]:PORT", true},
		{"https://0.0.0.0:PORT", "127.0.0.1 " + machine, "https://127.0.0.1:PORT", false},
		{"https://[::]:PORT", "localhost 127.0.0.1 [::1] " + machine, "https://127.0.0.1:PORT", false},
		{"https://:PORT", "localhost 127.0.0.1 [::1] " + machine, "https://127.0.0.1:PORT", false},
		{"https://" + machine + ":PORT", machine, "https://" + machine + ":PORT", false},
	} {
		t.Run(test.listen, func(t *testing.T) {
			t.Parallel()
			if !hasIPv6() && strings.Contains(test.listen, "[::1]") {
				t.Skip("there is no IPv6")
			}
			if _, err := net.LookupHost(machine); err != nil && strings.Contains(test.listen, machine) {
				t.Skip("this machine's name has no address: ", err)
			}
			_, port := split(processtest.FreeAddress(t))
			listen := strings.ReplaceAll(test.listen, "PORT", port)
			_, addressOf, _ := strings.Cut(strings.TrimSuffix(strings.ToLower(listen), "/"), "://")
			host, _ := split(addressOf)
			if host == "" || host == "0.0.0.0" || host == "[::]" {
				host = "127.0.0.1"
			}
			p, said := r.startTLS(t, strings.TrimSuffix(host, ".")+":"+port, listen)
			if want := strings.ReplaceAll(test.says, "PORT", port); said.Host != want {
				t.Errorf("clients go to %q, want %q", said.Host, want)
			}
			if strings.Contains(p.Log.String(), unencrypted) {
				t.Errorf("it warns of connections without TLS:\n%s", p.Log)
			}
			for _, host := range strings.Fields(test.hosts) {
				if host == "[::1]" && !hasIPv6() {
					continue
				}
				for _, http2 := range []bool{false, true} {
					client := clientTLS(t, said.File, http2)
					answer := harness.Do(t, client, harness.NewRequest(t, "GET", "https://"+host+":"+port+harness.JobsList, r.token, nil))
					if answer.StatusCode != http.StatusOK || (answer.ProtoMajor == 2) != http2 {
						t.Errorf("%s: %s %s", host, answer.Proto, answer.Status)
					}
				}
				name := strings.Trim(host, "[]")
				if err := silent(t, said.File, host+":"+port, name); err != nil {
					t.Errorf("a client that names no host, and wants %s: %v", name, err)
				}
			}
			for _, name := range []string{"gateway.example", "127.0.0.9", "localhost.example"} {
				var mismatch x509.HostnameError
				if err := silent(t, said.File, said.Host[len("https://"):], name); !errors.As(err, &mismatch) {
					t.Errorf("a client that wants %s: %v", name, err)
				}
				_, err := tls.Dial("tcp", said.Host[len("https://"):], &tls.Config{RootCAs: poolOf(t, said.File), ServerName: name, MinVersion: tls.VersionTLS12})
				if !errors.As(err, &mismatch) {
					t.Errorf("a client that asks for %s: %v", name, err)
				}
			}
			if _, err := tls.Dial("tcp", said.Host[len("https://"):], &tls.Config{MinVersion: tls.VersionTLS12}); !errors.As(err, new(x509.UnknownAuthorityError)) {
				t.Errorf("a client that was not told to trust it: %v", err)
			}
		})
	}
}

// silent makes a handshake without the name of a host, as Java does for localhost and everybody
// for an IP address, and verifies the certificate for a name.
func silent(t *testing.T, file, address, name string) error {
	t.Helper()
	connection, err := tls.Dial("tcp", address, &tls.Config{
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			intermediates := x509.NewCertPool()
			for _, certificate := range state.PeerCertificates[1:] {
				intermediates.AddCert(certificate)
			}
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: name, Roots: poolOf(t, file), Intermediates: intermediates})
			return err
		},
	})
	if err != nil {
		return err
	}
	return connection.Close()
}

// TestSidecarTLSBothLoopbacks: of a gateway on localhost, no other process gets clients that
// try the other address of it.
func TestSidecarTLSBothLoopbacks(t *testing.T) {
	t.Parallel()
	if !hasIPv6() {
		t.Skip("there is no IPv6")
	}
	r := newRig(t)
	_, port := split(processtest.FreeAddress(t))
	squatter, err := net.Listen("tcp", "[::1]:"+port)
	if err != nil {
		t.Skip("the port is in use: ", err)
	}
	defer squatter.Close()
	for _, listen := range []string{"https://localhost:" + port, "localhost:" + port} {
		p := r.launch(t, "", r.sidecar(listen))
		if code := p.Exit(t); code != 1 || !strings.Contains(p.Log.String(), refused+"[::1]:"+port) {
			t.Errorf("%s: exit code %d\n%s", listen, code, p.Log)
		}
	}
}

// TestSidecarTLSExplicitHTTP: http:// is what host:port is, with its warning.
func TestSidecarTLSExplicitHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for host, warns := range map[string]bool{"127.0.0.1": false, "0.0.0.0": true} {
		address := processtest.FreeAddress(t)
		_, port := split(address)
		p, said := r.startTLS(t, address, "http://"+host+":"+port)
		if said.Host != "http://"+address || said.File != "" {
			t.Errorf("%s: clients go to %s, with the root certificate %s", host, said.Host, said.File)
		}
		if status, _, body := p.Get(t, harness.JobsList, r.token); status != http.StatusOK {
			t.Errorf("%s: %d %s", host, status, body)
		}
		if strings.Contains(p.Log.String(), unencrypted) != warns {
			t.Errorf("%s: warned: %v\n%s", host, !warns, p.Log)
		}
		// A TLS client gets an error at once, and no connection that hangs.
		if _, err := tls.Dial("tcp", address, &tls.Config{MinVersion: tls.VersionTLS12}); err == nil || !strings.Contains(err.Error(), "does not look like a TLS handshake") {
			t.Errorf("a TLS client: %v", err)
		}
	}
}

// TestSidecarTLSPlainClient: a client without TLS reads why it gets nothing.
func TestSidecarTLSPlainClient(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address := processtest.FreeAddress(t)
	p, _ := r.startTLS(t, address, "https://"+address)
	status, _, body := p.Get(t, harness.JobsList, r.token)
	if status != http.StatusBadRequest || !strings.Contains(body, "HTTP request to an HTTPS server") {
		t.Errorf("%d %s", status, body)
	}
	if len(harness.Arrivals(r.workspace)) > 0 {
		t.Error("a request without TLS reached the workspace")
	}
}

// TestSidecarTLSSDK: the Go SDK works through TLS, and shows refusals as it does without.
func TestSidecarTLSSDK(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}}).Value
	address := processtest.FreeAddress(t)
	_, port := split(address)
	_, said := r.startTLS(t, address, "https://localhost:"+port)
	client, err := databricks.NewWorkspaceClient(&databricks.Config{
		Host: said.Host, Token: token, AuthType: "pat", HTTPTransport: clientTLS(t, said.File, false).Transport,
		Loaders: []config.Loader{config.ConfigAttributes},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Jobs.ListAll(t.Context(), jobs.ListJobsRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := client.Clusters.ListAll(t.Context(), compute.ListClustersRequest{}); !errors.Is(err, apierr.ErrPermissionDenied) || !strings.Contains(err.Error(), "clusters") {
		t.Errorf("out of scope: %v", err)
	}
}

// TestSidecarTLSgRPC: Spark Connect, which insists on TLS once it has a token.
func TestSidecarTLSgRPC(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.workspace.StartTLS(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "workspace.crt")
	if err := os.WriteFile(file, r.workspace.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	r.env = append(r.env, "SSL_CERT_FILE="+file)
	address := processtest.FreeAddress(t)
	p := r.start(t, address, []string{"sidecar", "--workspace", r.workspace.TLSURL(), "--listen", "https://" + address, "--usage", "off"})
	said := awaitTrust(t, p)
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: poolOf(t, said.File), MinVersion: tls.VersionTLS12})))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ctx := metadata.AppendToOutgoingContext(harness.Context(t), "authorization", "Bearer "+r.token, "x-databricks-cluster-id", fakeworkspace.RunningCluster)
	out := new(wrapperspb.StringValue)
	if err := connection.Invoke(ctx, "/"+fakeworkspace.SparkService+"/Config", wrapperspb.String("hello"), out); err != nil || out.Value != "hello" {
		t.Errorf("%q %v\n%s", out.Value, err, p.Log)
	}
}

// rootIn returns a root certificate's file as text.
func rootIn(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestSidecarTLSTogether: gateways that share a folder have one root, also if all of them start
// in an empty one at the same moment, and after a restart.
func TestSidecarTLSTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 3 {
		data := t.TempDir()
		r := *r
		r.env = append(slices.Clip(r.env), "XDG_DATA_HOME="+data)
		var all []*processtest.Process
		for range 3 {
			address := processtest.FreeAddress(t)
			all = append(all, r.launch(t, address, r.sidecar("https://"+address)))
		}
		root := ""
		for _, p := range all {
			said := awaitTrust(t, p)
			if want := filepath.Join(data, "scopegate", "ca.crt"); said.File != want {
				t.Errorf("the root certificate is in %s, want %s", said.File, want)
			}
			if root == "" {
				root = rootIn(t, said.File)
			}
			answer := harness.Do(t, clientTLS(t, said.File, true), harness.NewRequest(t, "GET", said.Host+harness.JobsList, r.token, nil))
			if answer.StatusCode != http.StatusOK {
				t.Error(answer.Status)
			}
		}
		address := processtest.FreeAddress(t)
		_, said := r.startTLS(t, address, "https://"+address, "--ca-file", filepath.Join(data, "another.crt"))
		if rootIn(t, said.File) != root {
			t.Error("the next one has another root")
		}
	}
}

// TestSidecarTLSNewRoot: where the authority cannot be used any more, the gateway starts with
// another one, says so, and puts its root in the place of the old.
func TestSidecarTLSNewRoot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := t.TempDir()
	r.env = append(r.env, "XDG_DATA_HOME="+data)
	const warning = "there is a new root certificate"
	address := processtest.FreeAddress(t)
	p, said := r.startTLS(t, address, "https://"+address)
	if strings.Contains(p.Log.String(), warning) {
		t.Errorf("it warns at the first start:\n%s", p.Log)
	}
	old := rootIn(t, said.File)
	if err := os.Remove(filepath.Join(data, "scopegate", "authority", "pki", "authorities", "local", "root.key")); err != nil {
		t.Fatal(err)
	}
	address = processtest.FreeAddress(t)
	p, said = r.startTLS(t, address, "https://"+address)
	if rootIn(t, said.File) == old || !strings.Contains(p.Log.String(), warning) {
		t.Errorf("the old root, or no warning:\n%s", p.Log)
	}
	if answer := harness.Do(t, clientTLS(t, said.File, true), harness.NewRequest(t, "GET", said.Host+harness.JobsList, r.token, nil)); answer.StatusCode != http.StatusOK {
		t.Error(answer.Status)
	}
}

// TestSidecarTLSErrors: what cannot work ends the process before it listens.
func TestSidecarTLSErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	folder := t.TempDir()
	file := filepath.Join(folder, "notes")
	if err := os.WriteFile(file, []byte("notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	free := func() string { return "https://" + processtest.FreeAddress(t) }
	for _, test := range []struct {
		name string
		env  string
		args []string
		says string
	}{
		{"in use", "", r.sidecar("https://" + busy.Addr().String()), refused + busy.Addr().String()},
		{"not here", "", r.sidecar("https://192.0.2.1:8443"), "192.0.2.1 is not an address of this machine"},
		{"not here, without TLS", "", r.sidecar("192.0.2.1:8443"), "192.0.2.1 is not an address of this machine"},
		{"no such name", "", r.sidecar("https://name.invalid:8443"), "looking up name.invalid"},
		{"itself", "", []string{"sidecar", "--workspace", "https://localhost:8443", "--listen", "https://localhost:8443"}, "address of this gateway"},
		{"the file is something else", "", r.sidecar(free(), "--ca-file", file), "other than a root certificate of scopegate"},
		{"no folder for the file", "", r.sidecar(free(), "--ca-file", filepath.Join(folder, "missing", "ca.crt")), "there is no folder " + filepath.Join(folder, "missing")},
		{"a folder for a file", "", r.sidecar(free(), "--ca-file", folder), "a directory"},
		{"a file without TLS", "", r.sidecar(processtest.FreeAddress(t), "--ca-file", filepath.Join(folder, "ca.crt")), "--ca-file needs TLS"},
		{"no folder for data", "XDG_DATA_HOME=" + file, r.sidecar(free()), "set XDG_DATA_HOME for another one"},
		{"no home", "XDG_DATA_HOME=data", r.sidecar(free()), "set XDG_DATA_HOME to the absolute path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := *r
			r.env = append(slices.Clip(r.env), test.env)
			p := r.launch(t, "", test.args)
			if code := p.Exit(t); code != 1 || !strings.Contains(p.Log.String(), test.says) {
				t.Errorf("exit code %d, want %q:\n%s", code, test.says, p.Log)
			}
			if strings.Contains(p.Log.String(), "server running") {
				t.Errorf("it listened:\n%s", p.Log)
			}
		})
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "notes" {
		t.Errorf("the file was %q %v", content, err)
	}
}

var caddyfileBlock = regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```")

// TestTLSCaddyfile runs the first Caddyfile of docs/tls.md: clients that trust the root certificate
// where the page says it is reach the gateway, and nothing else is listened on or installed.
func TestTLSCaddyfile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	page, err := os.ReadFile("../../docs/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	block := caddyfileBlock.FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/tls.md has no Caddyfile")
	}
	const root = "pki/authorities/local/root.crt"
	if !strings.Contains(string(page), "`"+root+"` in Caddy's storage, `$XDG_DATA_HOME/caddy`") {
		t.Error("docs/tls.md does not say where the root certificate is")
	}
	address := processtest.FreeAddress(t)
	_, port := split(address)
	text := strings.NewReplacer("8443", port, "https://<name>.cloud.databricks.com", r.workspace.URL()).Replace(string(block[1]))
	folder := harness.TempDir(t)
	file := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.env = append(r.env, "XDG_DATA_HOME="+folder, "XDG_RUNTIME_DIR="+folder)
	p := r.start(t, address, []string{"run", "--config", file, "--adapter", "caddyfile"})
	p.AwaitLog(t, "serving initial configuration")
	stored := filepath.Join(folder, "caddy", filepath.FromSlash(root))
	for _, host := range []string{"localhost", "127.0.0.1"} {
		url := "https://" + host + ":" + port
		client := clientTLS(t, stored, true)
		p.Await(t, "a certificate for "+host, func() bool { // which Caddy makes in the background
			response, err := client.Get(url)
			return err == nil && response.Body.Close() == nil
		})
		if answer := harness.Do(t, client, harness.NewRequest(t, "GET", url+harness.JobsList, r.token, nil)); answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", host, answer.Status)
		}
	}
	request := harness.NewRequest(t, "GET", "https://localhost:"+port+harness.JobsList, r.token, nil)
	request.Host = "gateway.example"
	if answer := harness.Do(t, clientTLS(t, stored, false), request); answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host: %s", answer.Status)
	}
	printed := p.Log.String()
	for _, unwanted := range []string{"enabling automatic HTTP->HTTPS redirects", "installing root certificate", "names a host", "the admin API is open"} {
		if strings.Contains(printed, unwanted) {
			t.Errorf("%q:\n%s", unwanted, printed)
		}
	}
}

// TestSidecarTLSShutdown: a request over TLS has the grace period, too.
func TestSidecarTLSShutdown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address := processtest.FreeAddress(t)
	p := r.launch(t, address, r.sidecar("https://"+address))
	said := awaitTrust(t, p)
	for _, http2 := range []bool{false, true} {
		client := clientTLS(t, said.File, http2)
		gate := r.workspace.HoldEvents()
		x := r.openStream(t, said.Host, client)
		if http2 {
			p.Signal(t, os.Interrupt)
			p.AwaitLog(t, "shutting down")
		}
		gate.Open()
		if err := <-x.ended; err != nil {
			t.Errorf("HTTP/2 %v: %v", http2, err)
		}
	}
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.Log)
	}
}
