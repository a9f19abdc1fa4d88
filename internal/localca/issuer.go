package localca

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddypki"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/caddyserver/certmagic"
)

func init() {
	caddy.RegisterModule(Issuer{})
}

// moduleName is the name of the issuer below tls.issuance.
const moduleName = "databricks_local"

// Issuer is Caddy's internal issuer, with all names of the gateway in one certificate.
//
// Caddy makes a certificate for each name, and chooses by the name that the client sends in
// the handshake. Java sends none for a host without a dot, such as localhost, and nobody sends
// an IP address: the certificate for the address, which Caddy then chooses, is not valid for
// localhost, so that one of the two always fails.
type Issuer struct {
	// The names and IP addresses of each certificate. The first is the one that Caddy
	// manages the certificate by: a name, if there is one.
	Names []string `json:"names"`

	// How long certificates are valid. Default: 12h.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	internal caddytls.InternalIssuer
	hosts    []string
	ips      []net.IP
	key      string
}

// CaddyModule returns the Caddy module information.
func (Issuer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "tls.issuance." + moduleName,
		New: func() caddy.Module { return new(Issuer) },
	}
}

// Provision sets up the issuer.
func (i *Issuer) Provision(ctx caddy.Context) error {
	if len(i.Names) == 0 {
		return errors.New("a certificate needs a name")
	}
	for _, name := range i.Names {
		if ip := net.ParseIP(name); ip != nil {
			i.ips = append(i.ips, ip)
		} else {
			i.hosts = append(i.hosts, name)
		}
	}
	app, err := ctx.App("pki")
	if err != nil {
		return fmt.Errorf("loading the certificate authority: %w", err)
	}
	ca, err := app.(*caddypki.PKI).GetCA(ctx, caddypki.DefaultCAID)
	if err != nil {
		return fmt.Errorf("loading the certificate authority: %w", err)
	}
	// Caddy keeps certificates in its storage by this key. What another root signed, or what
	// is for other names, is not to be found under it.
	digest := sha256.Sum256(append(ca.RootCertificate().Raw, strings.Join(i.Names, ",")...))
	i.key = moduleName + "-" + hex.EncodeToString(digest[:8])
	i.internal.Lifetime = i.Lifetime
	return i.internal.Provision(ctx)
}

// IssuerKey tells certificates of this issuer from others.
func (i *Issuer) IssuerKey() string { return i.key }

// Issue signs a certificate for all names, whichever the request is for.
func (i *Issuer) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	all := *request
	all.DNSNames, all.IPAddresses = i.hosts, i.ips
	all.Extensions = nil // the names that the request is for
	return i.internal.Issue(ctx, &all)
}

// Interface guards
var (
	_ caddy.Provisioner = (*Issuer)(nil)
	_ certmagic.Issuer  = (*Issuer)(nil)
)
