package clients_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

const (
	// patience bounds waits that only a hang exceeds.
	patience = 3 * time.Minute
	// transferSize is the size of uploads and downloads in bytes.
	transferSize = 120_000_000

	downloadPath = "/Volumes/main/default/v/download"

	// Where Thrift drivers and MCP clients go.
	warehousePath = "/sql/1.0/warehouses/" + fakeworkspace.WarehouseID
	mcpPath       = "/api/2.0/mcp/sql"
)

// driverPath is a port on a cluster's driver, which echoes WebSocket messages.
func driverPath(at Target) string {
	return "/driver-proxy-api/o/" + at.WorkspaceID + "/" + fakeworkspace.RunningCluster + "/7772/ssh"
}

// rig is one gateway process in front of two workspaces: one that works, and one whose
// admin API is down.
type rig struct {
	well, dark *fakeworkspace.Workspace
	// sites by name: plain, tls and 443 of each workspace.
	sites map[string]string
	// no443 says why nothing listens on port 443, if so.
	no443 string
	ca    string
	// upload is a file of transferSize bytes, hash its SHA-256 and that of downloadPath.
	upload, hash string
	// said is the gateway's message for each case, without a request id.
	said map[Case]string
	// streams is held by the client that streams.
	streams sync.Mutex
}

// startRig builds the gateway and runs it.
func startRig(t *testing.T) *rig {
	t.Helper()
	folder := t.TempDir()
	program := build(t, folder)
	r := &rig{
		well: startWorkspace(t), dark: startWorkspace(t), sites: make(map[string]string), said: make(map[Case]string),
		ca: filepath.Join(folder, "storage", "pki", "authorities", "local", "root.crt"),
	}
	r.dark.Faults().Set("/api/2.0/token-management/", fakeworkspace.Unavailable("1"))
	r.makeFiles(t, folder)

	config := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(config, []byte(r.caddyfile(t, folder)), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := strings.TrimPrefix(r.sites["plain well"], "http://")
	// Caddy trusts the workspaces' certificates as it would trust a company's.
	authorities := filepath.Join(folder, "workspaces.pem")
	if err := os.WriteFile(authorities, append(r.well.CAPEM(), r.dark.CAPEM()...), 0o600); err != nil {
		t.Fatal(err)
	}
	p := processtest.Start(t, listen, []string{
		"SSL_CERT_FILE=" + authorities, "CLIENTS_WELL=" + r.well.AdminToken(), "CLIENTS_DARK=" + r.dark.AdminToken(),
	}, program, "run", "--config", config, "--adapter", "caddyfile")
	for name, url := range r.sites {
		want := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[strings.HasSuffix(name, "well")]
		p.Await(t, "answer of "+url, func() bool { return r.status(name) == want })
	}
	for _, c := range []Case{wrongScope, unknownToken, expiredToken, adminOutage} {
		r.said[c] = r.message(t, c)
	}
	return r
}

// build builds the gateway as users do.
func build(t *testing.T, folder string) string {
	t.Helper()
	program := filepath.Join(folder, "scopegate")
	command := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join("..", ".."), "-o", program, "./cmd/scopegate")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building the gateway: %v\n%s", err, output)
	}
	return program
}

// startWorkspace starts a workspace that does not check scopes, so that every refusal is
// the gateway's.
func startWorkspace(t *testing.T) *fakeworkspace.Workspace {
	t.Helper()
	workspace := fakeworkspace.New(fakeworkspace.WithFileMemory(0))
	workspace.PutLargeFile(downloadPath, transferSize)
	workspace.Handle("POST "+warehousePath, new(warehouse))
	workspace.Handle(mcpPath, mcpServer())
	// Over TLS, because gRPC needs HTTP/2.
	if err := workspace.StartTLS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	return workspace
}

