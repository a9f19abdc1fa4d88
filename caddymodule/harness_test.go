package caddymodule

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/scopes"
)

// harness is a gateway under test: a workspace and Caddy in front of it, in this
// process, over real sockets. Caddy's configuration is one a process, so tests
// that use a harness do not run in parallel.
type harness struct {
	workspace *fakeworkspace.Workspace
	url       string // of the gateway
	audit     string // file
	storage   string // folder
	listen    string
	global    string // more global options
	loads     int
}

// startWorkspace starts a workspace that does not judge scopes itself, so that
// what a test sees refused, the gateway refused.
func startWorkspace(t testing.TB, options ...fakeworkspace.Option) *fakeworkspace.Workspace {
	t.Helper()
	workspace := fakeworkspace.New(options...)
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	clientID, secret := workspace.AdminClient()
	t.Setenv("TEST_ADMIN_ID", clientID)
	t.Setenv("TEST_ADMIN_SECRET", secret)
	return workspace
}

// adminBlock is the admin credential of a workspace made by startWorkspace.
const adminBlock = `admin {
	client_id {env.TEST_ADMIN_ID}
	client_secret {env.TEST_ADMIN_SECRET}
}
`

// startGateway runs databricks_gateway in front of a workspace, with options
// beside the admin block.
func startGateway(t testing.TB, workspace *fakeworkspace.Workspace, options string) *harness {
	t.Helper()
	return startSite(t, workspace, fmt.Sprintf("databricks_gateway %s {\n%s%s\n}", workspace.URL(), adminBlock, options))
}

// startSite runs a site with the given directives.
func startSite(t testing.TB, workspace *fakeworkspace.Workspace, directives string) *harness {
	t.Helper()
	// Not t.TempDir: Caddy does not wait for requests under way, so that a late
	// record may still be written while the folder is removed.
	folder, err := os.MkdirTemp("", "scopegate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	h := &harness{
		workspace: workspace,
		listen:    freeAddress(t),
		audit:     filepath.Join(folder, "audit.log"),
		storage:   filepath.Join(folder, "storage"),
	}
	h.url = "http://" + h.listen
	h.load(t, directives)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// load loads, or reloads, the site with the given directives.
func (h *harness) load(t testing.TB, directives string) {
	t.Helper()
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	storage file_system %s
	grace_period 2s
	log default {
		level ERROR
		output discard
	}
	log audit {
		include http.handlers.databricks_scopes.audit
		output file %s
	}
	servers {
		protocols h1 h2 h2c
	}
	%s
}
http://%s {
	%s
}
`, h.storage, h.audit, h.global, h.listen, directives)
	adapted, err := adapt(config)
	if err != nil {
		t.Fatalf("adapting:\n%s\n%v", config, err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatalf("loading: %v", err)
	}
	h.loads++
}

func adapt(caddyfile string) ([]byte, error) {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return adapted, err
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// records waits until there are n audit lines and returns them. A record is
// written when its request has ended, which may be after the client has its
// answer.
func (h *harness) records(t testing.TB, n int) []map[string]any {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		lines := h.readRecords(t)
		if len(lines) >= n {
			return lines
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d audit lines, want %d", len(lines), n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (h *harness) readRecords(t testing.TB) []map[string]any {
	t.Helper()
	file, err := os.Open(h.audit)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var records []map[string]any
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var record map[string]any
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			if strings.HasSuffix(lines.Text(), "}") {
				t.Fatalf("audit line is no JSON: %v", err)
			}
			break // still being written
		}
		records = append(records, record)
	}
	return records
}

// mint makes a token with scopes in the workspace, good for an hour.
func (h *harness) mint(granted ...string) fakeworkspace.Token {
	return h.workspace.Mint(fakeworkspace.TokenSpec{Scopes: granted, Lifetime: time.Hour})
}

// catalogScopes makes a workspace judge scopes by the catalogue, as a second
// opinion.
func catalogScopes(method, path string) (anyOf []string, public bool) {
	readings, err := scopes.Default().Read(method, path, nil)
	if err != nil {
		return []string{scopes.AllAPIs}, false
	}
	return readings[0].Operation.AnyOf, readings[0].Operation.Access == scopes.Public
}
