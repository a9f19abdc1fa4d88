package main

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

// gateway is a gateway that needs no Caddyfile.
type gateway struct {
	listen    string
	workspace *url.URL
	enforce   *caddymodule.Handler
	admin     string         // off or an address
	health    string         // off or an address
	logging   *caddy.Logging // nil for Caddy's default at the level INFO
}

// off is the address of what is not wanted.
const off = "off"

// run starts the gateway in this process and returns once it listens.
func (g gateway) run() error {
	// Said here, in one line, before Caddy wraps it in where it was found.
	if err := errors.Join(g.checkListen(), g.enforce.Validate()); err != nil {
		return err
	}
	config, err := g.config()
	if err != nil {
		return err
	}
	return caddy.Run(config)
}

func (g gateway) checkListen() error {
	host, port, err := net.SplitHostPort(g.listen)
	if err != nil {
		return fmt.Errorf("--listen must be host:port, such as 127.0.0.1:8080, not %q", g.listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("--listen has no usable port: %q", g.listen)
	}
	if strings.EqualFold(g.workspace.Host, g.listen) {
		return fmt.Errorf("--workspace is this gateway's own address, %s; name the workspace itself (DATABRICKS_HOST may be set to the gateway in this shell)", g.listen)
	}
	if address := net.ParseIP(host); host != "localhost" && (address == nil || !address.IsLoopback()) {
		caddy.Log().Warn("clients outside this machine can connect, and their tokens pass in clear; use --listen 127.0.0.1:"+port+", or a Caddyfile with TLS",
			zap.String("listen", g.listen))
	}
	return nil
}

func (g gateway) config() (*caddy.Config, error) {
	server := &caddyhttp.Server{
		Listen:    []string{g.listen},
		Routes:    caddyhttp.RouteList{caddymodule.Gateway(g.workspace, g.enforce)},
		AutoHTTPS: &caddyhttp.AutoHTTPSConfig{Disabled: true},
		// Cleartext HTTP/2 is what gRPC clients speak to a sidecar.
		Protocols: []string{"h1", "h2", "h2c"},
		// Caddy's minute would end paused uploads, and streams on which the client
		// only listens.
		ReadIdleTimeout: caddy.Duration(15 * time.Minute),
	}
	servers := map[string]*caddyhttp.Server{"gateway": server}
	if g.health != off {
		servers["health"] = &caddyhttp.Server{
			Listen:    []string{g.health},
			AutoHTTPS: server.AutoHTTPS,
			Routes: caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{
				caddyconfig.JSONModuleObject(caddymodule.Health{}, "handler", "databricks_scopes_health", nil),
			}}},
		}
	}
	if g.logging == nil {
		g.logging = logLevel(zap.InfoLevel)
	}
	no := false
	config := &caddy.Config{
		Admin: &caddy.AdminConfig{
			Disabled: g.admin == off,
			// Nothing that was not asked for is left on the disk.
			Config: &caddy.ConfigSettings{Persist: &no},
		},
		Logging: g.logging,
		AppsRaw: caddy.ModuleMap{
			"http": caddyconfig.JSON(caddyhttp.App{Servers: servers}, nil),
		},
	}
	if g.admin != off {
		config.Admin.Listen = g.admin
	}
	// A round trip, as if it had been loaded from a file: unknown fields and
	// values that do not survive show here and not later.
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

// logLevel is Caddy's default log at a level, without what it would quote of
// requests, and without the cost of requests that there is nothing to say about.
func logLevel(level zapcore.Level) *caddy.Logging {
	encoder := &caddymodule.LazyEncoder{WrappedRaw: caddymodule.RequestFilter()}
	return &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{
			Level:      level.CapitalString(),
			EncoderRaw: caddyconfig.JSONModuleObject(encoder, "format", "lazy", nil),
		}},
	}}
}
