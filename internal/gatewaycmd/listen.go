package gatewaycmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/caddyserver"
)

// endpoint is what --listen says: where the gateway listens, and how clients reach it there.
type endpoint struct {
	tls  bool
	host string // a name or an IP address; empty for all addresses
	port int

	addresses []string // host:port of each listener
	names     []string // for which clients get a certificate, names first; nil without TLS
}

const listenForms = "--listen must be host:port, such as 127.0.0.1:8080, or a URL, such as https://localhost:8443"

// parseListen reads --listen. It asks nothing of the network.
func parseListen(value string) (*endpoint, error) {
	if !strings.Contains(value, "://") {
		host, port, err := net.SplitHostPort(value)
		if err != nil {
			return nil, fmt.Errorf("%s, not %q", listenForms, value)
		}
		if host == "https" || host == "http" {
			return nil, fmt.Errorf("%s, not %q; for all addresses of this machine, write %s://:%s", listenForms, value, host, port)
		}
		e := &endpoint{host: host}
		return e, e.setPort(port, value)
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "" {
		return nil, fmt.Errorf("%s, not %q", listenForms, value)
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("--listen takes scheme, host and port of a URL, such as https://localhost:8443, and nothing more: %q", u.Redacted())
	}
	if u.Host == "" {
		return nil, fmt.Errorf("--listen lacks a host or a port: %q; for all addresses of this machine, write %s://:8443", value, u.Scheme)
	}
	e := &endpoint{tls: u.Scheme == "https", host: strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")}
	if e.host == "" && u.Hostname() != "" || e.host != "" && !isHost(e.host) {
		return nil, fmt.Errorf("--listen names no host: %q; write a DNS name, an IP address, or only a port (%s://:8443)", value, u.Scheme)
	}
	port := u.Port()
	if port == "" && !strings.HasSuffix(u.Host, ":") {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	if ip, err := netip.ParseAddr(e.host); err == nil {
		e.host = ip.Unmap().String()
	}
	return e, e.setPort(port, value)
}

func (e *endpoint) setPort(port, value string) error {
	number, err := strconv.Atoi(port)
	if err != nil || number < 1 || number > 65535 {
		return fmt.Errorf("--listen needs a port from 1 to 65535, not %q", value)
	}
	e.port = number
	return nil
}

// isHost reports whether a text is an IP address or a DNS name that a certificate can be for.
func isHost(text string) bool {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.Zone() == ""
	}
	labels := strings.Split(text, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	// A number is a misspelled address or port.
	return len(text) <= 253 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// resolve finds out what to listen on, and under which names clients come.
func (e *endpoint) resolve(ctx context.Context) error {
	all := e.isAll()
	switch ip, err := netip.ParseAddr(e.host); {
	case e.host == "localhost":
		// Clients try either, or both. If another process had one of the two, it would get
		// their tokens.
		e.addresses = e.on(e.host)
		if e.isHere(netip.IPv6Loopback()) {
			e.addresses = append(e.addresses, e.on("::1")...)
		}
		e.names = []string{"localhost", "127.0.0.1", "::1"}
	case all:
		e.addresses = e.on(e.host)
		e.names = []string{"localhost", "127.0.0.1", "::1"}
		if name, err := os.Hostname(); err == nil {
			if name = strings.ToLower(name); isHost(name) && name != "localhost" {
				e.names = slices.Insert(e.names, 1, name)
			}
		}
	case err == nil && ip.IsLoopback():
		e.addresses = e.on(e.host)
		e.names = []string{"localhost", e.host}
	case err == nil || !e.tls:
		e.addresses = e.on(e.host)
		e.names = []string{e.host}
	default:
		e.names = []string{e.host}
		return e.lookUp(ctx)
	}
	return nil
}

// lookUpTime bounds how long a name in --listen is looked up.
const lookUpTime = 5 * time.Second

// lookUp finds the addresses of this machine that a name stands for.
func (e *endpoint) lookUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	const instead = "listen on all addresses (https://:%d), for the names localhost and this machine's, or give the name a certificate in a Caddyfile (docs/tls.md)"
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", e.host)
	if err != nil {
		return fmt.Errorf("--listen: looking up %s: %w; "+instead, e.host, err, e.port)
	}
	var elsewhere []string
	for _, ip := range found {
		if ip = ip.Unmap(); e.isHere(ip) {
			e.addresses = append(e.addresses, e.on(ip.String())...)
		} else {
			elsewhere = append(elsewhere, ip.String())
		}
	}
	if len(e.addresses) == 0 {
		return fmt.Errorf("--listen: %s is %s, which is not an address of this machine; "+instead, e.host, strings.Join(elsewhere, ", "), e.port)
	}
	return nil
}

// isHere reports whether an IP address is one of this machine's.
func (e *endpoint) isHere(ip netip.Addr) bool {
	if ip.Is4() && ip.IsLoopback() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addresses, func(address net.Addr) bool {
		network, err := netip.ParsePrefix(address.String())
		return err == nil && network.Addr().Unmap() == ip.WithZone("")
	})
}

// on returns the listener on a host, in a list.
func (e *endpoint) on(host string) []string {
	return []string{net.JoinHostPort(host, strconv.Itoa(e.port))}
}

// isAll reports whether the endpoint is on all addresses of the machine.
func (e *endpoint) isAll() bool {
	ip, err := netip.ParseAddr(e.host)
	return e.host == "" || err == nil && ip.IsUnspecified()
}

// isLocal reports whether only this machine can connect.
func (e *endpoint) isLocal() bool {
	ip, err := netip.ParseAddr(e.host)
	return e.host == "localhost" || err == nil && ip.IsLoopback()
}

// loops reports whether the URL of a workspace leads to the endpoint.
func (e *endpoint) loops(workspace *url.URL) bool {
	at := slices.Clone(e.addresses)
	for _, name := range e.names {
		at = append(at, e.on(name)...)
	}
	return slices.ContainsFunc(at, func(address string) bool { return caddyserver.Loops(workspace, address) })
}

// url returns the URL for clients on this machine.
func (e *endpoint) url() string {
	host, scheme := e.host, "http"
	if e.isAll() {
		host = "127.0.0.1"
	}
	if e.tls {
		scheme = "https"
	}
	if e.tls && e.port == 443 {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return "https://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(e.port))
}

// dial returns where to connect to on this machine.
func (e *endpoint) dial() string {
	if e.isAll() {
		return e.on("127.0.0.1")[0]
	}
	return e.addresses[0]
}

// checkFree fails if the process cannot have an address of the endpoint.
func (e *endpoint) checkFree() error {
	var problems []error
	for _, address := range e.addresses {
		if err := caddyserver.CheckFree(address); err != nil {
			problems = append(problems, fmt.Errorf("--listen: %w", err))
		}
	}
	return errors.Join(problems...)
}
