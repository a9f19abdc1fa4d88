package webhook_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/webhook"
)

// TestMalformed: what is no review is answered with a status, so that the API server
// does as the failurePolicy says.
func TestMalformed(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "secret.yaml")), webhook.Allow)
	review := read(t, "secret-plain.review.json")
	const kind = "application/json"
	for _, c := range []struct {
		name, method, contentType, body string
		status                          int
		says                            string
	}{
		{"method", http.MethodGet, kind, "", 405, "POST"},
		{"put", http.MethodPut, kind, review, 405, "POST"},
		{"type", http.MethodPost, "text/plain", review, 415, "application/json"},
		{"no type", http.MethodPost, "", review, 415, "application/json"},
		{"YAML", http.MethodPost, "application/yaml", review, 415, "application/json"},
		{"empty", http.MethodPost, kind, "", 400, "not JSON"},
		{"half", http.MethodPost, kind, review[:len(review)/2], 400, "not JSON"},
		{"two", http.MethodPost, kind, review + review, 400, "not JSON"},
		{"uid twice", http.MethodPost, kind, strings.Replace(review, `"uid":`, `"uid": "other", "uid":`, 1), 400, "same name"},
		{"version", http.MethodPost, kind, strings.Replace(review, "k8s.io/v1", "k8s.io/v1beta1", 1), 400, "admissionReviewVersions"},
		{"another kind", http.MethodPost, kind, strings.Replace(review, "AdmissionReview", "ConversionReview", 1), 400, "must be an AdmissionReview"},
		{"no request", http.MethodPost, kind, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, 400, "no request"},
		{"no uid", http.MethodPost, kind, change(t, review, func(r map[string]any) { r["uid"] = "" }), 400, "no uid"},
		{"no object", http.MethodPost, kind, change(t, review, func(r map[string]any) { r["object"] = nil }), 400, "no object"},
		{"a list", http.MethodPost, kind, with(t, review, []byte(`[]`)), 400, "not a Pod"},
		{"no containers", http.MethodPost, kind, with(t, review, []byte(`{"spec":{}}`)), 400, "no containers"},
		{"too large", http.MethodPost, kind, strings.Repeat(" ", 10<<20+1), 413, "larger"},
	} {
		status, body := w.send(t, c.method, c.contentType, c.body)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
	// With a uid it is an answer, over the wire too, and is read although more follows.
	large := with(t, review, []byte(`{"metadata":{"name":"`+strings.Repeat("a", 20<<20)+`"}}`))
	large = strings.Replace(large, `"request":{`, `"request":{"uid":"large",`, 1)
	if got := w.post(t, large).Response; got.Allowed || got.UID != "large" || !strings.Contains(got.Status.Message, "larger") {
		t.Errorf("too large, with a uid: %+v", got)
	}
	response, err := w.client.Post(strings.TrimSuffix(w.url, webhook.Path)+"/other", kind, strings.NewReader(review))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("another path: %d", response.StatusCode)
	}
}

func TestOldTLS(t *testing.T) {
	t.Parallel()
	f := newFiles(t, read(t, "secret.yaml"))
	w := start(t, f, webhook.Deny)
	old := w.client.Transport.(*http.Transport).Clone()
	old.TLSClientConfig.MinVersion, old.TLSClientConfig.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if response, err := (&http.Client{Transport: old}).Get(w.url); err == nil {
		_ = response.Body.Close()
		t.Error("TLS 1.1 is accepted")
	}
}

