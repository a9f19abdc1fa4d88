package gatewaycmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/caddymodule"
)

// Off turns off the optional listeners of a [Gateway].
const Off = "off"

// Gateway is a gateway to one workspace, without a Caddyfile.
type Gateway struct {
	// Listen is the host:port that clients connect to, without TLS.
	Listen string
	// Workspace is the URL that requests are proxied to.
	Workspace *url.URL
	// Enforce judges requests. [Gateway.Run] sets its workspace.
	Enforce *caddymodule.Handler
	// Admin is the address of Caddy's admin API, or [Off].
	Admin string
	// Health is the address for health probes, or [Off].
	Health string
	// Logging is Caddy's logging, see [LogLevel]; nil means Caddy's default.
	Logging *caddy.Logging
}

// Run starts the gateway in this process and returns once it listens. It replaces any
// running Caddy configuration, because a process can have only one. Stop it with
// [caddy.Stop].
func (g Gateway) Run() error {
	// Check these here: Caddy would wrap the errors in details that do not help.
	if err := errors.Join(g.checkListen(), g.Enforce.Validate()); err != nil {
		return err
	}
	config, err := g.config()
	if err != nil {
		return err
	}
	return caddy.Run(config)
}

func (g Gateway) checkListen() error {
	host, port, err := net.SplitHostPort(g.Listen)
	if err != nil {
		return fmt.Errorf("--listen must be host:port, such as 127.0.0.1:8080, not %q", g.Listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("--listen needs a port from 1 to 65535, not %q", g.Listen)
	}
	if strings.EqualFold(g.Workspace.Host, g.Listen) {
		return fmt.Errorf("--workspace is the address of this gateway, %s; pass the URL of the workspace (in this shell, DATABRICKS_HOST may point to the gateway)", g.Listen)
	}
	if address := net.ParseIP(host); host != "localhost" && (address == nil || !address.IsLoopback()) {
		caddy.Log().Warn("other machines can connect and send their tokens unencrypted; use --listen 127.0.0.1:"+port+", or a Caddyfile with TLS",
			zap.String("listen", g.Listen))
	}
	return nil
}

func (g Gateway) config() (*caddy.Config, error) {
	server := &caddyhttp.Server{
		Listen:    []string{g.Listen},
		Routes:    caddyhttp.RouteList{caddymodule.Gateway(g.Workspace, g.Enforce)},
		AutoHTTPS: &caddyhttp.AutoHTTPSConfig{Disabled: true},
		// gRPC clients speak cleartext HTTP/2 to a sidecar.
		Protocols: []string{"h1", "h2", "h2c"},
		// Caddy's default of one minute ends paused uploads, and streams on which the
		// client only receives.
		ReadIdleTimeout: caddy.Duration(15 * time.Minute),
	}
	servers := map[string]*caddyhttp.Server{"gateway": server}
	if g.Health != Off {
		servers["health"] = &caddyhttp.Server{
			Listen:    []string{g.Health},
			AutoHTTPS: server.AutoHTTPS,
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
			"http": caddyconfig.JSON(caddyhttp.App{Servers: servers}, nil),
		},
	}
	if g.Admin != Off {
		config.Admin.Listen = g.Admin
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

// LogLevel returns Caddy's default log at a level, with the query strings,
// credentials and headers of requests removed.
func LogLevel(level zapcore.Level) *caddy.Logging {
	log := &caddy.CustomLog{BaseLog: caddy.BaseLog{Level: level.CapitalString(), EncoderRaw: requestFilter()}}
	if level > zapcore.DebugLevel {
		// The proxy prepares a log line for each request even if it is not written, which
		// costs a few percent. http.log.error logs its errors too.
		log.Exclude = []string{"http.handlers.reverse_proxy"}
	}
	return &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: log}}
}
