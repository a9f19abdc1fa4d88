package authcheck

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/authority"
)

func TestTrust(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	networks := func(all ...string) (prefixes []netip.Prefix) {
		for _, text := range all {
			prefixes = append(prefixes, netip.MustParsePrefix(text))
		}
		return prefixes
	}
	// presented is the state of a connection whose client has a certificate with a name.
	presented := func(name string, until time.Time) *tls.ConnectionState {
		leaf := &x509.Certificate{Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(7), NotBefore: now.Add(-time.Hour), NotAfter: until}
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}}
	}
	unverified := presented("proxy", now.Add(time.Hour))
	unverified.VerifiedChains = nil
	anyone, named := &authority.Certificates{}, &authority.Certificates{Names: []string{"proxy"}}
	const away = "192.0.2.1:4711"
	for _, test := range []struct {
		name         string
		proxies      []netip.Prefix
		certificates *authority.Certificates
		address      string
		state        *tls.ConnectionState
		believed     bool
	}{
		{"this machine", nil, nil, "127.0.0.1:4711", nil, true},
		{"this machine by another address of it", nil, nil, "127.8.8.8:4711", nil, true},
		{"this machine by IPv6", nil, nil, "[::1]:4711", nil, true},
		{"this machine, mapped", nil, nil, "[::ffff:127.0.0.1]:4711", nil, true},
		{"a Unix socket by name", nil, nil, "/run/envoy.sock", nil, true},
		{"a Unix socket without a name", nil, nil, "@", nil, true},
		{"another machine", nil, nil, away, nil, false},
		{"another machine by IPv6", nil, nil, "[2001:db8::1]:4711", nil, false},
		{"link-local with a zone", nil, nil, "[fe80::1%eth0]:4711", nil, false},
		{"nowhere", nil, nil, "", nil, false},
		{"an address without a port", nil, nil, "127.0.0.1", nil, false},
		{"a name", nil, nil, "localhost:4711", nil, false},
		{"all addresses", nil, nil, "0.0.0.0:4711", nil, false},
		{"TLS without a certificate, another machine", nil, nil, away, &tls.ConnectionState{}, false},

		{"a network", networks("192.0.2.0/24"), nil, away, nil, true},
		{"the second network", networks("10.0.0.0/8", "192.0.2.1/32"), nil, away, nil, true},
		{"a network, mapped", networks("192.0.2.0/24"), nil, "[::ffff:192.0.2.1]:4711", nil, true},
		{"a network with a zone", networks("fe80::/10"), nil, "[fe80::1%eth0]:4711", nil, true},
		{"another network", networks("10.0.0.0/8"), nil, away, nil, false},
		{"every IPv4 network, by IPv6", networks("0.0.0.0/0"), nil, "[2001:db8::1]:4711", nil, false},
		{"this machine beside networks", networks("10.0.0.0/8"), nil, "127.0.0.1:4711", nil, false},
		{"this machine among networks", networks("127.0.0.0/8"), nil, "127.0.0.1:4711", nil, true},
		{"a Unix socket beside networks", networks("10.0.0.0/8"), nil, "@", nil, false},

		{"any certificate", nil, anyone, away, presented("x", now.Add(time.Hour)), true},
		{"any certificate, without a name", nil, anyone, away, presented("", now.Add(time.Hour)), true},
		{"the certificate with the name", nil, named, away, presented("proxy", now.Add(time.Hour)), true},
		{"a certificate with another name", nil, named, away, presented("other", now.Add(time.Hour)), false},
		{"a certificate without a name", nil, named, away, presented("", now.Add(time.Hour)), false},
		{"a certificate that has ended", nil, anyone, away, presented("proxy", now), false},
		{"a certificate that was not verified", nil, anyone, away, unverified, false},
		{"no certificate", nil, anyone, away, &tls.ConnectionState{}, false},
		{"no TLS", nil, anyone, away, nil, false},
		{"this machine without a certificate", nil, anyone, "127.0.0.1:4711", nil, false},
		{"a network or a certificate: the network", networks("192.0.2.0/24"), named, away, nil, true},
		{"a network or a certificate: the certificate", networks("10.0.0.0/8"), named, away, presented("proxy", now.Add(time.Hour)), true},
		{"a network or a certificate: neither", networks("10.0.0.0/8"), named, away, presented("other", now.Add(time.Hour)), false},
		{"a certificate that nobody is let in by", nil, nil, away, presented("proxy", now.Add(time.Hour)), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			trust := Trust{Proxies: test.proxies, Certificates: test.certificates, Now: func() time.Time { return now }}
			if problem := trust.Problem(test.address, test.state); (problem == "") != test.believed {
				t.Errorf("problem %q", problem)
			}
		})
	}
}
