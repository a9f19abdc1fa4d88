package caddymodule

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"
)

func TestFleetServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url, sentinel string
		want          FleetServer
		err           string
	}{
		{url: "redis://h", want: FleetServer{Addresses: []string{"h:6379"}}},
		{url: "rediss://h:1/15", want: FleetServer{Addresses: []string{"h:1"}, Database: 15, TLS: true}},
		{url: "redis://[::1]:7/", want: FleetServer{Addresses: []string{"[::1]:7"}}},
		{url: "redis://[::1]", want: FleetServer{Addresses: []string{"[::1]:6379"}}},
		{url: "redis://a", sentinel: "m", want: FleetServer{Addresses: []string{"a:26379"}}},
		{url: "redis://a,b:1,[::2]", sentinel: "m", want: FleetServer{Addresses: []string{"a:26379", "b:1", "[::2]:26379"}}},
		{url: "redis://a,a:26379", sentinel: "m", err: "twice"},
		{url: "redis://a,", sentinel: "m", err: "not a host and a port"},
		{url: "redis://" + strings.Repeat("a,", 16) + "b", sentinel: "m", err: "at most 16"},
		{url: "redis://::1", err: "an IPv6 address stands in brackets"},
		{url: "redis://", err: "not a host and a port"},
		{url: "redis:///0", err: "not a host and a port"},
		{url: "redis://h:0", err: "not a host and a port"},
		{url: "redis://h:x", err: "not a host and a port"},
		{url: "redis://a b", err: "not a host and a port"},
		{url: "redis://h/0/1", err: "number of a database"},
		{url: "redis://h/-1", err: "number of a database"},
		{url: "redis://h/65536", err: "number of a database"},
		{url: "redis://:hush@h", err: "do not belong in the URL"},
		{url: "REDIS://h", err: "the scheme must be rediss"},
		{url: "", err: "lacks its scheme"},
		{url: "h:6379", err: "lacks its scheme"},
	} {
		got, err := (&Fleet{Sentinel: test.sentinel}).server(test.url)
		switch {
		case test.err == "" && (err != nil || !cmp.Equal(got, test.want)):
			t.Errorf("%s: %+v, %v", test.url, got, err)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hush")):
			t.Errorf("%s: %v, want %q", test.url, err, test.err)
		}
	}
}

// FuzzFleetServer: whatever a URL is, what becomes of it can be dialed, and no error quotes a
// password.
func FuzzFleetServer(f *testing.F) {
	for _, url := range []string{"redis://h:1/2", "rediss://a,b:1,[::1]:2/0", "redis://u:hush@h", "redis://[::1", "redis://a]b:1"} {
		f.Add(url, "m")
		f.Add(url, "")
	}
	f.Fuzz(func(t *testing.T, url, sentinel string) {
		server, err := (&Fleet{Sentinel: sentinel}).server(url)
		if err != nil {
			if _, rest, _ := strings.Cut(url, "://"); strings.Contains(rest, "@") && strings.Contains(err.Error(), rest) {
				t.Errorf("%v quotes %q", err, url)
			}
			return
		}
		if len(server.Addresses) == 0 || sentinel == "" && len(server.Addresses) > 1 {
			t.Errorf("%q: %+v", url, server)
		}
		for _, address := range server.Addresses {
			parsed, err := caddy.ParseNetworkAddress(address)
			if err != nil || parsed.PortRangeSize() != 1 || parsed.StartPort == 0 {
				t.Errorf("%q: %q, %v", url, address, err)
			}
		}
	})
}

