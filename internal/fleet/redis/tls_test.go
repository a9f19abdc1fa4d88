package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
	serial      int64
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{serial: 1}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	a.file, _ = a.issue(t, template)
	return a
}

// issue writes a certificate and its key to files; the first one is the authority's own.
func (a *authority) issue(t *testing.T, template *x509.Certificate) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(a.serial)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	a.serial++
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate == nil {
		if a.certificate, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		a.key = private
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return writePEM(t, dir, "CERTIFICATE", der), writePEM(t, dir, "PRIVATE KEY", pkcs8)
}

func writePEM(t *testing.T, dir, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(dir, strings.ReplaceAll(kind, " ", "-")+".pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWithoutTLS: a server that does not speak TLS is not only slow.
func TestWithoutTLS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, want string
		serve      func(net.Conn)
	}{
		{"waits", "does not answer the TLS handshake in time", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
		{"answers", "does not answer with TLS", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			_, _ = io.WriteString(c, "-ERR unknown command\r\n")
			_, _ = io.Copy(io.Discard, c)
		}},
		{"closes", "closed the connection in the TLS handshake", func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var serving sync.WaitGroup
			serving.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					serving.Go(func() { defer conn.Close(); test.serve(conn) })
				}
			})
			t.Cleanup(func() { l.Close(); serving.Wait() })
			c := open(t, Options{Addresses: []string{l.Addr().String()}, Secure: true})
			waitReason(t, c, l.Addr().String()+" "+test.want+": it may not speak TLS; then write redis:// instead of rediss://")
		})
	}
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		waitReason(t, open(t, Options{Addresses: []string{redistest.Start(t).Addr}, Secure: true}), "it may not speak TLS")
	})
}

func TestTLS(t *testing.T) {
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	serverCertificate, serverKey := ours.issue(t, &x509.Certificate{DNSNames: []string{"redis.example.com"}})
	certificate, key := ours.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "gateway"}})

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	redistest.Start(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", serverCertificate,
		"--tls-key-file", serverKey, "--tls-ca-cert-file", ours.file, "--tls-auth-clients", "yes")
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	good := TLS{Trust: ours.file, ClientCertificate: certificate, ClientKey: key, ServerName: "redis.example.com"}
	with := func(change func(*TLS)) Options {
		files := good
		change(&files)
		return Options{Addresses: []string{address}, Secure: true, TLS: files}
	}

	t.Run("trusted", func(t *testing.T) { waitSet(t, open(t, with(func(*TLS) {}))) })
	for _, test := range []struct {
		name   string
		change func(*TLS)
		want   string
	}{
		{"another authority", func(f *TLS) { f.Trust = other.file }, "is not trusted"},
		{"another name", func(f *TLS) { f.ServerName = "other.example.com" }, "is not trusted"},
		{"the address as the name", func(f *TLS) { f.ServerName = "" }, "is not trusted"},
		{"no file to trust", func(f *TLS) { f.Trust = "/nonexistent.pem" }, "tls trust"},
		{"a key to trust", func(f *TLS) { f.Trust = key }, "has no certificate in PEM"},
		{"no key", func(f *TLS) { f.ClientKey = "/nonexistent.pem" }, "tls client certificate"},
		{"no client certificate", func(f *TLS) { f.ClientCertificate, f.ClientKey = "", "" }, "certificate required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			waitReason(t, open(t, with(test.change)), test.want)
		})
	}
	t.Run("file replaced", func(t *testing.T) {
		trust := filepath.Join(t.TempDir(), "trust.pem")
		copyFile(t, trust, other.file)
		c := open(t, with(func(f *TLS) { f.Trust = trust }))
		waitReason(t, c, "is not trusted")
		copyFile(t, trust, ours.file)
		waitSet(t, c)
	})
}
