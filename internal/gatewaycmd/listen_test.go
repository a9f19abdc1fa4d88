package gatewaycmd

import (
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParseListen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		listen string
		tls    bool
		first  string // of the addresses
		names  string // that must have a certificate
		url    string
		fails  string
	}{
		{listen: "127.0.0.1:8080", first: "127.0.0.1:8080", url: "http://127.0.0.1:8080"},
		{listen: "localhost:8080", first: "localhost:8080", url: "http://localhost:8080"},
		{listen: ":8080", first: ":8080", url: "http://127.0.0.1:8080"},
		{listen: "0.0.0.0:8080", first: "0.0.0.0:8080", url: "http://127.0.0.1:8080"},
		{listen: "[::]:8080", first: "[::]:8080", url: "http://127.0.0.1:8080"},
		{listen: "[::1]:8080", first: "[::1]:8080", url: "http://[::1]:8080"},
		{listen: "gateway.internal:8080", first: "gateway.internal:8080", url: "http://gateway.internal:8080"},
		{listen: "http://127.0.0.1:8080", first: "127.0.0.1:8080", url: "http://127.0.0.1:8080"},
		{listen: "http://127.0.0.1:8080/", first: "127.0.0.1:8080", url: "http://127.0.0.1:8080"},
		{listen: "http://:8080", first: ":8080", url: "http://127.0.0.1:8080"},
		{listen: "http://127.0.0.1", first: "127.0.0.1:80", url: "http://127.0.0.1:80"},
		{listen: "https://localhost:8443", tls: true, first: "localhost:8443", names: "localhost 127.0.0.1 ::1", url: "https://localhost:8443"},
		{listen: "HTTPS://LocalHost.:8443/", tls: true, first: "localhost:8443", names: "localhost 127.0.0.1 ::1", url: "https://localhost:8443"},
		{listen: "https://localhost", tls: true, first: "localhost:443", names: "localhost 127.0.0.1 ::1", url: "https://localhost"},
		{listen: "https://localhost:0443", tls: true, first: "localhost:443", names: "localhost", url: "https://localhost"},
		{listen: "https://127.0.0.1:8443", tls: true, first: "127.0.0.1:8443", names: "localhost 127.0.0.1", url: "https://127.0.0.1:8443"},
		{listen: "https://127.0.0.2:8443", tls: true, first: "127.0.0.2:8443", names: "127.0.0.2", url: "https://127.0.0.2:8443"},
		{listen: "https://[::1]:8443", tls: true, first: "[::1]:8443", names: "localhost ::1", url: "https://[::1]:8443"},
		{listen: "https://[::1]", tls: true, first: "[::1]:443", names: "localhost ::1", url: "https://[::1]"},
		{listen: "https://[0:0::1]:8443", tls: true, first: "[::1]:8443", names: "::1", url: "https://[::1]:8443"},
		{listen: "https://[::ffff:127.0.0.1]:8443", tls: true, first: "127.0.0.1:8443", names: "127.0.0.1", url: "https://127.0.0.1:8443"},
		{listen: "https://0.0.0.0:8443", tls: true, first: "0.0.0.0:8443", names: "localhost 127.0.0.1 ::1", url: "https://127.0.0.1:8443"},
		{listen: "https://[::]:8443", tls: true, first: "[::]:8443", names: "localhost 127.0.0.1 ::1", url: "https://127.0.0.1:8443"},
		{listen: "https://:8443", tls: true, first: ":8443", names: "localhost 127.0.0.1 ::1", url: "https://127.0.0.1:8443"},
		{listen: "https://10.1.2.3:8443", tls: true, first: "10.1.2.3:8443", names: "10.1.2.3", url: "https://10.1.2.3:8443"},

		{listen: "", fails: "must be host:port"},
		{listen: "127.0.0.1", fails: "must be host:port"},
		{listen: "8080", fails: "must be host:port"},
		{listen: "https:8443", fails: "https://:8443"},
		{listen: "https:/localhost:8443", fails: "must be host:port"},
		{listen: "ftp://localhost:8443", fails: "must be host:port"},
		{listen: "unix://localhost:8443", fails: "must be host:port"},
		{listen: "://localhost:8443", fails: "must be host:port"},
		{listen: "https://local host:8443", fails: "must be host:port"},
		{listen: "https://[::1:8443", fails: "must be host:port"},
		{listen: "https://localhost:8443/api", fails: "nothing more"},
		{listen: "https://localhost:8443?o=1", fails: "nothing more"},
		{listen: "https://localhost:8443/?", fails: "nothing more"},
		{listen: "https://localhost:8443#x", fails: "nothing more"},
		{listen: "https://user@localhost:8443", fails: "nothing more"},
		{listen: "https://user:dapi-secret@localhost:8443", fails: "nothing more"},
		{listen: "https://", fails: "lacks a host or a port"},
		{listen: "https:///", fails: "lacks a host or a port"},
		{listen: "https://8443", fails: "names no host"},
		{listen: "https://127.1:8443", fails: "names no host"},
		{listen: "https://127.0.0.1.:8443", tls: true, first: "127.0.0.1:8443", names: "127.0.0.1", url: "https://127.0.0.1:8443"},
		{listen: "https://*.internal:8443", fails: "names no host"},
		{listen: "https://a_b:8443", fails: "names no host"},
		{listen: "https://-a:8443", fails: "names no host"},
		{listen: "https://a..b:8443", fails: "names no host"},
		{listen: "https://.:8443", fails: "names no host"},
		{listen: "https://gätew.internal:8443", fails: "names no host"},
		{listen: "https://[fe80::1%25eth0]:8443", fails: "names no host"},
		{listen: "https://" + strings.Repeat("a", 64) + ":8443", fails: "names no host"},
		{listen: "https://localhost:", fails: "port from 1 to 65535"},
		{listen: "https://localhost:0", fails: "port from 1 to 65535"},
		{listen: "https://localhost:65536", fails: "port from 1 to 65535"},
		{listen: "127.0.0.1:", fails: "port from 1 to 65535"},
		{listen: "127.0.0.1:http", fails: "port from 1 to 65535"},
		{listen: "127.0.0.1:-1", fails: "port from 1 to 65535"},
		{listen: "https://name.invalid:8443", fails: "looking up name.invalid"},
	} {
		e, err := parseListen(test.listen)
		if err == nil {
			err = e.resolve(t.Context())
		}
		if test.fails != "" || err != nil {
			if err == nil || test.fails == "" || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%q: %v, want %q", test.listen, err, test.fails)
			}
			if err != nil && strings.Contains(err.Error(), "dapi-secret") {
				t.Errorf("%q: the error quotes a password", test.listen)
			}
			continue
		}
		if e.tls != test.tls || e.addresses[0] != test.first || e.url() != test.url {
			t.Errorf("%q: TLS %v on %v, clients go to %s", test.listen, e.tls, e.addresses, e.url())
		}
		for _, name := range strings.Fields(test.names) {
			if !slices.Contains(e.names, name) {
				t.Errorf("%q: no certificate for %s: %v", test.listen, name, e.names)
			}
		}
		if _, err := netip.ParseAddr(e.names[0]); test.tls && err == nil && slices.Contains(e.names, "localhost") {
			t.Errorf("%q: the first name is an address: %v", test.listen, e.names)
		}
	}
}

