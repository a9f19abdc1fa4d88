package authority

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestInsecure: only the connection itself says what is secure.
func TestInsecure(t *testing.T) {
	f := newServer(t)
	id := f.know("a", 1)
	for _, test := range []struct {
		name, remote string
		tls          bool
		headers      map[string]string
		status       int
	}{
		{"TLS", "192.0.2.1:1", true, nil, 200},
		{"plain from elsewhere", "192.0.2.1:1", false, nil, 403},
		{"plain from this machine", "127.0.0.1:1", false, nil, 200},
		{"plain from this machine, IPv6", "[::1]:1", false, nil, 200},
		{"plain from this machine, mapped", "[::ffff:127.0.0.1]:1", false, nil, 200},
		{"plain with a proxy's word", "192.0.2.1:1", false, map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1;proto=https"}, 403},
		{"plain from nowhere", "", false, nil, 403},
		{"plain from a socket", "@", false, nil, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := edgeRequest("GET", "http://authority"+tokenPath(id), nil)
			request.RemoteAddr = test.remote
			if test.remote == "" {
				request.RemoteAddr = "nowhere"
			}
			if test.tls {
				request.TLS = &tls.ConnectionState{}
			}
			for name, value := range test.headers {
				request.Header.Set(name, value)
			}
			got := f.record(request)
			if got.status != test.status {
				t.Errorf("status %d, want %d: %s", got.status, test.status, got.body)
			}
			if test.status == 403 && got.problem(t).Code != wire.InsecureCode {
				t.Errorf("got %s", got.body)
			}
		})
	}
	contains(t, f.observer.refused, "insecure")
}

func TestSharedToken(t *testing.T) {
	const second = "another-token-of-edges-0123456789abcdef"
	f := newFixture(t, func(o *Options) { o.Access = sharedAccess(sharedToken, second, "short") })
	id := f.know("a", 1)
	for _, test := range []struct {
		name   string
		values []string
		status int
	}{
		{"the first", []string{"Bearer " + sharedToken}, 200},
		{"the second", []string{"Bearer " + second}, 200},
		{"another case of the scheme", []string{"bEARER " + sharedToken}, 200},
		{"none", nil, 401},
		{"empty", []string{""}, 401},
		{"only the scheme", []string{"Bearer "}, 401},
		{"another scheme", []string{"Basic " + sharedToken}, 401},
		{"no scheme", []string{sharedToken}, 401},
		{"wrong", []string{"Bearer " + strings.Repeat("x", 40)}, 401},
		{"too short to be accepted", []string{"Bearer short"}, 401},
		{"a prefix", []string{"Bearer " + sharedToken[:32]}, 401},
		{"more", []string{"Bearer " + sharedToken + "x"}, 401},
		{"another case", []string{"Bearer " + strings.ToUpper(sharedToken)}, 401},
		{"two headers", []string{"Bearer " + sharedToken, "Bearer " + sharedToken}, 401},
		{"two in one", []string{"Bearer " + sharedToken + ", Bearer " + second}, 401},
		{"two spaces", []string{"Bearer  " + sharedToken}, 401},
		{"long", []string{"Bearer " + strings.Repeat("x", maxCredential)}, 401},
		{"unsigned JWT", []string{"Bearer eyJhbGciOiJub25lIn0.e30."}, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := f.ask("GET", tokenPath(id), nil, func(r *http.Request) { r.Header["Authorization"] = test.values })
			if got.status != test.status {
				t.Fatalf("status %d, want %d: %s", got.status, test.status, got.body)
			}
			if test.status == 401 && string(got.body) != `{"code":"unauthorized","message":"unauthorized"}` {
				t.Errorf("it says %s", got.body)
			}
		})
	}
	if f.tokens.lookups() != 3 {
		t.Errorf("%d look-ups, want 3", f.tokens.lookups())
	}
	contains(t, f.observer.refused, "unauthorized")
}

// TestNobody: without any access, nobody may ask.
func TestNobody(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Access = Access{} })
	f.expect(f.ask("GET", wire.Prefix+"changes", nil), 401, wire.UnauthorizedCode)
	if (&Access{}).Validate() == nil {
		t.Error("it is not said that nobody may ask")
	}
}

