package caddyserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/adminsocket"
)

// adminSockets are the paths of the sockets that this process has opened for an admin API.
// It may open them again.
var adminSockets sync.Map

// SocketMode follows the path of a socket that only this user may open.
const SocketMode = "|0600"

// OpenAdminSocket opens a socket for the admin API at a path that commands find, and that no
// other gateway has. The address is without SocketMode. The socket stays open until it is
// closed and Caddy has closed it.
func OpenAdminSocket(name string) (address string, hold io.Closer, err error) {
	path, err := adminsocket.Make(name, func(path string) error {
		parsed, err := caddy.ParseNetworkAddress("unix/" + path + SocketMode)
		if err == nil {
			hold, err = openSocket(parsed, path)
		}
		return err
	})
	return "unix/" + path, hold, err
}

// claimSocket opens the socket of an admin API before Caddy does, which then finds it open:
// Caddy would take the path from another process that listens there, and leave the socket
// open to others until it has set its mode. A folder that does not exist is made, for this
// user only. The socket stays open until it is closed and Caddy has closed it.
func claimSocket(address caddy.NetworkAddress) (io.Closer, error) {
	path := (&listen{address: address}).path()
	if _, ours := adminSockets.Load(path); ours {
		return nothing{}, nil
	}
	folder := filepath.Dir(path)
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making a folder for the socket of the admin API: %w; make it, or set another path with the option admin", err)
	}
	defer adminsocket.Lock(folder)()
	if err := (&listen{address: address}).look(); err != nil {
		return nil, fmt.Errorf("admin API: %w", err)
	}
	hold, err := openSocket(address, path)
	if err != nil {
		return nil, fmt.Errorf("opening the socket of the admin API: %w; let this user write to %s, or set another path with the option admin", err, folder)
	}
	return hold, nil
}

func openSocket(address caddy.NetworkAddress, path string) (hold io.Closer, err error) {
	adminsocket.Private(func() {
		var listener any
		if listener, err = address.Listen(context.Background(), 0, net.ListenConfig{}); err == nil {
			hold = listener.(io.Closer)
		}
	})
	if err == nil {
		adminSockets.Store(path, nil)
	}
	return hold, err
}

// isFile reports whether an address is that of a Unix socket in the file system.
func isFile(address caddy.NetworkAddress) bool {
	return address.Network == "unix" && !strings.HasPrefix(address.Host, "@")
}

// FindAdmin returns the address of a running gateway's admin API: the one that is given,
// that of a configuration file, that of $CADDY_ADMIN, a socket where this user's gateways
// have theirs, or else Caddy's default. The first two may be empty. The error says what to
// do next.
func FindAdmin(given, config, adapter string) (string, error) {
	address := given
	if strings.HasPrefix(address, "/") {
		address = "unix/" + address
	}
	if address == "" && config != "" {
		configured, err := ConfiguredAdmin(config, adapter)
		if err != nil {
			return "", err
		}
		address = configured
	}
	if _, ok := os.LookupEnv("CADDY_ADMIN"); ok && address == "" {
		address = caddy.DefaultAdminListen
	}
	if address == "" {
		return searchAdmin()
	}
	if _, rest, found := strings.Cut(address, "://"); found {
		return "", fmt.Errorf("%q is no address of an admin API; leave out the scheme: %s", address, strings.TrimSuffix(rest, "/"))
	}
	parsed, ok := parseAdmin(address)
	if !ok {
		return "", fmt.Errorf("%q is no address of an admin API; write it like localhost:2019 or unix//run/scopegate/admin.sock", address)
	}
	return parsed.String(), reachable(parsed)
}

// ErrAdminOff says that a configuration turns the admin API off.
var ErrAdminOff = errors.New("turns the admin API off")

// ConfiguredAdmin returns the address of the admin API that a configuration file sets. It
// fails with [ErrAdminOff] if that is none.
func ConfiguredAdmin(file, adapter string) (string, error) {
	admin, err := readAdmin(file, adapter)
	switch {
	case err != nil:
		return "", err
	case admin.Disabled:
		return "", fmt.Errorf("%s %w, so that gateway cannot be asked; write admin unix//run/scopegate/admin.sock|0600 there, or name another gateway with --address", file, ErrAdminOff)
	case admin.Listen == "":
		return caddy.DefaultAdminListen, nil
	}
	return admin.Listen, nil
}

// searchAdmin looks for the one gateway that runs.
func searchAdmin() (string, error) {
	found := adminsocket.Find()
	switch len(found.Live) {
	case 1:
		return "unix/" + found.Live[0], nil
	case 0:
		break
	default:
		return "", fmt.Errorf("several gateways run here; choose one with --address: unix/%s", strings.Join(found.Live, ", unix/"))
	}
	address, ok := parseAdmin("")
	if ok && reachable(address) == nil {
		return address.String(), nil
	}
	looked := "no socket in " + strings.Join(adminsocket.Folders(), ", ")
	if len(found.Problems) > 0 {
		looked += " (" + strings.ReplaceAll(errors.Join(found.Problems...).Error(), "\n", "; ") + ")"
	}
	return "", fmt.Errorf("found no running gateway: %s, and nothing listens on %s; run the command as the gateway's user, name its configuration with --config or its admin API with --address, or turn that on with admin in the Caddyfile or --admin of sidecar",
		looked, caddy.DefaultAdminListen)
}

// reachable fails if nothing listens on an address, or this user may not connect.
func reachable(address caddy.NetworkAddress) error {
	if address.IsFdNetwork() {
		return nil
	}
	path := (&listen{address: address}).path()
	var err error
	if address.Network == "unix" {
		err = adminsocket.Check(path, 5*time.Second)
	} else {
		var connection net.Conn
		if connection, err = net.DialTimeout(address.Network, path, 5*time.Second); err == nil {
			return connection.Close()
		}
	}
	_, foreign := errors.AsType[*adminsocket.ForeignError](err)
	switch {
	case err == nil:
		return nil
	case foreign:
		return fmt.Errorf("%w, so nothing was; run the command as that user if it is the gateway's, or name another socket with --address", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("permission denied: the admin API at %s belongs to another user; run the command as the gateway's user, such as with sudo -u", address)
	}
	return fmt.Errorf("no gateway answers at %s (%w); name its admin API with --address, or its configuration with --config; it may be off: turn it on with admin in the Caddyfile, or --admin of sidecar", address, err)
}
