package harness

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/scopegate/scopegate/internal/caddymodules" // Caddy's own modules

	_ "github.com/scopegate/scopegate" // as users import it
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/scopes"
)

// Patience bounds every wait in these tests. Even on a busy machine, only a hang
// takes that long.
const Patience = 20 * time.Second

// Gateway is a running gateway and the workspace behind it.
type Gateway struct {
	Workspace *fakeworkspace.Workspace
	URL       string // of the site
	Listen    string // host and port of the site
	AuditLog  string // file of the audit logger
	Storage   string // folder of Caddy's storage
	// Global holds extra global options for the next Load.
	Global string
	// Change, unless nil, edits the JSON configuration of each Load.
	Change func(config []byte) []byte

	adminSocket string
	loads       int // that worked
	tries       int // to load
}

// StartWorkspace starts a workspace that does not check scopes, so that every refusal
// a test sees is the gateway's.
func StartWorkspace(t testing.TB, options ...fakeworkspace.Option) *fakeworkspace.Workspace {
	t.Helper()
	workspace := fakeworkspace.New(options...)
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	SetAdmin(t, workspace)
	return workspace
}

// SetAdmin sets the environment variables that [AdminBlock] reads to a workspace's
// admin credential.
func SetAdmin(t testing.TB, workspace *fakeworkspace.Workspace) {
	t.Helper()
	clientID, secret := workspace.AdminClient()
	t.Setenv("TEST_ADMIN_ID", clientID)
	t.Setenv("TEST_ADMIN_SECRET", secret)
}

// AdminBlock is the admin option for a workspace started by [StartWorkspace].
const AdminBlock = `admin {
	client_id {env.TEST_ADMIN_ID}
	client_secret {env.TEST_ADMIN_SECRET}
}
`

// GatewayBlock returns a databricks_gateway directive with the admin block and
// options.
func GatewayBlock(workspace *fakeworkspace.Workspace, options string) string {
	return fmt.Sprintf("databricks_gateway %s {\n%s%s\n}", workspace.URL(), AdminBlock, options)
}

// ScopesBlock returns a databricks_scopes directive with the admin block.
func ScopesBlock(workspace *fakeworkspace.Workspace) string {
	return fmt.Sprintf("databricks_scopes {\nworkspace %s\n%s}\n", workspace.URL(), AdminBlock)
}

// StartGateway runs databricks_gateway in front of a workspace, with the admin block
// and options.
func StartGateway(t testing.TB, workspace *fakeworkspace.Workspace, options string) *Gateway {
	t.Helper()
	return StartSite(t, workspace, GatewayBlock(workspace, options))
}

// StartSite runs a site with the given directives.
func StartSite(t testing.TB, workspace *fakeworkspace.Workspace, directives string) *Gateway {
	t.Helper()
	g := NewGateway(t, workspace)
	g.Load(t, directives)
	return g
}

// NewGateway prepares a gateway. The first [Gateway.Load] starts it, and the end of
// the test stops it.
func NewGateway(t testing.TB, workspace *fakeworkspace.Workspace) *Gateway {
	t.Helper()
	folder := TempDir(t)
	g := &Gateway{
		Workspace:   workspace,
		AuditLog:    filepath.Join(folder, "audit.log"),
		Storage:     filepath.Join(folder, "storage"),
		adminSocket: filepath.Join(folder, "admin.sock"),
	}
	g.SetListen(FreeAddress(t))
	t.Cleanup(func() { Stop(t) })
	return g
}

// SetListen changes the address of the site.
func (g *Gateway) SetListen(address string) { g.Listen, g.URL = address, "http://"+address }

// TempDir returns a folder for the gateway's files. Unlike [testing.T.TempDir] it
// tolerates files that appear while the folder is removed: Caddy does not wait for
// running requests, so a late record may still be written.
func TempDir(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "scopegate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// Load loads or reloads the site with the given directives.
func (g *Gateway) Load(t testing.TB, directives string) {
	t.Helper()
	err := g.TryLoad(t, directives)
	// Another process may have taken the port in the meantime.
	for range 5 {
		if g.loads > 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		g.SetListen(FreeAddress(t))
		err = g.TryLoad(t, directives)
	}
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
}

// TryLoad is Load for a configuration that may be invalid.
func (g *Gateway) TryLoad(t testing.TB, directives string) error {
	t.Helper()
	config := fmt.Sprintf(`{
	admin unix/%s
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
`, g.adminSocket, g.Storage, g.AuditLog, g.Global, g.Listen, directives)
	adapted, err := Adapt(config)
	if err != nil {
		t.Fatalf("adapting:\n%s\n%v", config, err)
	}
	if g.Change != nil {
		adapted = g.Change(adapted)
	}
	g.tries++
	if err := caddy.Load(adapted, true); err != nil {
		return err
	}
	g.loads++
	if bytes.Contains(adapted, []byte(`"databricks_scopes"`)) || bytes.Contains(adapted, []byte(`"databricks_decision"`)) {
		g.awaitProbe(t)
	}
	return nil
}

// awaitProbe waits until the gateway has found out whether it can look up tokens, which
// it does in the background, so that faults and counts of a test are about its own
// requests. It does not wait long for one that hangs.
func (g *Gateway) awaitProbe(t testing.TB) {
	t.Helper()
	probed := regexp.MustCompile(`(?m)^(scopegate_ready 1|scopegate_authority_down\{.*\} [1-9].*)$`)
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, text := g.Admin(t, http.MethodGet, "/metrics"); probed.MatchString(text) {
			return
		}
	}
}

// Stop stops Caddy.
func Stop(t testing.TB) {
	t.Helper()
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
}

// Adapt turns a Caddyfile into JSON.
func Adapt(caddyfile string) ([]byte, error) {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return adapted, err
}

// FreeAddress returns a local address that is currently free.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Mint makes a token with scopes in the workspace. It is valid for an hour.
func (g *Gateway) Mint(granted ...string) fakeworkspace.Token {
	return g.Workspace.Mint(fakeworkspace.TokenSpec{Scopes: granted, Lifetime: time.Hour})
}

// CatalogScopes makes a workspace check scopes against the catalog, independently of
// the gateway.
func CatalogScopes(method, path string) (anyOf []string, public bool) {
	readings, err := scopes.Default().Read(method, path, nil)
	if err != nil {
		return []string{scopes.AllAPIs}, false
	}
	return readings[0].Operation.AnyOf, readings[0].Operation.Access == scopes.Public
}