// TestRotation: a shared token is replaced while edges ask.
func TestRotation(t *testing.T) {
	const next = "next-token-of-edges-0123456789abcdef"
	var values atomic.Pointer[[]string]
	var reads atomic.Int32
	set := func(v ...string) { values.Store(&v) }
	set(sharedToken)
	f := newServer(t, func(o *Options) {
		o.Access.Tokens = func() ([]string, error) {
			reads.Add(1)
			if *values.Load() == nil {
				return nil, errors.New("the file is not there")
			}
			return *values.Load(), nil
		}
	})
	id := f.know("a", 1)
	f.tokens.cached[id] = true
	try := func(token string) int {
		request := edgeRequest("GET", "https://authority"+tokenPath(id), nil)
		request.Header.Set("Authorization", "Bearer "+token)
		return f.record(request).status
	}
	check := func(when, token string, want int) {
		t.Helper()
		if got := try(token); got != want {
			t.Errorf("%s: status %d, want %d", when, got, want)
		}
	}
	check("before", sharedToken, 200)
	check("before", next, 401)
	set(sharedToken, next)
	check("not read yet", next, 401)
	f.clock.pass(sharedAge)
	check("both", next, 200)
	check("both", sharedToken, 200)
	set(next)
	f.clock.pass(sharedAge)
	check("after", sharedToken, 401)
	set()
	for range 3 {
		f.clock.pass(sharedAge)
		check("while it cannot be read", next, 200)
	}
	f.clock.pass(sharedGrace)
	check("for long", next, 401)
	set(next)
	f.clock.pass(sharedAge)
	check("again", next, 200)
	before := reads.Load()
	for range 10 {
		try("x")
	}
	if reads.Load() != before {
		t.Error("the token is read for every request")
	}
}

func TestCertificates(t *testing.T) {
	ca, foreign := newCA(t), newCA(t)
	const uri = "spiffe://cluster/ns/apps/sa/edge"
	for _, test := range []struct {
		name   string
		names  []string
		auth   tls.ClientAuthType
		cert   *tls.Certificate
		status int
		edge   string
	}{
		{"any", nil, tls.VerifyClientCertIfGiven, ca.issue(t, "edge-a", nil, nil), 200, "edge-a"},
		{"any, a URI first", nil, tls.VerifyClientCertIfGiven, ca.issue(t, "cn", []string{"dns.example"}, []string{uri}), 200, uri},
		{"any, without a name", nil, tls.VerifyClientCertIfGiven, ca.issue(t, "", nil, nil), 200, "serial abcd"},
		{"by common name", []string{"edge-a"}, tls.VerifyClientCertIfGiven, ca.issue(t, "edge-a", nil, nil), 200, "edge-a"},
		{"by DNS name", []string{"x", "edge.example"}, tls.RequireAndVerifyClientCert, ca.issue(t, "cn", []string{"edge.example"}, nil), 200, "edge.example"},
		{"by URI", []string{uri}, tls.VerifyClientCertIfGiven, ca.issue(t, "cn", nil, []string{uri}), 200, uri},
		{"another name", []string{"edge-a"}, tls.VerifyClientCertIfGiven, ca.issue(t, "edge-b", nil, nil), 403, ""},
		{"another case", []string{"edge-a"}, tls.VerifyClientCertIfGiven, ca.issue(t, "Edge-A", nil, nil), 403, ""},
		{"a name below", []string{"edge.example"}, tls.VerifyClientCertIfGiven, ca.issue(t, "", []string{"a.edge.example"}, nil), 403, ""},
		{"a wildcard in the certificate", []string{"edge.example"}, tls.VerifyClientCertIfGiven, ca.issue(t, "", []string{"*.example"}, nil), 403, ""},
		{"not verified", nil, tls.RequireAnyClientCert, foreign.issue(t, "edge-a", nil, nil), 401, ""},
		{"of this authority, but not verified", nil, tls.RequireAnyClientCert, ca.issue(t, "edge-a", nil, nil), 401, ""},
		{"none", nil, tls.VerifyClientCertIfGiven, nil, 401, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newServer(t, func(o *Options) {
				o.Access, o.Now = Access{Certificates: &Certificates{Names: test.names}}, time.Now
			}).serve(&tls.Config{ClientAuth: test.auth, ClientCAs: ca.pool}, true)
			config := f.http.Client().Transport.(*http.Transport).TLSClientConfig
			if test.cert != nil {
				config.Certificates = []tls.Certificate{*test.cert}
			}
			id := f.know("a", 1)
			got := f.ask("GET", tokenPath(id), nil, func(r *http.Request) { r.Header.Del("Authorization") }, named("liar"))
			if got.status != test.status {
				t.Fatalf("status %d, want %d: %s", got.status, test.status, got.body)
			}
			if test.edge == "" {
				return
			}
			for _, e := range f.server.edges.others.Values() {
				if e.name != test.edge {
					t.Errorf("the edge is called %q, want %q", e.name, test.edge)
				}
			}
		})
	}
}