// TestFleetSettings: secrets are read when they are used, and the start fails for what is
// missing without quoting what is there.
func TestFleetSettings(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, password := file("key", strings.Repeat("ab", 32)+"\n"), file("password", "hush0123")
	pem := file("ca.pem", "-----BEGIN CERTIFICATE-----\n")
	t.Setenv("FLEET_URL", "rediss://redis.example.com/1")
	t.Setenv("FLEET_USER", "scopegate")
	t.Setenv("FLEET_PASSWORD_URL", "redis://u:hush0123@redis.example.com")
	valid := func() Fleet {
		return Fleet{
			URL: "{env.FLEET_URL}", Keys: []string{"{file." + key + "}"}, Username: "{env.FLEET_USER}", Password: "{file." + password + "}",
			Sentinel: "main", TLS: &FleetTLS{Trust: pem, ServerName: "r"},
		}
	}
	f := valid()
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	settings, err := f.settings()
	if err != nil {
		t.Fatal(err)
	}
	want := FleetServer{Addresses: []string{"redis.example.com:26379"}, Database: 1, TLS: true}
	if !cmp.Equal(settings.FleetServer, want) || settings.Username != "scopegate" || settings.Sentinel != "main" || settings.TLS.ServerName != "r" {
		t.Errorf("%+v", settings)
	}
	if settings.Name != machineName() {
		t.Errorf("it calls itself %q without a name", settings.Name)
	}
	t.Setenv("GATEWAY_NAME", "gateway-1")
	t.Setenv("LONG_NAME", strings.Repeat("x", maxEdgeName+1))
	f.Name = "{env.GATEWAY_NAME}"
	if settings, err = f.settings(); err != nil || settings.Name != "gateway-1" {
		t.Errorf("%q, %v", settings.Name, err)
	}
	for _, test := range []struct {
		name string
		with *Fleet
		want string
	}{{"named", &f, "gateway-1"}, {"no fleet", nil, machineName()}} {
		if got := (&workspace{options: WorkspaceOptions{Fleet: test.with}}).gatewayName(); got != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
	file("key", strings.Repeat("cd", 32))
	if keys, err := settings.Keys(); err != nil || !slices.Equal(keys, []string{strings.Repeat("cd", 32)}) {
		t.Errorf("%q, %v", keys, err)
	}
	if got, err := settings.Password(); err != nil || got != "hush0123" {
		t.Errorf("%q, %v", got, err)
	}
	for _, test := range []struct {
		name   string
		change func(*Fleet)
		err    string
	}{
		{"no such key", func(f *Fleet) { f.Keys[0] = "{file." + folder + "/none}" }, "fleet key: {file."},
		{"no such variable", func(f *Fleet) { f.Keys[0] = "{env.NO_FLEET_KEY}" }, "NO_FLEET_KEY is not set"},
		{"no such password", func(f *Fleet) { f.Password = "{file." + folder + "/none}" }, "fleet password: "},
		{"no such URL", func(f *Fleet) { f.URL = "{env.NO_FLEET_URL}" }, "NO_FLEET_URL is not set"},
		{"a password in the URL", func(f *Fleet) { f.URL = "{env.FLEET_PASSWORD_URL}" }, "do not belong in the URL"},
		{"no user", func(f *Fleet) { f.Username = "{env.NO_FLEET_USER}" }, "fleet username: "},
		{"a long name", func(f *Fleet) { f.Name = "{env.LONG_NAME}" }, "fleet: the name has 129 bytes"},
		{"no such certificate authority", func(f *Fleet) { f.TLS.Trust = folder + "/none" }, "fleet tls: open "},
		{"no PEM", func(f *Fleet) { f.TLS.Trust = password }, "is no PEM file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := valid()
			test.change(&f)
			if err := f.validate(); err != nil {
				t.Fatalf("it is found before the start: %v", err)
			}
			if err := f.check(); err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hush0123") {
				t.Errorf("%v, want %q", err, test.err)
			}
		})
	}
	if err := (*Fleet)(nil).check(); err != nil {
		t.Error(err)
	}
}

