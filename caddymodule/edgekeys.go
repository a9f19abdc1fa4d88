package caddymodule

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/pemfile"
)

// podToken is where a pod finds its own service account's token.
const podToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// client returns the client that asks for the cluster's keys, which trusts the certificate
// authorities of trust.
func (k *EdgeServiceAccounts) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if k.Trust != "" {
		authorities, err := pemfile.Authorities(k.Trust)
		if err != nil {
			return nil, fmt.Errorf("kubernetes trust: %w", err)
		}
		transport.TLSClientConfig.RootCAs = authorities
	}
	return &http.Client{Transport: transport}, nil
}

// bearer returns what reads the credential with which keys are asked for, as most clusters
// want one: the token of this pod. It is nil for all but the API server of the pod's own
// cluster, to which that token belongs.
func (k *EdgeServiceAccounts) bearer() func() string {
	address := k.Issuer
	if k.JWKS != "" {
		address = k.JWKS
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || !isAPIServer(u.Hostname()) {
		return nil
	}
	return func() string {
		token, err := os.ReadFile(podToken)
		if err != nil {
			return "" // not in a pod; the answer says if one is needed
		}
		return strings.TrimSpace(string(token))
	}
}

func isAPIServer(host string) bool {
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	own := os.Getenv("KUBERNETES_SERVICE_HOST")
	return slices.Contains(names, host) || own != "" && host == own
}
