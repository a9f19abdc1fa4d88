package gatewaycmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/localca"
)

// openAuthority gets a certificate authority if the endpoint speaks TLS, and puts its root
// certificate into the file that clients are told to trust.
func (g *Gateway) openAuthority() error {
	if !g.at.tls {
		return nil
	}
	folder, err := localca.Folder()
	if err != nil {
		return fmt.Errorf("--listen %s: %w", g.Listen, err)
	}
	if g.authority, err = localca.Open(context.Background(), folder, g.Logging); err != nil {
		return fmt.Errorf("--listen %s: %w", g.Listen, err)
	}
	if g.CAFile == "" {
		g.CAFile = filepath.Join(folder, localca.FileName)
	}
	if g.CAFile, err = filepath.Abs(g.CAFile); err != nil {
		return fmt.Errorf("--ca-file: %w", err)
	}
	replaced, err := g.authority.WriteRoot(g.CAFile)
	if err != nil {
		return fmt.Errorf("--ca-file: %w", err)
	}
	if os.Getenv("SSL_CERT_FILE") == g.CAFile && g.Workspace.Scheme == "https" {
		caddy.Log().Warn("SSL_CERT_FILE is this gateway's own root certificate, with which it cannot verify the workspace: set it for clients of the gateway, and not here",
			zap.String("ca_file", g.CAFile))
	}
	if why := g.authority.Replaced; why != nil || replaced {
		caddy.Log().Warn("there is a new root certificate: clients that copied the old one have to trust the new one",
			zap.String("ca_file", g.CAFile), zap.NamedError("why", why))
	}
	return nil
}

// speakTLS makes a server and a configuration do so.
func (g *Gateway) speakTLS(server *caddyhttp.Server, apps caddy.ModuleMap) {
	name := g.at.names[0]
	// A client that asks for another name gets the certificate too. It refuses it, and says
	// for which names it is: without a certificate it could only say that there was an error.
	server.TLSConnPolicies = caddytls.ConnectionPolicies{{DefaultSNI: name, FallbackSNI: name}}
	server.Protocols = []string{"h1", "h2"}
	for app, config := range g.authority.Apps(g.at.names) {
		apps[app] = config
	}
}

const (
	// certificatePatience bounds how long a certificate may take, which Caddy makes in the
	// background.
	certificatePatience = 20 * time.Second

	certificateRetry = 10 * time.Millisecond
)

// awaitCertificate waits until a client that trusts the root certificate can connect.
func (g *Gateway) awaitCertificate() error {
	if !g.at.tls {
		return nil
	}
	roots := x509.NewCertPool()
	roots.AddCert(g.authority.Root)
	ctx, cancel := context.WithTimeout(context.Background(), certificatePatience)
	defer cancel()
	for {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: g.at.names[0], MinVersion: tls.VersionTLS12}}
		connection, err := dialer.DialContext(ctx, "tcp", g.at.dial())
		if err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("--listen %s: getting a certificate: %w", g.Listen, err), caddy.Stop())
		case <-time.After(certificateRetry):
		}
	}
}

// trustNote keeps people from setting for everything what is for one client.
const trustNote = "for a client of this gateway alone: except for node, it replaces the roots that the client knows"

// logTrust says in one line how clients trust the root certificate.
func (g *Gateway) logTrust() {
	if !g.at.tls {
		return
	}
	fields := []zap.Field{zap.String("ca_file", g.CAFile), zap.String("valid_until", g.authority.Root.NotAfter.Format(time.DateOnly))}
	for _, hint := range localca.Hints(g.CAFile) {
		fields = append(fields, zap.String(hint.Language, hint.Command))
	}
	fields = append(fields, zap.String("note", trustNote))
	caddy.Log().Info("clients have to trust this root certificate", fields...)
}

// explainTrust does so on a terminal, in a line for each language.
func (g *Gateway) explainTrust(out io.Writer) {
	if !g.at.tls {
		return
	}
	fmt.Fprintf(out, "Clients have to trust its root certificate, %s\n(%s):\n", g.CAFile, trustNote)
	for _, hint := range localca.Hints(g.CAFile) {
		fmt.Fprintf(out, "  %-7s %s\n", hint.Language, hint.Command)
	}
}
