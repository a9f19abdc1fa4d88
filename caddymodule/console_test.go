package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestSignedIn: a name counts only if something has verified it.
func TestSignedIn(t *testing.T) {
	t.Parallel()
	certificate := &x509.Certificate{Subject: pkix.Name{CommonName: "operator"}}
	given := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	verified := &tls.ConnectionState{PeerCertificates: given.PeerCertificates, VerifiedChains: [][]*x509.Certificate{{certificate}}}
	for _, test := range []struct {
		name, user string
		tls        *tls.ConnectionState
		want       string
	}{
		{"nobody", "", nil, ""},
		{"user", "admin", nil, "admin"},
		{"certificate", "", verified, "CN=operator"},
		{"user and certificate", "admin", verified, "admin"},
		{"certificate that nobody verified", "", given, ""},
		{"user, and certificate that nobody verified", "admin", given, "admin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "https://console.example.com/", nil)
			r.TLS = test.tls
			replacer := caddyhttp.NewTestReplacer(r) // it is the request's from now on
			if test.user != "" {
				replacer.Set("http.auth.user.id", test.user)
			}
			if got := signedIn(r); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