// TestCertificateEnds: a connection may outlive the certificate that it began with.
func TestCertificateEnds(t *testing.T) {
	leaf := &x509.Certificate{NotBefore: time.Unix(1000, 0), NotAfter: time.Unix(2000, 0), DNSNames: []string{"edge"}}
	state := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}
	for at, want := range map[int64]bool{999: false, 1000: true, 1999: true, 2000: false} {
		who, _ := new(Certificates).identify(state, time.Unix(at, 0))
		if (who != nil) != want {
			t.Errorf("at %d: %v", at, who)
		}
	}
	for _, none := range []*tls.ConnectionState{nil, {}, {PeerCertificates: []*x509.Certificate{leaf}}, {VerifiedChains: [][]*x509.Certificate{{}}}} {
		if who, verified := new(Certificates).identify(none, time.Unix(1500, 0)); who != nil || verified {
			t.Errorf("%+v is let in", none)
		}
	}
}

// TestOneOfSeveral: a certificate that is not let in does not shut out a token that is.
func TestOneOfSeveral(t *testing.T) {
	ca := newCA(t)
	f := newServer(t, func(o *Options) {
		o.Access, o.Now = sharedAccess(sharedToken), time.Now
		o.Access.Certificates = &Certificates{Names: []string{"nobody"}}
	}).serve(&tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.pool}, true)
	f.http.Client().Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{*ca.issue(t, "edge", nil, nil)}
	id := f.know("a", 1)
	f.expect(f.ask("GET", tokenPath(id), nil), 200, "")
	f.expect(f.ask("GET", tokenPath(id), nil, setHeader("Authorization", "Bearer wrong")), 403, wire.ForbiddenCode)
}

// TestNames: what an edge says of itself is safe to show.
func TestNames(t *testing.T) {
	f := newServer(t)
	id := f.know("a", 1)
	for name, want := range map[string]string{
		"edge-1":                               "edge-1",
		"  padded ":                            "padded",
		"\x1b[31mred":                          `\u{1b}[31mred`,
		"dapi0123456789abcdef0123456789abcdef": "dapi",
		"":                                     "192.0.2.1",
		strings.Repeat("n", 5*maxName):         "",
		"Bearer 0123456789abcdefGHIJKLmnop=":   "Bearer ",
	} {
		request := edgeRequest("GET", "https://authority"+tokenPath(id), nil)
		request.Header.Set(wire.NameHeader, name)
		who := selfNamed(&http.Request{Header: request.Header, RemoteAddr: "192.0.2.1:5"}, [32]byte{})
		if len(who.name) > maxName+8 || !strings.HasPrefix(who.name, want) || strings.Contains(who.name, "0123456789abcdef") || strings.Contains(who.name, "\x1b") {
			t.Errorf("%q became %q, want %q", name, who.name, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1":              "192.0.2.1",
		"[::ffff:192.0.2.1]:1":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":         "fe80::/64",
		"[::1]:1":                  "::1",
		"@":                        "unknown",
		"192.0.2.1":                "unknown",
		"host.example:80":          "unknown",
	} {
		if got := network(remote); got != want {
			t.Errorf("network(%q) = %q, want %q", remote, got, want)
		}
	}
}

func TestCheckSharedToken(t *testing.T) {
	if CheckSharedToken(strings.Repeat("x", MinSharedToken)) != nil {
		t.Error("the shortest is refused")
	}
	err := CheckSharedToken("secret-but-short")
	if err == nil || strings.Contains(err.Error(), "secret-but") {
		t.Errorf("got %v", err)
	}
}

func TestWorkspaceOfRequest(t *testing.T) {
	f := newFixture(t)
	id := f.know("a", 1)
	for _, test := range []struct {
		name, said string
		status     int
		code       string
	}{
		{"its own", workspace, 200, ""},
		{"another spelling", "https://DBC-1.cloud.databricks.com:443/", 200, ""},
		{"another workspace", "https://dbc-2.cloud.databricks.com", 421, wire.WorkspaceCode},
		{"no URL", "dbc-1.cloud.databricks.com", 421, wire.WorkspaceCode},
		{"plain", "http://dbc-1.cloud.databricks.com", 421, wire.WorkspaceCode},
		{"none", "", 400, wire.MalformedCode},
		{"long", workspace + "/" + strings.Repeat("x", maxTarget), 400, wire.MalformedCode},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := f.ask("GET", tokenPath(id), nil, setHeader(wire.WorkspaceHeader, test.said))
			f.expect(got, test.status, test.code)
			if test.status == 421 && !strings.Contains(got.problem(t).Message, workspace) {
				t.Errorf("it does not say what it serves: %s", got.body)
			}
			unknown := f.ask("GET", tokenPath(id), nil, setHeader(wire.WorkspaceHeader, test.said), setHeader("Authorization", "Bearer x"))
			if unknown.status != 401 || strings.Contains(string(unknown.body), "dbc-1") {
				t.Errorf("a stranger is told %s", unknown.body)
			}
		})
	}
	contains(t, f.observer.refused, "workspace")
	twice := f.ask("GET", tokenPath(id), nil, func(r *http.Request) { r.Header.Add(wire.WorkspaceHeader, workspace) })
	f.expect(twice, 400, wire.MalformedCode)
}
