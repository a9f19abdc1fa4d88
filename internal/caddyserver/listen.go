package caddyserver

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/adminsocket"
)

// Caddy listens with SO_REUSEPORT, to hand its sockets on at a reload. So two processes
// can share an address without noticing, and each gets some of the connections.

// listen is an address that a server will listen on.
type listen struct {
	address caddy.NetworkAddress // with one port
	taken   error                // when it was provisioned, which may be only to validate it
}

// maxListens bounds how many ports of a range are looked at.
const maxListens = 100

// listensOf returns the addresses of a server.
func listensOf(server *caddyhttp.Server) (listens []*listen) {
	for _, configured := range server.Listen {
		address, err := caddy.ParseNetworkAddress(configured)
		if err != nil {
			continue // Caddy will say so
		}
		for offset := range min(address.PortRangeSize(), maxListens) {
			listens = append(listens, &listen{address: address.At(offset)})
		}
	}
	return listens
}

// confirm fails if another process listens on the address. Once the server listens there,
// too, what was seen before counts.
func (l *listen) confirm() error {
	if l.used() {
		return l.taken
	}
	return l.look()
}

// CheckFree fails if another process listens on an address, such as 127.0.0.1:8080, or if
// this process must not or cannot listen there.
func CheckFree(address string) error {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return err
	}
	l := &listen{address: parsed}
	if err := l.look(); err != nil || !strings.HasPrefix(parsed.Network, "tcp") {
		return err
	}
	switch err := tryBind(parsed.Network, l.path()); {
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("this process is not allowed to listen on port %d: %w; use a port from 1024, such as 8443, or permit it: sudo sysctl net.ipv4.ip_unprivileged_port_start=%d, or sudo setcap cap_net_bind_service=+ep %s",
			parsed.StartPort, err, parsed.StartPort, executable())
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine; for all of its addresses, leave out the host (:%d)", parsed.Host, parsed.StartPort)
	}
	return nil
}

func executable() string {
	path, err := os.Executable()
	if err != nil {
		return caddy.CustomBinaryName
	}
	return path
}

// used reports whether this process listens on the address.
func (l *listen) used() bool { return caddy.ListenerUsage(l.address.Network, l.path()) > 0 }

// path returns host and port, or the path of a socket without its permissions.
func (l *listen) path() string {
	path := l.address.JoinHostPort(0)
	if l.address.IsUnixNetwork() {
		path, _, _ = strings.Cut(path, "|")
	}
	return path
}

// takenError says that another process listens on an address.
type takenError struct{ address string }

func (e takenError) Error() string {
	return fmt.Sprintf("another process already listens on %s, and would get some of the connections; stop it, or choose another address", e.address)
}

// look fails if another process listens on the address, or on one that contains it.
// Sockets that systemd or another parent passes are not looked at.
func (l *listen) look() error {
	var taken func() bool
	switch network := l.address.Network; {
	case network == "unix":
		taken = l.answers
	case slices.Contains([]string{"tcp", "tcp4", "tcp6"}, network) && l.address.StartPort != 0:
		taken = l.occupied
	default:
		return nil
	}
	if l.used() {
		return nil
	}
	// A listener that is being closed may take a moment.
	for range 10 {
		if !taken() {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	if l.ours() {
		return nil
	}
	return takenError{l.address.String()}
}

// occupied tries to bind without SO_REUSEPORT. Connections that a previous process still
// serves do not matter.
func (l *listen) occupied() bool {
	return errors.Is(tryBind(l.address.Network, l.path()), syscall.EADDRINUSE)
}

// answers reports whether a process accepts connections on a Unix socket. Caddy would
// unlink its file.
func (l *listen) answers() bool {
	return adminsocket.Alive(l.path())
}

// ours reports whether the running configuration listens on the socket, or on the same
// port of another address, as when 127.0.0.1:8080 becomes :8080 by a reload. Caddy stops
// counting the uses of a Unix socket at the first reload.
func (l *listen) ours() bool {
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		return false
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		for _, configured := range server.Listen {
			address, err := caddy.ParseNetworkAddress(configured)
			if err == nil && l.overlaps(address) {
				return true
			}
		}
	}
	return false
}

// overlaps reports whether another address has the same socket or port.
func (l *listen) overlaps(other caddy.NetworkAddress) bool {
	if l.address.IsUnixNetwork() || other.IsUnixNetwork() {
		return l.address.Network == other.Network && l.path() == (&listen{address: other}).path()
	}
	return strings.HasPrefix(other.Network, "tcp") &&
		other.StartPort <= l.address.StartPort && l.address.StartPort <= other.EndPort
}
