package localca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/caddyserver/certmagic"
	_ "github.com/scopegate/scopegate/internal/caddymodules"

	"github.com/scopegate/scopegate/internal/testing/race"
)

// Tests that use Caddy cannot be parallel: a process has one.

// quiet is a log that says nothing.
func quiet() *caddy.Logging {
	return &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: "PANIC"}}}}
}

// TestOpenKeepsLogging: the gateway uses the same logging afterwards. Without its encoder the
// log would show secrets.
func TestOpenKeepsLogging(t *testing.T) {
	logging := &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output":"discard"}`)}},
	}}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "scopegate"), logging); err != nil {
		t.Fatal(err)
	}
	if got := string(logging.Logs[caddy.DefaultLoggerName].WriterRaw); got != `{"output":"discard"}` {
		t.Errorf("the writer of the log is now %q", got)
	}
}

func mustOpen(t *testing.T, folder string, times times) *Authority {
	t.Helper()
	a, err := open(t.Context(), folder, quiet(), times)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serve runs a server with a certificate for names until the test ends.
func serve(t *testing.T, a *Authority, names ...string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	apps := a.Apps(names)
	apps["http"] = caddyconfig.JSON(caddyhttp.App{Servers: map[string]*caddyhttp.Server{"s": {
		Listen:          []string{address},
		AutoHTTPS:       &caddyhttp.AutoHTTPSConfig{Disabled: true},
		Protocols:       []string{"h1"},
		TLSConnPolicies: caddytls.ConnectionPolicies{{DefaultSNI: names[0], FallbackSNI: names[0]}},
	}}}, nil)
	no := false
	encoded, err := json.Marshal(caddy.Config{Admin: &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &no}}, Logging: quiet(), AppsRaw: apps})
	if err == nil {
		err = caddy.Load(encoded, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	return address
}

// TestNoCleaning: Caddy takes the folder of a certificate that is being written for an empty one.
func TestNoCleaning(t *testing.T) {
	var config caddytls.TLS
	a := mustOpen(t, filepath.Join(t.TempDir(), "scopegate"), times{})
	if err := json.Unmarshal(a.Apps([]string{"localhost"})["tls"], &config); err != nil {
		t.Fatal(err)
	}
	if !config.DisableStorageClean {
		t.Error("Caddy cleans the storage while the first certificate is written to it")
	}
}

// handshake connects as a client that trusts a root, and returns the gateway's certificates.
func handshake(root *x509.Certificate, address, name string) ([]*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AddCert(root)
	connection, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates, nil
}

// await repeats a handshake until it succeeds.
func await(t *testing.T, root *x509.Certificate, address, name string) []*x509.Certificate {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		chain, err := handshake(root, address, name)
		if err == nil {
			return chain
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestRenewal: certificates and intermediate certificates are renewed while a client that
// trusts the root alone connects again and again. They are renewed seconds after they were made
// and are valid for hours, so that a slow machine does not make one expire.
func TestRenewal(t *testing.T) {
	intermediate, renewed := 2*time.Hour, 2
	if race.Enabled {
		// Caddy renews it while CA.RootCertificate copies the CA without its lock.
		intermediate, renewed = 1000*time.Hour, 1
	}
	a := mustOpen(t, t.TempDir(), times{time.Hour, 100 * time.Millisecond, intermediate, 100 * time.Millisecond, 1 - 1.0/3600})
	address := serve(t, a, "localhost", "127.0.0.1")
	leaves, intermediates := make(map[string]bool), make(map[string]bool)
	await(t, a.Root, address, "localhost")
	for deadline := time.Now().Add(time.Minute); len(leaves) < 3 || len(intermediates) < renewed; time.Sleep(20 * time.Millisecond) {
		chain, err := handshake(a.Root, address, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		leaves[chain[0].SerialNumber.String()], intermediates[chain[1].SerialNumber.String()] = true, true
		if time.Now().After(deadline) {
			t.Fatalf("%d certificates, %d intermediate ones", len(leaves), len(intermediates))
		}
	}
}

// TestOtherNames: in one folder, gateways with other names get their own certificates.
func TestOtherNames(t *testing.T) {
	folder := t.TempDir()
	for _, names := range [][]string{{"localhost", "127.0.0.1"}, {"localhost", "gateway.internal", "::1"}, {"10.1.2.3"}} {
		a := mustOpen(t, folder, times{})
		address := serve(t, a, names...)
		await(t, a.Root, address, names[0])
		for _, name := range names {
			if _, err := handshake(a.Root, address, name); err != nil {
				t.Errorf("%v: %v", names, err)
			}
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// pair writes a certificate and its key in the place of an authority's.
func pair(t *testing.T, folder, name, common string, begin, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: common}, NotBefore: begin, NotAfter: end,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	storage := certmagic.FileStorage{Path: filepath.Join(folder, "authority")}
	err = errors.Join(
		storage.Store(t.Context(), certificateOf(name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})),
		storage.Store(t.Context(), keyOf(name), keyPEM))
	if err != nil {
		t.Fatal(err)
	}
}

// TestRepair: whatever is left of an authority, the next one works, and keeps the root if that
// can be used.
func TestRepair(t *testing.T) {
	now := time.Now()
	const day = 24 * time.Hour
	remove := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, folder string) {
			for _, name := range names {
				if err := os.Remove(filepath.Join(folder, "authority", filepath.FromSlash(name))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	write := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, folder string) {
			if err := os.WriteFile(filepath.Join(folder, "authority", filepath.FromSlash(name)), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(name, common string, begin, end time.Time) func(*testing.T, string) {
		return func(t *testing.T, folder string) { pair(t, folder, name, common, begin, end) }
	}
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, folder string)
		keeps bool // the root
	}{
		{"nothing is wrong", func(*testing.T, string) {}, true},
		{"no key of the root", remove(keyOf("root")), false},
		{"no root but its key", remove(certificateOf("root")), false},
		{"an empty root", write(certificateOf("root"), ""), false},
		{"half a root", write(certificateOf("root"), "-----BEGIN CERTIFICATE-----\nMII"), false},
		{"an empty key", write(keyOf("root"), ""), false},
		{"a root that has expired", put("root", caName, now.Add(-100*day), now.Add(-day)), false},
		{"a root that expires soon", put("root", caName, now.Add(-100*day), now.Add(80*day)), false},
		{"a root of the future", put("root", caName, now.Add(day), now.Add(1000*day)), false},
		{"a root of somebody else's", put("root", "Other", now.Add(-day), now.Add(1000*day)), false},
		{"a root of ours that signed nothing", func(t *testing.T, folder string) {
			pair(t, folder, "root", caName, now.Add(-day), now.Add(1000*day))
		}, true},
		{"no intermediate", remove(certificateOf("intermediate"), keyOf("intermediate")), true},
		{"no key of the intermediate", remove(keyOf("intermediate")), true},
		{"no intermediate but its key", remove(certificateOf("intermediate")), true},
		{"garbage for an intermediate", write(certificateOf("intermediate"), "x"), true},
		{"an intermediate of another root", put("intermediate", caName, now.Add(-day), now.Add(7*day)), true},
		{"no authority but an intermediate", remove(certificateOf("root"), keyOf("root")), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			mustOpen(t, folder, times{})
			test.spoil(t, folder)
			before, _ := os.ReadFile(filepath.Join(folder, "authority", filepath.FromSlash(certificateOf("root"))))
			a := mustOpen(t, folder, times{})
			if kept := string(before) == string(a.PEM()); kept != test.keeps {
				t.Errorf("it kept the root: %v", kept)
			}
			if before != nil && (a.Replaced == nil) != test.keeps {
				t.Errorf("replaced: %v", a.Replaced)
			}
			await(t, a.Root, serve(t, a, "localhost"), "localhost")
			if again := mustOpen(t, folder, times{}); !again.Root.Equal(a.Root) || again.Replaced != nil {
				t.Errorf("another root the next time: %v", again.Replaced)
			}
		})
	}
}

// TestOldIntermediate: a gateway that starts after days off has a new one before it signs. Caddy
// would sign with the old one if its apps started in another order.
func TestOldIntermediate(t *testing.T) {
	folder := t.TempDir()
	mustOpen(t, folder, times{intermediate: 35 * time.Hour})
	a := mustOpen(t, folder, times{})
	intermediate, _, err := loadPair(t.Context(), &certmagic.FileStorage{Path: a.storage}, "intermediate")
	if err != nil || time.Until(intermediate.NotAfter) < 6*24*time.Hour {
		t.Errorf("valid until %s, %v", intermediate.NotAfter, err)
	}
}

// TestPrivate: nobody else can read the authority's keys, and everybody the root certificate.
func TestPrivate(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "scopegate")
	a := mustOpen(t, folder, times{})
	file := filepath.Join(folder, FileName)
	if replaced, err := a.WriteRoot(file); err != nil || replaced {
		t.Fatal(replaced, err)
	}
	for path, mode := range map[string]fs.FileMode{folder: 0o755, filepath.Join(folder, "authority"): 0o700, file: 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	err := filepath.WalkDir(filepath.Join(folder, "authority"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestStorage: where there is no place for an authority, the error says what to do.
func TestStorage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{file, filepath.Join(file, "scopegate"), "/proc/scopegate"} {
		if _, err := open(t.Context(), folder, quiet(), times{}); err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "XDG_DATA_HOME") {
			t.Errorf("%s: %v", folder, err)
		}
	}
	folder := t.TempDir()
	storage := certmagic.FileStorage{Path: filepath.Join(folder, "authority")}
	if err := storage.Lock(t.Context(), lockName); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := open(ctx, folder, quiet(), times{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another process starts: %v", err)
	}
	if err := storage.Unlock(t.Context(), lockName); err != nil {
		t.Error(err)
	}
}

// TestWriteRoot: only what is known to be a root certificate of ours is replaced.
func TestWriteRoot(t *testing.T) {
	folder := t.TempDir()
	a := mustOpen(t, folder, times{})
	older := string(mustOpen(t, t.TempDir(), times{}).PEM())
	pair(t, folder, "root", "Other", time.Now(), time.Now().Add(time.Hour))
	foreign, err := os.ReadFile(filepath.Join(folder, "authority", filepath.FromSlash(certificateOf("root"))))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(folder, "authority", filepath.FromSlash(keyOf("root"))))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content  string
		replaced bool
		fails    bool
	}{
		"none":                     {"", false, false},
		"the same":                 {string(a.PEM()), false, false},
		"an older one":             {older, true, false},
		"an older one, with CR LF": {strings.ReplaceAll(older, "\n", "\r\n"), true, false},
		"somebody else's":          {string(foreign), false, true},
		"ours and somebody else's": {older + string(foreign), false, true},
		"somebody else's and ours": {string(foreign) + older, false, true},
		"ours twice":               {older + older, false, true},
		"a text and ours":          {"# notes\n" + older, false, true},
		"ours and a text":          {older + "# notes\n", false, true},
		"a key":                    {string(key), false, true},
		"a text":                   {"do not lose this", false, true},
		"a line":                   {"\n", false, true},
		"a large file":             {strings.Repeat("x", maxFile+1), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ca.crt")
			if err := os.WriteFile(path, []byte(test.content), 0o640); err != nil {
				t.Fatal(err)
			}
			replaced, err := a.WriteRoot(path)
			if replaced != test.replaced || (err != nil) != test.fails {
				t.Errorf("%v %v", replaced, err)
			}
			if test.fails && !errors.Is(err, errForeign) {
				t.Error(err)
			}
			want := string(a.PEM())
			if test.fails {
				want = test.content
			}
			if content, err := os.ReadFile(path); err != nil || string(content) != want {
				t.Errorf("%v\n%s", err, content)
			}
		})
	}
	for path, says := range map[string]string{
		filepath.Join(folder, "missing", "ca.crt"): "there is no folder " + filepath.Join(folder, "missing"),
		folder:      "a directory",
		"/dev/null": "a device",
	} {
		if _, err := a.WriteRoot(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestHints: a shell takes the path for one word, whatever is in it.
func TestHints(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/a/ca.crt", "/home/Jane Doe/ca.crt", "/it's/ca.crt", "/$HOME/`x`/\"/ca.crt", "/ä/ca.crt"} {
		for _, hint := range Hints(path) {
			if hint.Language != "node" && hint.Language != "go" {
				continue
			}
			command := exec.Command("sh", "-c", hint.Command+` && printf %s "$NODE_EXTRA_CA_CERTS$SSL_CERT_FILE"`)
			command.Env = []string{"PATH=" + os.Getenv("PATH")}
			output, err := command.Output()
			if err != nil || string(output) != path {
				t.Errorf("%s: %q %v", hint.Command, output, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, content []byte) {
		certificate, err := parse(content)
		if err == nil && certificate == nil {
			t.Error("no certificate")
		}
		if err == nil {
			_ = isOurs(certificate)
		}
	})
}