// TestRotation: a certificate that changes is used without a restart, also if a kubelet
// swaps the link to its folder, and one that does not fit its key is not.
func TestRotation(t *testing.T) {
	t.Parallel()
	f := newFiles(t, read(t, "secret.yaml"))
	folder := filepath.Dir(f.certificate)
	versions := []files{newFiles(t, ""), newFiles(t, "")}
	for i, v := range versions {
		v.renew(t, int64(10+i), time.Now().Add(time.Hour))
	}
	link := filepath.Join(folder, "..data")
	swap := func(to files) {
		if err := os.Symlink(filepath.Dir(to.certificate), link+"_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+"_tmp", link); err != nil {
			t.Fatal(err)
		}
	}
	swap(versions[0])
	f.certificate, f.key = filepath.Join(link, "tls.crt"), filepath.Join(link, "tls.key")
	w := start(t, f, webhook.Deny)
	if got := w.serial(t); got.Int64() != 10 {
		t.Fatal("serial", got)
	}
	swap(versions[1])
	await(t, "the new certificate", func() bool { return w.serial(t).Int64() == 11 })

	write(t, versions[1].certificate, read2(t, versions[0].certificate))
	await(t, "the wrong pair", func() bool { return strings.Contains(w.ready(t, 200).Certificate.Error, "do not make a pair") })
	if got := w.serial(t); got.Int64() != 11 {
		t.Error("serial", got)
	}
	versions[1].renew(t, 12, time.Now().Add(-time.Hour))
	await(t, "the expired certificate", func() bool { return w.serial(t).Int64() == 12 })
	if got := w.ready(t, 503); got.Ready || !strings.Contains(got.Certificate.Error, "expired") {
		t.Errorf("%+v", got)
	}
}

// TestReload: the configuration is read again, and a wrong one is not used.
func TestReload(t *testing.T) {
	t.Parallel()
	f := newFiles(t, read(t, "secret.yaml"))
	w := start(t, f, webhook.Deny)
	review := read(t, "secret-plain.review.json")
	has := func(text string) bool { return strings.Contains(string(w.post(t, review).Response.Patch), text) }
	if !has("scopegate:1.2.3") {
		t.Fatal("the first image is not used")
	}
	write(t, f.config, strings.Replace(read(t, "secret.yaml"), "image:", "imagee:", 1))
	await(t, "the error", func() bool { return w.ready(t, 200).Config.Error != "" })
	if got := w.ready(t, 200).Config.Error; !strings.Contains(got, `line 1: unknown field "imagee"; did you mean image?`) {
		t.Error(got)
	}
	if !has("scopegate:1.2.3") {
		t.Error("the old image is not kept")
	}
	write(t, f.config, strings.Replace(read(t, "secret.yaml"), "1.2.3", "1.2.4", 1))
	await(t, "the new image", func() bool { return has("scopegate:1.2.4") })
	if got := w.ready(t, 200); got.Config.Error != "" || !got.Ready || got.Certificate.Expires.IsZero() {
		t.Errorf("%+v", got)
	}
}

// TestLogsNoPods: variables of Pods may hold secrets.
func TestLogsNoPods(t *testing.T) {
	t.Parallel()
	var log interface{ String() string }
	t.Run("reviews", func(t *testing.T) {
		w := start(t, newFiles(t, read(t, "secret.yaml")), webhook.Deny)
		log = w.log
		review := read(t, "secret-plain.review.json")
		for _, spec := range []string{``, `"hostNetwork":true,`} {
			w.post(t, with(t, review, []byte(`{`+labels+`},"spec":{`+spec+`"containers":[{"name":"c","env":[{"name":"PASSWORD","value":"hunter2"}]}]}}`)))
		}
		w.send(t, http.MethodPost, "application/json", `{"PASSWORD":"hunter2"`)
	})
	if text := log.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, `"outcome":"injected","namespace":"clients","pod":"etl"`) || !strings.Contains(text, `"outcome":"refused"`) {
		t.Error(text)
	}
}

type state struct {
	Ready               bool
	Certificate, Config struct {
		Expires time.Time
		Error   string
	}
}

func (r *running) ready(t *testing.T, status int) (s state) {
	t.Helper()
	response, err := http.Get(r.health + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		t.Fatalf("/readyz: %d %s %v", response.StatusCode, body, err)
	}
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// serial returns that of the certificate in use.
func (r *running) serial(t *testing.T) *big.Int {
	t.Helper()
	address := strings.TrimPrefix(strings.TrimSuffix(r.url, webhook.Path), "https://")
	connection, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber
}

func read2(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// await asks until it is so.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		if done() {
			return
		}
	}
	t.Fatal("waited in vain for ", what)
}
