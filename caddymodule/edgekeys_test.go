package caddymodule

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEdgeKeysClient(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	folder := t.TempDir()
	trust, empty := filepath.Join(folder, "ca.pem"), filepath.Join(folder, "empty.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(trust, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty, []byte("-----BEGIN X-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, trust, err string }{
		{"trusted", trust, ""},
		{"not trusted", "", "certificate"},
		{"no such file", folder + "/none", "kubernetes trust: open "},
		{"no certificate", empty, "has no certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, err := (&EdgeServiceAccounts{Trust: test.trust}).client()
			if err == nil {
				var answer *http.Response
				if answer, err = client.Get(server.URL); err == nil {
					_ = answer.Body.Close()
				}
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, want %q", err, test.err)
			}
		})
	}
}

// TestEdgeKeysBearer: the token of the pod goes to its own cluster only.
func TestEdgeKeysBearer(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
	for _, test := range []struct {
		issuer, jwks string
		want         bool
	}{
		{"https://kubernetes.default.svc.cluster.local", "", true},
		{"https://kubernetes.default.svc", "", true},
		{"https://oidc.example.com/id/1", "https://10.96.0.1/openid/v1/jwks", true},
		{"https://oidc.example.com/id/1", "", false},
		{"https://kubernetes.default.svc", "https://oidc.example.com/keys", false},
		{"https://kubernetes.default.svc", "/etc/keys.json", false},
		{"https://kubernetes.default.svc.example.com", "", false},
		{"http://kubernetes.default.svc", "", false},
		{"kubernetes/serviceaccount", "", false},
	} {
		k := EdgeServiceAccounts{Issuer: test.issuer, JWKS: test.jwks}
		if got := k.bearer() != nil; got != test.want {
			t.Errorf("%s %s: %t", test.issuer, test.jwks, got)
		}
	}
}