func TestAdminAuthoritySettings(t *testing.T) {
	folder := t.TempDir()
	token := filepath.Join(folder, "token")
	if err := os.WriteFile(token, []byte("hush0123\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AUTHORITY_URL", "https://b.example.com:9443/")
	t.Setenv("AUTHORITY_INSECURE_URL", "http://b.example.com:9443/")
	t.Setenv("EDGE_LINES", "a\nb")
	valid := func() Admin {
		return Admin{Authority: &AdminAuthority{URLs: []string{"https://a.example.com", "{env.AUTHORITY_URL}", "https://a.example.com/"}, Token: "{file." + token + "}"}}
	}
	admin := valid()
	if err := admin.check("https://example.cloud.databricks.com"); err != nil {
		t.Fatal(err)
	}
	settings, err := admin.Authority.settings(time.Second)
	host, _ := os.Hostname()
	if err != nil || !slices.Equal(settings.URLs, []string{"https://a.example.com", "https://b.example.com:9443"}) || settings.Timeout != time.Second || settings.Name != host {
		t.Errorf("%+v, %v", settings, err)
	}
	if got, err := settings.Token(); err != nil || got != "hush0123" {
		t.Errorf("%q, %v", got, err)
	}
	admin.Authority.Name = "{env.HOME}x"
	t.Setenv("HOME", "edge-")
	if settings, err := admin.Authority.settings(0); err != nil || settings.Name != "edge-x" {
		t.Errorf("%q, %v", settings.Name, err)
	}
	for _, test := range []struct {
		name   string
		change func(*AdminAuthority)
		err    string
	}{
		{"no such token", func(a *AdminAuthority) { a.Token = "{file." + folder + "/none}" }, "admin authority token: {file."},
		{"no such URL", func(a *AdminAuthority) { a.URLs[1] = "{env.NO_AUTHORITY_URL}" }, "NO_AUTHORITY_URL is not set"},
		{"plain HTTP", func(a *AdminAuthority) { a.URLs[1] = "{env.AUTHORITY_INSECURE_URL}" }, "is not encrypted"},
		{"a name of two lines", func(a *AdminAuthority) { a.Name = "{env.EDGE_LINES}" }, "cannot be shown"},
		{"no such trust", func(a *AdminAuthority) { a.Trust = folder + "/none" }, "admin authority: open "},
		{"no such certificate", func(a *AdminAuthority) { a.Token, a.ClientCertificate, a.ClientKey = "", token, token }, "is no PEM file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			admin := valid()
			test.change(admin.Authority)
			if err := admin.validate(); err != nil {
				t.Fatalf("it is found before the start: %v", err)
			}
			if err := admin.check(""); err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hush0123") {
				t.Errorf("%v, want %q", err, test.err)
			}
		})
	}
	// Nothing that asks for an edge's credential gets the environment's.
	if _, err := admin.credential().Token(); err != errEdge { //nolint:errorlint // it is returned as it is
		t.Error(err)
	}
}

func TestEdgeRate(t *testing.T) {
	t.Parallel()
	edge := &Admin{Authority: new(AdminAuthority)}
	for _, test := range []struct {
		name string
		o    WorkspaceOptions
		want int
	}{
		{"default", WorkspaceOptions{}, 10},
		{"edge", WorkspaceOptions{Admin: edge}, 100},
		{"edge that says otherwise", WorkspaceOptions{Admin: edge, Lookup: &Lookup{Rate: 7}}, 7},
		{"profile", WorkspaceOptions{Admin: &Admin{Profile: "p"}}, 10},
	} {
		if got := test.o.settings().Rate; got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// TestTokenServiceKey: a reload finds the token service of a configuration that says the
// same, and of no other.
func TestTokenServiceKey(t *testing.T) {
	t.Parallel()
	options := func() WorkspaceOptions {
		return WorkspaceOptions{
			Admin: &Admin{Authority: &AdminAuthority{URLs: []string{"https://a", "https://b"}, Token: "{env.X}"}},
			Fleet: &Fleet{URL: "redis://h", Keys: []string{"{env.K}"}, TLS: &FleetTLS{Trust: "ca"}},
		}
	}
	key := func(o WorkspaceOptions) tokenServiceKey { return (&workspace{url: "https://w", options: o}).key() }
	if once, again := key(options()), key(options()); once != again {
		t.Error("equal configurations have different keys")
	}
	for name, change := range map[string]func(*WorkspaceOptions){
		"no admin":        func(o *WorkspaceOptions) { o.Admin = nil },
		"order of URLs":   func(o *WorkspaceOptions) { slices.Reverse(o.Admin.Authority.URLs) },
		"token":           func(o *WorkspaceOptions) { o.Admin.Authority.Token = "{env.Y}" },
		"no fleet":        func(o *WorkspaceOptions) { o.Fleet = nil },
		"fleet key":       func(o *WorkspaceOptions) { o.Fleet.Keys = append(o.Fleet.Keys, "{env.L}") },
		"trust of fleet":  func(o *WorkspaceOptions) { o.Fleet.TLS.Trust = "other" },
		"look-up timeout": func(o *WorkspaceOptions) { o.Lookup = &Lookup{Timeout: caddy.Duration(time.Second)} },
	} {
		changed := options()
		change(&changed)
		if key(changed) == key(options()) {
			t.Errorf("%s makes no difference", name)
		}
	}
}
