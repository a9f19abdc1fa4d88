package kubernetes_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/scopegate/scopegate/internal/caddymodules"

	_ "github.com/scopegate/scopegate/caddymodule"
)

// caddyfileOf returns the Caddyfile among the objects of a mode, if the mode has one.
func caddyfileOf(all []object) string {
	for _, one := range all {
		if config := text(one, "data", "Caddyfile"); config != "" {
			return config
		}
	}
	return ""
}

// TestCaddyfiles holds each Caddyfile to what the gateway accepts.
func TestCaddyfiles(t *testing.T) {
	without := []string{"webhook", "webhook-secret", "sidecar"}
	eachExample(t, func(t *testing.T, name string, all []object) {
		config := caddyfileOf(all)
		if slices.Contains(without, name) {
			if config != "" {
				t.Errorf("has a Caddyfile:\n%s", config)
			}
			return
		}
		if formatted := string(caddyfile.Format([]byte(config))); name != "extras" && name != "standalone-tls" && formatted != config {
			t.Errorf("not formatted as caddy fmt would:\n%s\nwant:\n%s", config, formatted)
		}
		adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(podFiles(t, config)), map[string]any{"filename": "Caddyfile"})
		if err != nil {
			t.Fatalf("%v\n%s", err, config)
		}
		for _, warning := range warnings {
			if !strings.Contains(warning.Message, "not formatted") {
				t.Errorf("warning: %s", warning.Message)
			}
		}
		var parsed caddy.Config
		if err := caddy.StrictUnmarshalJSON(adapted, &parsed); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&parsed); err != nil {
			t.Errorf("%v\n%s", err, config)
		}
	})
}

// podFiles returns a configuration with the files that only a pod has in a folder of the
// test: one self-signed certificate, which is its own authority.
func podFiles(t *testing.T, config string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"test-scopegate.gateways.svc"}, IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: certificate},
		"ca.crt":  {Type: "CERTIFICATE", Bytes: certificate},
		"tls.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return mounted.ReplaceAllString(config, " "+folder+"/$1")
}

// mounted are names of files that the configuration has, and not of secrets in placeholders.
var mounted = regexp.MustCompile(` /(?:run/secrets|etc/scopegate/trust|var/run/secrets)/\S*/(tls\.crt|tls\.key|ca\.crt)`)

// TestCaddyfileFollowsTheValues looks for what each mode must not leave out.
func TestCaddyfileFollowsTheValues(t *testing.T) {
	for name, lines := range map[string][]string{
		"standalone":             {"http://:8080 {", "mode enforce", "client_secret {file./run/secrets/scopegate/admin/client-secret}", "output stdout"},
		"standalone-tls":         {"https://:8443 {", "token {file./run/secrets/scopegate/admin/token}", "fleet rediss://redis.example.com:6379/0 {", "ttl 15m"},
		"authority":              {"https://:9443 {", "service_account clients/etl clients/bi"},
		"authority-certificates": {"mode verify_if_given", "client_certificate edge-1.example.com", "token {file./run/secrets/scopegate/edges/token}"},
		"edge":                   {"token {file./run/secrets/scopegate/edge/token}", "trust /etc/scopegate/trust/authorities/ca.crt"},
		"edge-certificate":       {"client_certificate /run/secrets/scopegate/edge/tls.crt /run/secrets/scopegate/edge/tls.key"},
		"extras":                 {"policy analyst {", "grace_period 8s", "redact path", "when_full refuse", "oauth verify"},
	} {
		config := caddyfileOf(objects(t, template(t, chart+"/ci/"+name+".yaml")))
		for _, line := range append(lines, "admin unix//run/scopegate/admin.sock|0600", "databricks_scopes_health", "http://:8081 {") {
			if !slices.ContainsFunc(strings.Split(config, "\n"), func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), line) }) {
				t.Errorf("%s: no line %q in\n%s", name, line, config)
			}
		}
		if strings.HasPrefix(name, "edge") && strings.Contains(config, "client_secret") {
			t.Errorf("%s: an edge has an admin credential:\n%s", name, config)
		}
	}
}
