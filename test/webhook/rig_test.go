// Package webhook_test runs the admission webhook over TLS, as the API server does, and
// the command scopegate webhook as a process.
package webhook_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
	"github.com/scopegate/scopegate/internal/webhook"
)

// TestMain makes this test binary serve as the command scopegate.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate": gatewaycmd.Main})
}

// files are those of a webhook, in a folder of the test's.
type files struct{ certificate, key, config string }

// newFiles writes a configuration and a certificate for 127.0.0.1.
func newFiles(t *testing.T, config string) files {
	t.Helper()
	folder := t.TempDir()
	f := files{filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"), filepath.Join(folder, "sidecar.yaml")}
	write(t, f.config, config)
	f.renew(t, 1, time.Now().Add(time.Hour))
	return f
}

// renew writes another certificate.
func (f files) renew(t *testing.T, serial int64, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "scopegate-webhook"},
		NotBefore:    time.Now().Add(-2 * time.Hour),
		NotAfter:     until,
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	write(t, f.key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// running is a webhook in this process.
type running struct {
	url, health string
	client      *http.Client
	log         *bytes.Buffer // to read once it has ended
}

// start runs a webhook until the test ends.
func start(t *testing.T, f files, policy webhook.ErrorPolicy) *running {
	t.Helper()
	log := new(bytes.Buffer)
	server, err := webhook.New(webhook.Options{
		Listen: "127.0.0.1:0", Health: "127.0.0.1:0", OnError: policy,
		Certificate: f.certificate, Key: f.key, Config: f.config,
		Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	client := clientOf(t, f)
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &running{"https://" + server.Addr().String() + webhook.Path, "http://" + server.HealthAddr().String(), client, log}
}

// clientOf trusts the certificate that is in the file now.
func clientOf(t *testing.T, f files) *http.Client {
	t.Helper()
	content, err := os.ReadFile(f.certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(content)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}, Timeout: 20 * time.Second}
}

// answer is the response in an AdmissionReview.
type answer struct {
	APIVersion, Kind string
	Response         struct {
		UID       string
		Allowed   bool
		Status    struct{ Message string }
		Warnings  []string
		PatchType string
		Patch     []byte
	}
}

// post sends a review that must be answered.
func (r *running) post(t *testing.T, review string) answer {
	t.Helper()
	status, body := r.send(t, http.MethodPost, "application/json", review)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if a.APIVersion != "admission.k8s.io/v1" || a.Kind != "AdmissionReview" {
		t.Errorf("the answer is a %s of %s", a.Kind, a.APIVersion)
	}
	return a
}

func (r *running) send(t *testing.T, method, contentType, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequest(method, r.url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}
