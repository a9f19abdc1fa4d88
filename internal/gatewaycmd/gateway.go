package gatewaycmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/upstream/transport"
)

const (
	// Off turns off the optional listeners of a [Gateway].
	Off = "off"
	// Socket puts the admin API of a [Gateway] where commands find it: on a Unix socket
	// that only this user can open.
	Socket = "unix"
)

// Gateway is a gateway to one workspace, without a Caddyfile.
type Gateway struct {
	// Listen is the host:port that clients connect to, without TLS.
	Listen string
	// Workspace is the URL that requests are proxied to.
	Workspace *url.URL
	// Enforce judges requests. [Gateway.Run] sets its workspace.
	Enforce *caddymodule.Handler
	// Admin is the address of Caddy's admin API, [Socket] or [Off]; empty means Socket if
	// there is a place for it, else Off. [Gateway.Run] sets it to the address.
	Admin string
	// Discovery is the option discovery of databricks_gateway, empty for its default.
	Discovery string
	// Health is the address for health probes, or [Off].
	Health string
	// GracePeriod is how long requests may go on after the process was told to end; 0
	// means the default.
	GracePeriod time.Duration
	// Logging is Caddy's logging, see [LogLevel]; nil means Caddy's default.
	Logging *caddy.Logging

	adminMode string // of the socket that Run made
}

// Run starts the gateway in this process and returns once it listens. It replaces any
// running Caddy configuration, because a process can have only one. Stop it with
// [caddy.Stop].
func (g *Gateway) Run() error {
	// Check these here: Caddy would wrap the errors in details that do not help.
	if err := errors.Join(g.checkListen(), g.checkAdmin(), g.checkDiscovery(), g.Enforce.Validate()); err != nil {
		return err
	}
	if err := g.checkFree(); err != nil {
		return err
	}
	hold, err := g.openAdmin()
	if err != nil {
		return err
	}
	defer func() { _ = hold.Close() }() // by then Caddy has it, too
	config, err := g.config()
	if err != nil {
		return err
	}
	return caddy.Run(config)
}

func (g *Gateway) checkListen() error {
	host, port, err := net.SplitHostPort(g.Listen)
	if err != nil {
		return fmt.Errorf("--listen must be host:port, such as 127.0.0.1:8080, not %q", g.Listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("--listen needs a port from 1 to 65535, not %q", g.Listen)
	}
	if caddyserver.Loops(g.Workspace, g.Listen) {
		return fmt.Errorf("--workspace is the address of this gateway, %s; pass the URL of the workspace (in this shell, DATABRICKS_HOST may point to the gateway)", g.Listen)
	}
	if address := net.ParseIP(host); host != "localhost" && (address == nil || !address.IsLoopback()) {
		caddy.Log().Warn("other machines can connect and send their tokens unencrypted; use --listen 127.0.0.1:"+port+", or a Caddyfile with TLS",
			zap.String("listen", g.Listen))
	}
	return nil
}

func (g *Gateway) checkDiscovery() error {
	if err := transport.CheckDiscovery(g.Discovery); err != nil {
		return fmt.Errorf("--%w", err)
	}
	return nil
}

// checkAdmin fails if the address of the admin API lacks a port, which Caddy would choose.
func (g *Gateway) checkAdmin() error {
	switch g.Admin {
	case "", Socket, Off:
		return nil
	}
	address, err := caddy.ParseNetworkAddress(g.Admin)
	if err == nil && (address.IsUnixNetwork() || address.IsFdNetwork()) && address.Host != "" {
		return nil
	}
	if err != nil || address.StartPort == 0 || address.PortRangeSize() != 1 || strings.Contains(g.Admin, "://") {
		return fmt.Errorf("--admin must be unix, off, unix//<path>|0600 or host:port, such as localhost:2019, not %q", g.Admin)
	}
	return nil
}

// openAdmin finds a place for the socket of the admin API, and opens it. The port of the
// gateway tells its socket from those of others on this machine.
func (g *Gateway) openAdmin() (io.Closer, error) {
	if g.Admin != "" && g.Admin != Socket {
		return io.NopCloser(nil), nil
	}
	_, port, _ := net.SplitHostPort(g.Listen)
	address, hold, err := caddyserver.OpenAdminSocket("gateway-" + port)
	switch {
	case err == nil:
		g.Admin, g.adminMode = address, caddyserver.SocketMode
		return hold, nil
	case g.Admin == Socket:
		return nil, fmt.Errorf("--admin: found no place for a socket: %w", err)
	}
	caddy.Log().Warn("found no place for the socket of the admin API, so it is off, and commands such as scopes report cannot ask this gateway; set XDG_RUNTIME_DIR to a folder of this user's, pass --admin unix//<path>|0600, or --admin off to silence this",
		zap.Error(err))
	g.Admin = Off
	return io.NopCloser(nil), nil
}

// checkFree fails if another process uses an address.
func (g *Gateway) checkFree() error {
	for _, address := range []struct {
		flag, value string
		check       func(string) error
	}{
		{"--listen", g.Listen, caddyserver.CheckFree},
		{"--health", g.Health, caddyserver.CheckFree},
		{"--admin", g.Admin, caddyserver.CheckAdminFree},
	} {
		if address.value == "" || address.value == Off || address.value == Socket {
			continue
		}
		if err := address.check(address.value); err != nil {
			return fmt.Errorf("%s: %w", address.flag, err)
		}
	}
	return nil
}

// ClientURL returns the URL for clients on this machine.
func (g *Gateway) ClientURL() string {
	host, port, err := net.SplitHostPort(g.Listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + g.Listen
}

func (g *Gateway) config() (*caddy.Config, error) {
	server := &caddyhttp.Server{
		Listen:    []string{g.Listen},
		Routes:    caddyhttp.RouteList{caddymodule.Gateway(g.Workspace, g.Enforce, g.Discovery)},
		AutoHTTPS: &caddyhttp.AutoHTTPSConfig{Disabled: true},
		// gRPC clients speak cleartext HTTP/2 to a sidecar.
		Protocols: []string{"h1", "h2c"},
	}
	servers := map[string]*caddyhttp.Server{"gateway": server}
	if g.Health != Off {
		servers["health"] = &caddyhttp.Server{
			Listen:    []string{g.Health},
			AutoHTTPS: server.AutoHTTPS,
			Protocols: []string{"h1"},
			Routes: caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{
				caddyconfig.JSONModuleObject(caddymodule.Health{}, "handler", "databricks_scopes_health", nil),
			}}},
		}
	}
	no := false
	config := &caddy.Config{
		Admin: &caddy.AdminConfig{
			Disabled: g.Admin == Off,
			// Don't save the configuration to disk.
			Config: &caddy.ConfigSettings{Persist: &no},
		},
		Logging: g.Logging,
		AppsRaw: caddy.ModuleMap{
			"http": caddyconfig.JSON(caddyhttp.App{Servers: servers, GracePeriod: caddy.Duration(g.GracePeriod)}, nil),
		},
	}
	if g.Admin != Off {
		config.Admin.Listen = g.Admin + g.adminMode
	}
	// Encode and decode as if loading a file, so that unknown fields and values that
	// cannot be encoded fail here and not later.
	encoded, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	decoded := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(encoded, decoded); err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	return decoded, nil
}
