package cli

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/mapbundle"
)

// writeKey writes a private key into a file, and returns the text and the public key.
func writeKey(t *testing.T, path string) (text string, public mapbundle.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return string(content), mapbundle.PrivateKey(key).Public()
}

// TestExport: what is exported and signed can be opened, as often as it is written.
func TestExport(t *testing.T) {
	t.Chdir(t.TempDir())
	_, public := writeKey(t, "key.pem")
	if err := errors.Join(os.WriteFile("empty.tsv", nil, 0o600), os.Symlink("target.tsv", "link.tsv")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, file string }{{"map.tsv", "map.tsv"}, {"map.tsv", "map.tsv"}, {"empty.tsv", "empty.tsv"}, {"link.tsv", "target.tsv"}, {"link.tsv", "target.tsv"}} {
		out, err := run(t, unreachable, "", "catalog", "--export", test.path, "--sign", "key.pem")
		if err != nil || !strings.HasPrefix(out, test.path+": ") || !strings.HasSuffix(out, "\npublic key: "+public.String()+"\n") {
			t.Errorf("%v\n%s", err, out)
		}
		content, err := os.ReadFile(test.file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mapbundle.Open(content, test.file, []mapbundle.PublicKey{public}, time.Now()); err != nil {
			t.Error(err)
		}
	}
	if to, err := os.Readlink("link.tsv"); err != nil || to != "target.tsv" {
		t.Errorf("the link was replaced: %q %v", to, err)
	}
	out, err := run(t, unreachable, "", "catalog", "--export", "--config", "good")
	if bundle, readErr := mapbundle.Read([]byte(out), "map"); err != nil || readErr != nil || len(bundle.Warnings) == 0 {
		t.Errorf("%v %v %.200s", err, readErr, out)
	}
}

// TestExportKeepsFiles: no file but a bundle is written over, least of all the key.
func TestExportKeepsFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	key, _ := writeKey(t, "key.pem")
	if err := errors.Join(os.WriteFile("routes.tsv", []byte("GET\t/x\tsql\n"), 0o600), os.Symlink("key.pem", "link.pem"), os.Link("key.pem", "hard.pem"),
		os.Mkdir("folder", 0o700), syscall.Mkfifo("fifo", 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ to, sign, want string }{
		{"key.pem", "key.pem", "key.pem is the private key, which would be lost"},
		{"./key.pem", "key.pem", "is the private key"},
		{"link.pem", "key.pem", "is the private key"},
		{"hard.pem", "key.pem", "is the private key"},
		{"key.pem", "link.pem", "is the private key"},
		{"key.pem", "", "key.pem is there already, and no map bundle"},
		{"routes.tsv", "key.pem", "routes.tsv is there already, and no map bundle"},
		{"folder", "key.pem", "not a file, but a directory"},
		{"fifo", "key.pem", "not a file, but a FIFO"},
		{"missing/map.tsv", "key.pem", "no such file"},
		{"routes.tsv/map.tsv", "key.pem", "not a directory"},
		{"map.tsv", "routes.tsv", "it has no private key in PEM"},
		{"map.tsv", "nowhere.pem", "no file is found there"},
	} {
		args := []string{"catalog", "--export", test.to}
		if test.sign != "" {
			args = append(args, "--sign", test.sign)
		}
		out, err := run(t, unreachable, "", args...)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(out, "public key:") {
			t.Errorf("--export %s --sign %s: %v, want %q\n%s", test.to, test.sign, err, test.want, out)
		}
	}
	content, err := os.ReadFile("key.pem")
	routes, routesErr := os.ReadFile("routes.tsv")
	if err := errors.Join(err, routesErr); err != nil || string(content) != key || string(routes) != "GET\t/x\tsql\n" {
		t.Errorf("%v, a file was changed", err)
	}
}
