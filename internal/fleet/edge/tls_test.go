package edge

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
)

// TestTLSFails checks that what is wrong with certificates is said, and that nothing else is.
func TestTLSFails(t *testing.T) {
	t.Parallel()
	ca, other := newIssuer(t), newIssuer(t)
	good := ca.issue(t, localhost())
	wrongName := localhost()
	wrongName.IPAddresses, wrongName.DNSNames = nil, []string{"authority.example.com"}
	expired := localhost()
	expired.NotAfter = time.Now().Add(-time.Minute)
	for name, c := range map[string]struct {
		certificate tls.Certificate
		clients     *issuer // whose client certificates are let in; nil without any
		edge        func(*testing.T, *Options)
		want        tokens.Outage
		text        string
	}{
		"another issuer":        {other.issue(t, localhost()), nil, nil, tokens.AuthorityUnreachable, "not trusted; set trust"},
		"another name":          {ca.issue(t, wrongName), nil, nil, tokens.AuthorityUnreachable, "for another name"},
		"expired":               {ca.issue(t, expired), nil, nil, tokens.AuthorityUnreachable, "not valid now"},
		"no client certificate": {good, ca, nil, tokens.AuthorityUnreachable, "a client certificate may be missing"},
		"one of another issuer": {good, ca, func(t *testing.T, o *Options) { writeKeyPair(t, o, other.issue(t, client())) }, tokens.AuthorityUnreachable, "a client certificate may be missing"},
		"only TLS 1.1":          {certificate: good, want: tokens.AuthorityUnreachable, text: "ended TLS"},
		"no trust file":         {good, nil, func(_ *testing.T, o *Options) { o.Trust += ".missing" }, tokens.EdgeRefused, "authority trust"},
		"an empty trust file": {good, nil, func(t *testing.T, o *Options) {
			if err := os.WriteFile(o.Trust, []byte(edgeToken), 0o600); err != nil {
				t.Fatal(err)
			}
		}, tokens.EdgeRefused, "has no certificate"},
		"no client key": {good, ca, func(t *testing.T, o *Options) {
			writeKeyPair(t, o, ca.issue(t, client()))
			if err := os.WriteFile(o.ClientKey, []byte(edgeToken), 0o600); err != nil {
				t.Fatal(err)
			}
		}, tokens.EdgeRefused, "authority client_certificate"},
		"no token": {good, nil, func(_ *testing.T, o *Options) {
			o.Token = func() (string, error) { return edgeToken, errors.New("authority token: no such file") }
		}, tokens.EdgeRefused, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := func(s *httptest.Server) {
				if name == "only TLS 1.1" {
					s.TLS.MaxVersion = tls.VersionTLS11
				}
			}
			authority := newScript(t, map[string]http.HandlerFunc{"GET tokens": knows(someToken, at(1))}, with(c.certificate, c.clients), old)
			g := newGateway(t, []*script{authority}, func(o *Options) {
				writePEM(t, o.Trust, ca.cert.Raw)
				if c.edge != nil {
					c.edge(t, o)
				}
			}).unsubscribed()
			_, err := g.lookup(someToken)
			outage, ok := errors.AsType[*tokens.UnavailableError](err)
			switch {
			case !ok || outage.Outage != c.want || !strings.Contains(err.Error(), c.text):
				t.Errorf("%v, want %s and %q", err, c.want, c.text)
			case strings.Contains(err.Error(), edgeToken), strings.Contains(err.Error(), someToken.String()):
				t.Errorf("%q has a secret", err)
			}
			if got := len(authority.requests("GET tokens")); got != 0 {
				t.Errorf("%d requests came", got)
			}
		})
	}
}

// TestClientCertificate is let in with a certificate and no token.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	ca := newIssuer(t)
	authority := newScript(t, map[string]http.HandlerFunc{"GET tokens": knows(someToken, at(1))}, with(ca.issue(t, localhost()), ca))
	g := newGateway(t, []*script{authority}, func(o *Options) {
		writePEM(t, o.Trust, ca.cert.Raw)
		writeKeyPair(t, o, ca.issue(t, client()))
		o.Token = nil
	}).unsubscribed()
	if _, err := g.lookup(someToken); err != nil {
		t.Fatal(err)
	}
	if got := authority.requests("GET tokens")[0].header["Authorization"]; got != nil {
		t.Errorf("it sent %q", got)
	}
}

// TestRotation replaces the authority's certificate, and then what the edge trusts: the connection
// that is there lives on, and the next one reads the file.
func TestRotation(t *testing.T) {
	t.Parallel()
	before, after := newIssuer(t), newIssuer(t)
	var current atomic.Pointer[tls.Certificate]
	use := func(i *issuer) {
		certificate := i.issue(t, localhost())
		current.Store(&certificate)
	}
	use(before)
	authority := newScript(t, map[string]http.HandlerFunc{"GET tokens": knows(someToken, at(1))}, func(s *httptest.Server) {
		s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{*current.Load()}, NextProtos: []string{"h2"}}, nil
		}}
	})
	var trust string
	g := newGateway(t, []*script{authority}, func(o *Options) {
		trust = o.Trust
		writePEM(t, trust, before.cert.Raw)
	}).unsubscribed()
	lookup := func() string {
		if _, err := g.lookup(someToken); err != nil {
			return err.Error()
		}
		return ""
	}
	if err := lookup(); err != "" {
		t.Fatal(err)
	}
	use(after)
	if err := lookup(); err != "" {
		t.Errorf("over the connection that is there: %s", err)
	}
	waitFor(t, "another connection, with a certificate that is not trusted", func() bool {
		g.authorities[0].http.CloseIdleConnections()
		return strings.Contains(lookup(), "not trusted")
	})
	writePEM(t, trust, after.cert.Raw)
	if err := lookup(); err != "" {
		t.Errorf("with the new file: %s", err)
	}
}