// TestResolve: a name stands for the addresses of this machine only.
func TestResolve(t *testing.T) {
	t.Parallel()
	all, err := parseListen("https://:8443")
	if err != nil {
		t.Fatal(err)
	}
	if err := all.resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name, err := os.Hostname(); err == nil && isHost(strings.ToLower(name)) && !slices.Contains(all.names, strings.ToLower(name)) {
		t.Errorf("no certificate for this machine's name %s: %v", name, all.names)
	}
	e := &endpoint{tls: true, port: 8443}
	for _, here := range []string{"127.0.0.1", "127.0.0.2"} {
		if !e.isHere(netip.MustParseAddr(here)) {
			t.Errorf("%s is elsewhere", here)
		}
	}
	for _, elsewhere := range []string{"192.0.2.1", "2001:db8::1", "0.0.0.0"} {
		if e.isHere(netip.MustParseAddr(elsewhere)) {
			t.Errorf("%s is here", elsewhere)
		}
	}
}

// TestLoops: the URL of a workspace that leads to the gateway is noticed by any of its names.
func TestLoops(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		listen, workspace string
		loops             bool
	}{
		{"https://localhost:8443", "https://localhost:8443", true},
		{"https://localhost:8443", "https://127.0.0.1:8443", true},
		{"https://localhost:8443", "https://[::1]:8443", true},
		{"https://localhost:8443", "http://localhost:8443", true},
		{"https://127.0.0.1:8443", "https://localhost:8443", true},
		{"https://localhost", "https://localhost", true},
		{"https://localhost", "https://127.0.0.1", true},
		{"https://:443", "https://localhost", true},
		{"https://:8443", "https://127.0.0.1:8443", true},
		{"https://10.1.2.3:8443", "https://10.1.2.3:8443", true},
		{"http://127.0.0.1:8080", "http://localhost:8080", true},
		{"https://localhost:8443", "https://localhost", false},
		{"https://localhost", "http://localhost", false},
		{"https://localhost:8443", "https://example.cloud.databricks.com:8443", false},
		{"https://:443", "https://example.cloud.databricks.com", false},
	} {
		e, err := parseListen(test.listen)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.resolve(t.Context()); err != nil {
			t.Fatal(err)
		}
		workspace, err := url.Parse(test.workspace)
		if err != nil {
			t.Fatal(err)
		}
		if e.loops(workspace) != test.loops {
			t.Errorf("%s in front of %s: %v", test.listen, test.workspace, !test.loops)
		}
	}
}

func FuzzListen(f *testing.F) {
	for _, seed := range []string{"127.0.0.1:8080", "https://localhost:8443", "https://[::1]", "http://:80", "https://a.b:1/", "https://[::1%25x]:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, listen string) {
		e, err := parseListen(listen)
		if err != nil {
			return
		}
		if e.port < 1 || e.port > 65535 {
			t.Errorf("%q: port %d", listen, e.port)
		}
		if !strings.Contains(listen, "://") {
			return
		}
		if e.host != "" && !isHost(e.host) {
			t.Errorf("%q: host %q", listen, e.host)
		}
		again, err := parseListen(e.url())
		if err != nil || again.port != e.port || again.tls != e.tls || !e.isAll() && again.host != e.host {
			t.Errorf("%q: clients go to %s: %+v %v", listen, e.url(), again, err)
		}
	})
}
