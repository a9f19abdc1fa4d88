package authority

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"
)

// Certificates lets in whoever has a client certificate that the server verified.
type Certificates struct {
	// Names are the names of those let in: a common name, a DNS name or a URI, in full.
	// Without any, everybody with a verified certificate is let in. Edges that share a name
	// share its limits.
	Names []string
}

// Accept reports whether a connection has a client certificate that is let in.
func (c *Certificates) Accept(state *tls.ConnectionState, now time.Time) bool {
	who, _ := c.identify(state, now)
	return who != nil
}

// identify returns the identity in a client certificate, and whether there was a verified one
// at all.
func (c *Certificates) identify(state *tls.ConnectionState, now time.Time) (who *identity, verified bool) {
	// VerifiedChains is empty where a server asks for a certificate and does not verify it.
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil, false
	}
	leaf := state.VerifiedChains[0][0]
	// A connection may live longer than the certificate that it was opened with.
	if now.Before(leaf.NotBefore) || !now.Before(leaf.NotAfter) {
		return nil, false
	}
	name, ok := c.nameOf(leaf)
	if !ok {
		return nil, true
	}
	return &identity{key: "certificate\x00" + name, name: shown(name, maxName), until: leaf.NotAfter}, true
}

// nameOf returns the name by which a certificate is let in.
func (c *Certificates) nameOf(leaf *x509.Certificate) (name string, ok bool) {
	names := namesIn(leaf)
	if len(c.Names) == 0 {
		if len(names) == 0 {
			return "serial " + hex.EncodeToString(leaf.SerialNumber.Bytes()), true
		}
		return names[0], true
	}
	for _, name := range names {
		if slices.Contains(c.Names, name) {
			return name, true
		}
	}
	return "", false
}

// namesIn returns all names that a certificate could be let in by.
func namesIn(leaf *x509.Certificate) []string {
	names := make([]string, 0, 4)
	for _, uri := range leaf.URIs {
		names = append(names, uri.String())
	}
	names = append(names, leaf.DNSNames...)
	if leaf.Subject.CommonName != "" {
		names = append(names, leaf.Subject.CommonName)
	}
	return names
}