// makeFiles writes the file to upload, whose bytes are those of fakeworkspace's large files.
func (r *rig) makeFiles(t *testing.T, folder string) {
	t.Helper()
	r.upload = filepath.Join(folder, "upload")
	file, err := os.Create(r.upload)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for _, piece := range pieces() {
		if _, err := io.MultiWriter(file, sum).Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	r.hash = hex.EncodeToString(sum.Sum(nil))
}

// pieces returns the bytes of a file of transferSize bytes in pieces of less than 1 MiB.
func pieces() iter.Seq2[int, []byte] {
	pattern := make([]byte, 251*4000)
	for i := range pattern {
		pattern[i] = byte(i % 251)
	}
	return func(yield func(int, []byte) bool) {
		for at := 0; at < transferSize; at += len(pattern) {
			if !yield(at, pattern[:min(len(pattern), transferSize-at)]) {
				return
			}
		}
	}
}

// caddyfile chooses the addresses, and returns the gateway's configuration.
func (r *rig) caddyfile(t *testing.T, folder string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `{
	admin off
	persist_config off
	storage file_system %s
	skip_install_trust
	auto_https disable_redirects
	log default {
		level ERROR
	}
	log audit {
		include http.handlers.databricks_scopes.audit
		output discard
	}
	servers {
		protocols h1 h2 h2c
	}
}
`, filepath.Join(folder, "storage"))
	// Every call has a token of its own, so there are more look-ups than usual.
	site := func(name, url, workspace string, options ...string) {
		r.sites[name] = strings.TrimSuffix(url, ":443")
		fmt.Fprintf(&b, "%s {\n\tbind 127.0.0.1\n\t%s\n\tdatabricks_gateway %s {\n\t\tadmin {\n\t\t\ttoken {env.CLIENTS_%s}\n\t\t}\n"+
			"\t\tlookup {\n\t\t\trate 1000\n\t\t\tconcurrency 64\n\t\t}\n\t}\n}\n",
			url, strings.Join(options, "\n\t"), workspace, strings.ToUpper(name[strings.LastIndexByte(name, ' ')+1:]))
	}
	secure := func() string {
		_, port, _ := net.SplitHostPort(processtest.FreeAddress(t))
		return "https://localhost:" + port
	}
	site("plain well", "http://"+processtest.FreeAddress(t), r.well.URL())
	site("plain dark", "http://"+processtest.FreeAddress(t), r.dark.URL())
	site("tls well", secure(), r.well.URL(), "tls internal")
	site("tls dark", secure(), r.dark.URL(), "tls internal")
	listener, err := net.Listen("tcp", "127.0.0.1:443")
	if err != nil {
		r.no443 = err.Error()
		return b.String()
	}
	_ = listener.Close()
	// Two names, so that one port serves both.
	site("443 well", "https://localhost:443", r.well.URL(), "tls internal")
	site("443 dark", "https://127.0.0.1:443", r.dark.URL(), "tls internal")
	return b.String()
}

// client is an HTTP client that trusts the gateway.
func (r *rig) client() *http.Client {
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(r.ca); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
}

// status asks a site for the list of jobs, and returns 0 if it does not answer.
func (r *rig) status(site string) int {
	workspace := r.well
	if strings.HasSuffix(site, "dark") {
		workspace = r.dark
	}
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}, Lifetime: time.Hour})
	answer, err := r.ask(context.Background(), r.sites[site], token.Value)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func (r *rig) ask(ctx context.Context, url, token string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/2.2/jobs/list", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return r.client().Do(request)
}

// message returns what the gateway says in a case, for comparison with what clients show.
func (r *rig) message(t *testing.T, c Case) string {
	t.Helper()
	jobs := Client{Scope: "jobs", Wrong: "secrets"}
	answer, err := r.ask(t.Context(), r.site(jobs, c), r.token(jobs, c))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct {
		Message string `json:"message"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || body.Message == "" {
		t.Fatalf("%s: the gateway answers %s without a message (%v)", c, answer.Status, err)
	}
	return strings.TrimSpace(requestID.ReplaceAllString(body.Message, ""))
}

var requestID = regexp.MustCompile(` *\[ReqId: [^\]]*\]`)

// site returns the URL that a client uses in a case.
func (r *rig) site(client Client, c Case) string {
	name := "plain"
	switch {
	case client.Port443:
		name = "443"
	case client.TLS:
		name = "tls"
	}
	if c == adminOutage {
		return r.sites[name+" dark"]
	}
	return r.sites[name+" well"]
}

// token makes the credential of a case. It is a new one each time, so that the gateway has
// not cached it.
func (r *rig) token(client Client, c Case) string {
	workspace, spec := r.well, fakeworkspace.TokenSpec{Scopes: []string{cmp.Or(client.Scope, client.wrong())}, Lifetime: time.Hour}
	switch c {
	case streaming:
		spec.Scopes = append(spec.Scopes, "model-serving")
	case upload, download:
		spec.Scopes = append(spec.Scopes, "files")
	case wrongScope:
		spec.Scopes[0] = client.wrong()
	case expiredToken:
		spec.Lifetime = -time.Hour
	case adminOutage:
		workspace = r.dark
	case unknownToken:
		token := workspace.Mint(spec)
		workspace.Revoke(token.Info.TokenId)
		return token.Value
	}
	return workspace.Mint(spec).Value
}
