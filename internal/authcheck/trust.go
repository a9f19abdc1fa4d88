package authcheck

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/authority"
)

// Trust says whose descriptions are believed: whoever satisfies one of its ways.
type Trust struct {
	// Proxies are the networks that proxies ask from. Without any, and without
	// Certificates, this machine.
	Proxies []netip.Prefix
	// Certificates let in proxies with a client certificate that the server verified. nil
	// for none.
	Certificates *authority.Certificates
	Now          func() time.Time
}

// Problem says what to do to be believed, to one that asks from an address. It is empty for
// proxies that are believed. The state is nil without TLS.
func (t *Trust) Problem(address string, state *tls.ConnectionState) string {
	if t.Certificates != nil && t.Certificates.Accept(state, t.Now()) {
		return ""
	}
	ip, local := senderOf(address)
	switch {
	case local && len(t.Proxies) == 0 && t.Certificates == nil:
		return ""
	case slices.ContainsFunc(t.Proxies, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return ""
	case t.Certificates != nil:
		return "what a proxy asks is believed only with a client certificate of client_certificate, or from an address of trusted_proxies"
	}
	return "what a proxy asks is believed only from an address of trusted_proxies, which is this machine by default"
}

// senderOf returns the address of a connection's other end, and whether it is on this
// machine, as with a Unix socket.
func senderOf(address string) (ip netip.Addr, local bool) {
	port, err := netip.ParseAddrPort(address)
	if err != nil {
		return ip, strings.HasPrefix(address, "@") || strings.HasPrefix(address, "/") // of a Unix socket
	}
	ip = port.Addr().Unmap()
	return ip.WithZone(""), ip.IsLoopback()
}
