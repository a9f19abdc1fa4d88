package gatewaycmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/scopegate/scopegate/internal/localca"
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
	// Listen is where clients connect to: host:port, http://host:port, or https://host:port
	// with a certificate of an authority on this machine.
	Listen string
	// CAFile is the file for the root certificate of that authority; empty means one in the
	// user's data folder. [Gateway.Run] sets it to an absolute path, if Listen is https.
	CAFile string
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
	// Console is the address of the page for operators, on the loopback interface; empty or
	// [Off] for none.
	Console string
	// GracePeriod is how long requests may go on after the process was told to end; 0
	// means the default.
	GracePeriod time.Duration
	// Logging is Caddy's logging, see [LogLevel]; nil means Caddy's default.
	Logging *caddy.Logging

	at        *endpoint          // of Listen
	authority *localca.Authority // nil without TLS
	adminMode string             // of the socket that Run made
}

// Run starts the gateway in this process and returns once it listens. It replaces any
// running Caddy configuration, because a process can have only one. Stop it with
// [caddy.Stop].
func (g *Gateway) Run() error {
	// Check these here: Caddy would wrap the errors in details that do not help.
	if err := errors.Join(g.checkListen(), g.checkAdmin(), g.checkConsole(), g.checkDiscovery(), g.Enforce.Validate()); err != nil {
		return err
	}
	if err := errors.Join(g.at.checkFree(), g.checkFree()); err != nil {
		return err
	}
	if err := g.openAuthority(); err != nil {
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
	if err := caddy.Run(config); err != nil {
		return err
	}
	return g.awaitCertificate()
}

func (g *Gateway) checkListen() (err error) {
	if g.at, err = parseListen(g.Listen); err != nil {
		return err
	}
	if g.CAFile != "" && !g.at.tls {
		return errors.New("--ca-file needs TLS: add --listen https://localhost:8443, or leave it out")
	}
	if err := g.at.resolve(context.Background()); err != nil {
		return err
	}
	if g.at.loops(g.Workspace) {
		return fmt.Errorf("--workspace is the address of this gateway, %s; pass the URL of the workspace (in this shell, DATABRICKS_HOST may point to the gateway)", g.Listen)
	}
	if !g.at.tls && !g.at.isLocal() {
		port := strconv.Itoa(g.at.port)
		caddy.Log().Warn("other machines can connect and send their tokens unencrypted; use --listen 127.0.0.1:"+port+", or TLS: --listen https://:"+port,
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

func (g *Gateway) hasConsole() bool { return g.Console != "" && g.Console != Off }

// checkConsole fails if other machines could look at the page: here they cannot sign in.
func (g *Gateway) checkConsole() error {
	if !g.hasConsole() {
		return nil
	}
	address, err := caddy.ParseNetworkAddress(g.Console)
	if err != nil || !caddyserver.IsLoopback(address) || address.StartPort == 0 || address.PortRangeSize() != 1 {
		return fmt.Errorf("--console must be an address of this machine, such as 127.0.0.1:2020, not %q; for other machines, write a Caddyfile with databricks_console in a site that has TLS and basic_auth", g.Console)
	}
	return nil
}

// openAdmin finds a place for the socket of the admin API, and opens it. The port of the
// gateway tells its socket from those of others on this machine.
func (g *Gateway) openAdmin() (io.Closer, error) {
	if g.Admin != "" && g.Admin != Socket {
		return io.NopCloser(nil), nil
	}
	address, hold, err := caddyserver.OpenAdminSocket("gateway-" + strconv.Itoa(g.at.port))
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

// checkFree fails if another process uses an address of the gateway's own.
func (g *Gateway) checkFree() error {
	for _, address := range []struct {
		flag, value string
		check       func(string) error
	}{
		{"--health", g.Health, caddyserver.CheckFree},
		{"--console", g.Console, caddyserver.CheckFree},
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

// ClientURL returns the URL for clients on this machine, once the gateway runs.
func (g *Gateway) ClientURL() string { return g.at.url() }

func (g *Gateway) config() (*caddy.Config, error) {
	server := &caddyhttp.Server{
		Listen:    g.at.addresses,
		Routes:    caddyhttp.RouteList{caddymodule.Gateway(g.Workspace, g.Enforce, g.Discovery)},
		AutoHTTPS: &caddyhttp.AutoHTTPSConfig{Disabled: true},
		// gRPC clients speak cleartext HTTP/2 to a sidecar.
		Protocols: []string{"h1", "h2c"},
	}
	apps := make(caddy.ModuleMap)
	if g.at.tls {
		g.speakTLS(server, apps)
	}
	servers := map[string]*caddyhttp.Server{"gateway": server}
	beside := func(name, address string, handler json.RawMessage) {
		servers[name] = &caddyhttp.Server{
			Listen:    []string{address},
			AutoHTTPS: server.AutoHTTPS,
			Protocols: []string{"h1"},
			Routes:    caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{handler}}},
		}
	}
	if g.Health != Off {
		beside("health", g.Health, caddyconfig.JSONModuleObject(caddymodule.Health{}, "handler", "databricks_scopes_health", nil))
	}
	if g.hasConsole() {
		beside("console", g.Console, caddyconfig.JSONModuleObject(new(caddymodule.Console), "handler", "databricks_console", nil))
	}
	apps["http"] = caddyconfig.JSON(caddyhttp.App{Servers: servers, GracePeriod: caddy.Duration(g.GracePeriod)}, nil)
	no := false
	config := &caddy.Config{
		Admin: &caddy.AdminConfig{
			Disabled: g.Admin == Off,
			// Don't save the configuration to disk.
			Config: &caddy.ConfigSettings{Persist: &no},
		},
		Logging: g.Logging,
		AppsRaw: apps,
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
