package fleettest

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// Slack is for a busy machine, on which a server that takes longer than 50 ms to answer counts
// as down, and is connected to again within two seconds. How fast a fleet is, benchmarks say.
func Slack() time.Duration {
	if race.Enabled {
		return 5 * time.Second
	}
	return 3 * time.Second
}

// Rig is a workspace, and what the processes of a fleet need.
type Rig struct {
	Workspace *fakeworkspace.Workspace
	Redis     *redistest.Server // nil without one
	CA        *Certificates
	Folder    string // for files
	// Files with secrets: the fleet's key, the workspace's admin token, and the token of edges.
	Key, AdminToken, EdgeToken string
	// Admin is a client's token that may change those of others.
	Admin string

	t *testing.T
}

// New starts a workspace that does not check scopes, so that every refusal is a gateway's,
// and a Redis server if the test shares by one.
func New(t *testing.T, withRedis bool, options ...fakeworkspace.Option) *Rig {
	t.Helper()
	r := &Rig{t: t, CA: NewCertificates(t), Folder: harness.TempDir(t)}
	if withRedis {
		r.Redis = redistest.Start(t)
	}
	r.Workspace = fakeworkspace.New(options...)
	if err := r.Workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Workspace.Close)
	r.Key = r.Secret("fleet.key", RandomHex(32))
	r.EdgeToken = r.Secret("edge.token", RandomHex(32))
	r.AdminToken = r.Secret("admin.token", r.Workspace.AdminToken())
	r.Admin = r.Workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
	return r
}

// Secret writes a secret to a file and returns the file's name.
func (r *Rig) Secret(name, value string) string {
	r.t.Helper()
	file := filepath.Join(r.Folder, name)
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// RandomHex returns n random bytes in hex.
func RandomHex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return hex.EncodeToString(b)
}

// Mint makes a token that may use jobs.
func (r *Rig) Mint() fakeworkspace.Token {
	return r.Workspace.Mint(fakeworkspace.TokenSpec{Owner: "user@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour})
}

// Prepare makes a gateway that does not run yet.
func (r *Rig) Prepare(name string, s Setting) *Gateway {
	r.t.Helper()
	folder := filepath.Join(r.Folder, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		r.t.Fatal(err)
	}
	g := &Gateway{
		rig: r, Name: name, Setting: s, Listen: processtest.FreeAddress(r.t),
		socket: filepath.Join(folder, "admin.sock"), storage: filepath.Join(folder, "storage"),
	}
	if s.Answers {
		g.AnswersAt = processtest.FreeAddress(r.t)
		g.certificate, g.key = r.CA.Issue(r.t, name)
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	r.t.Cleanup(transport.CloseIdleConnections)
	g.client = &http.Client{Transport: transport, Timeout: harness.Patience}
	return g
}

// Start prepares a gateway, runs it and waits until it is ready.
func (r *Rig) Start(name string, s Setting) *Gateway {
	r.t.Helper()
	g := r.Prepare(name, s)
	g.Start()
	return g
}

// Shared starts n gateways with an admin credential that share by the rig's Redis server.
func (r *Rig) Shared(n int, change func(i int, s *Setting)) []*Gateway {
	r.t.Helper()
	all := make([]*Gateway, n)
	for i := range all {
		s := Setting{Redis: r.Redis.Addr, Keys: []string{r.Key}}
		if change != nil {
			change(i, &s)
		}
		all[i] = r.Prepare(fmt.Sprintf("gateway-%d", i+1), s)
	}
	startAll(all)
	return all
}

// Authorities is Shared for authorities, which also serve clients.
func (r *Rig) Authorities(n int, change func(i int, s *Setting)) []*Gateway {
	r.t.Helper()
	return r.Shared(n, func(i int, s *Setting) {
		s.Answers = true
		if change != nil {
			change(i, s)
		}
	})
}

// Edges starts n edges of authorities, each of which asks another one first.
func (r *Rig) Edges(n int, change func(i int, s *Setting), authorities ...*Gateway) []*Gateway {
	r.t.Helper()
	all := make([]*Gateway, n)
	for i := range all {
		var s Setting
		for j := range authorities {
			s.Authorities = append(s.Authorities, authorities[(i+j)%len(authorities)].Authority())
		}
		if change != nil {
			change(i, &s)
		}
		all[i] = r.Prepare(fmt.Sprintf("edge-%d", i+1), s)
	}
	startAll(all)
	return all
}

// startAll starts processes side by side.
func startAll(all []*Gateway) {
	for _, g := range all {
		g.Launch()
	}
	for _, g := range all {
		g.AwaitReady()
	}
}
