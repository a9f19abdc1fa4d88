package caddyserver

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// CheckLoop fails if the URL of a workspace is an address of the server that a handler is
// being provisioned for: a request would come back again and again. Only addresses of
// this machine can be told; a name may resolve to anything.
func CheckLoop(ctx caddy.Context, workspace string) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	target, err := url.Parse(workspace)
	if !ok || err != nil {
		return nil //nolint:nilerr // it is reported where the URL is needed
	}
	for _, configured := range server.Listen {
		if Loops(target, configured) {
			return fmt.Errorf("the workspace %s is the address of this gateway, which listens on %s, so that requests would go round in circles; set the URL of the workspace (DATABRICKS_HOST may point to the gateway)", workspace, configured)
		}
	}
	return nil
}

// Loops reports whether a URL leads to an address that a server listens on, such as
// 127.0.0.1:8080 or :8080.
func Loops(target *url.URL, listen string) bool {
	address, err := caddy.ParseNetworkAddress(listen)
	if err != nil || !strings.HasPrefix(address.Network, "tcp") {
		return false
	}
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || uint(number) < address.StartPort || uint(number) > address.EndPort {
		return false
	}
	to, on := machine(target.Hostname()), machine(address.Host)
	return to == on || on == everywhere && isHere(to) || to == everywhere && isHere(on)
}

const (
	everywhere = "0.0.0.0" // all addresses of this machine; as a destination, this machine
	here       = "localhost"
)

// machine returns one spelling of a host. The usual addresses of this machine are one, as
// localhost may be any of them.
func machine(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == here || strings.HasSuffix(host, "."+here) {
		return here
	}
	ip, err := netip.ParseAddr(host)
	switch ip = ip.Unmap(); {
	case host == "" || err == nil && ip.IsUnspecified():
		return everywhere
	case err != nil:
		return host
	case ip == netip.IPv6Loopback() || ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}):
		return here
	}
	return ip.String()
}

// isHere reports whether a spelling of [machine] is this machine.
func isHere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == here || host == everywhere || err == nil && ip.IsLoopback()
}
