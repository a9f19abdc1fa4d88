package manifests_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"go.yaml.in/yaml/v3"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

var (
	issuer      = regexp.MustCompile(`(?m)^\s*issuer (\S+)$`)
	authorities = regexp.MustCompile(`(?m)^\s*authority (.+) \{$`)
	fleetBlock  = regexp.MustCompile(`(?ms)^\t\t\tfleet .*?^\t\t\t\}\n`)
)

// TestAuthorityNames compares the names that edges ask for with those of the
// certificate: edges reject an authority that goes by another one.
func TestAuthorityNames(t *testing.T) {
	t.Parallel()
	var certificate struct {
		Spec struct {
			DNSNames []string `yaml:"dnsNames"`
		}
	}
	if err := yaml.Unmarshal(readFile(t, "overlays/authority/certificate.yaml"), &certificate); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range certificate.Spec.DNSNames {
		want = append(want, "https://"+name+":9443")
	}
	if got := only(t, authorities, "overlays/edge"); got != strings.Join(want, " ") {
		t.Errorf("edges ask %s, the certificate is for %v", got, want)
	}
}

// TestEdge starts an authority and an edge, which signs in with the token that the
// cluster projects into its pod.
func TestEdge(t *testing.T) {
	t.Parallel()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	id, secret := workspace.AdminClient()
	content, ca := secrets(t, id, secret)
	api := startAPIServer(t, ca)

	// One authority needs no Redis, so the test does not either.
	caddyfile := string(readFile(t, "overlays/authority/Caddyfile"))
	if !fleetBlock.MatchString(caddyfile) {
		t.Fatal("the authority has no fleet")
	}
	caddyfile = strings.Replace(fleetBlock.ReplaceAllString(caddyfile, ""), only(t, issuer, "overlays/authority"), api.issuer, 1)
	authority, _ := startGateway(t, "authority", caddyfile, maps.Clone(content), workspace.URL())

	content["token/scopegate"] = api.project(t, "scopegate", "clients", "etl")
	edgeFile := string(readFile(t, "overlays/edge/Caddyfile"))
	edgeFile = strings.Replace(edgeFile, only(t, authorities, "overlays/edge"), "https://"+authority.ports[9443], 1)
	edge, _ := startGateway(t, "edge", strings.Replace(edgeFile, observe, "", 1), content, workspace.URL())

	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	for call, want := range map[string]int{"/api/2.2/jobs/list": 200, "/api/2.1/clusters/list": 403} {
		if status, body := get(t, http.DefaultClient, edge.proxied(t)+call, token.Value); status != want {
			t.Errorf("%s: %d %s, want %d", call, status, body, want)
		}
	}
}

// startGateway starts the container of an overlay, and waits for its probes.
func startGateway(t *testing.T, name, caddyfile string, content map[string]string, workspace string) (*machine, container) {
	t.Helper()
	for _, g := range gateways {
		if g.name != name {
			continue
		}
		gateway, pod := gatewayOf(t, g.file, g.native)
		m := newMachine(t, gateway, pod, caddyfile, content)
		m.awaitProbes(t, launch(t, m, gateway, g.overlay, workspace), gateway)
		return m, gateway
	}
	t.Fatalf("no gateway %s", name)
	return nil, container{}
}

// only returns what a pattern captures in the Caddyfile of an overlay, once.
func only(t *testing.T, pattern *regexp.Regexp, overlay string) string {
	t.Helper()
	found := pattern.FindAllStringSubmatch(string(readFile(t, path.Join(overlay, "Caddyfile"))), -1)
	if len(found) != 1 {
		t.Fatalf("%s: %s matches %d times", overlay, pattern, len(found))
	}
	return found[0][1]
}

// apiServer is what a cluster's API server is to an authority: an issuer of tokens.
type apiServer struct {
	issuer string
	signer jose.Signer
}

func startAPIServer(t *testing.T, ca *fleettest.Certificates) *apiServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := jose.JSONWebKey{Key: key, KeyID: "1", Algorithm: string(jose.ES256), Use: "sig"}
	a := new(apiServer)
	if a.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, nil); err != nil {
		t.Fatal(err)
	}
	answer := func(value func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value()) // fails if the gateway has gone
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", answer(func() any {
		return map[string]any{"issuer": a.issuer, "jwks_uri": a.issuer + "/openid/v1/jwks"}
	}))
	mux.HandleFunc("/openid/v1/jwks", answer(func() any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}}
	}))
	certificate, err := tls.LoadX509KeyPair(ca.Issue(t, "kubernetes"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	a.issuer = server.URL
	return a
}

// project returns a token as the kubelet puts it into a pod.
func (a *apiServer) project(t *testing.T, audience, namespace, account string) string {
	t.Helper()
	token, err := jwt.Signed(a.signer).Claims(map[string]any{
		"iss": a.issuer,
		"aud": []string{audience},
		"sub": "system:serviceaccount:" + namespace + ":" + account,
		"iat": time.Now().Add(-time.Minute).Unix(),
		"nbf": time.Now().Add(-time.Minute).Unix(),
		"exp": time.Now().Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"serviceaccount": map[string]any{"name": account, "uid": "1"},
			"pod":            map[string]any{"name": account + "-1", "uid": "2"},
		},
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
