package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/gatewaycmd"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/scopes"
)

// defaultListen is the default of --listen.
const defaultListen = "127.0.0.1:8080"

// defaultConsole is where the console is, if that is free.
const defaultConsole = "127.0.0.1:2020"

// secretVariable passes the workspace's admin secret to the gateway in an environment
// variable, as the documentation recommends.
const secretVariable = "SCOPEGATE_DEMO_CLIENT_SECRET"

// demo is a workspace and a gateway in front of it.
type demo struct {
	workspace *fakeworkspace.Workspace
	url       string // of the gateway
	admin     string // gatewaycmd.Off, or the address of Caddy's admin API
	console   string // URL of the page for operators
}

// options are the differences between the demo, the tour and the traffic.
type options struct {
	listen    string              // empty for the default
	admin     string              // empty for off
	enforce   caddymodule.Handler // without the admin credential
	logging   *caddy.Logging
	workspace []fakeworkspace.Option
	// adminToken signs the gateway in with a personal access token, which stays
	// valid when the clock jumps. An OAuth token does not.
	adminToken bool
}

func start(o options) (*demo, error) {
	workspace := fakeworkspace.New(append(o.workspace, fakeworkspace.WithScopeCheck(workspaceScopes))...)
	if err := workspace.Start(); err != nil {
		return nil, fmt.Errorf("starting the fake workspace: %w", err)
	}
	d, err := startGateway(workspace, o)
	if err != nil {
		workspace.Close()
		return nil, err
	}
	return d, nil
}

func startGateway(workspace *fakeworkspace.Workspace, o options) (*demo, error) {
	address, err := addressOr(o.listen, defaultListen)
	if err != nil {
		return nil, err
	}
	workspaceURL, err := url.Parse(workspace.URL())
	if err != nil {
		return nil, fmt.Errorf("reading the URL of the embedded workspace: %w", err)
	}
	enforce := o.enforce
	clientID, secret := workspace.AdminClient()
	enforce.Admin = &caddymodule.Admin{ClientID: clientID, ClientSecret: "{env." + secretVariable + "}"}
	if o.adminToken {
		secret = workspace.AdminToken()
		enforce.Admin = &caddymodule.Admin{Token: "{env." + secretVariable + "}"}
	}
	if err := os.Setenv(secretVariable, secret); err != nil {
		return nil, fmt.Errorf("setting the admin secret: %w", err)
	}
	enforce.Usage = -1 // leave nothing on disk
	usual := defaultConsole
	if o.listen != "" { // most likely another demo runs on the usual ports
		usual = "127.0.0.1:0"
	}
	console, err := addressOr("", usual)
	if err != nil {
		return nil, err
	}
	gateway := gatewaycmd.Gateway{
		Listen:    address,
		Workspace: workspaceURL,
		Enforce:   &enforce,
		Admin:     cmp.Or(o.admin, gatewaycmd.Off),
		Health:    gatewaycmd.Off,
		Console:   console,
		Logging:   o.logging,
	}
	if err := gateway.Run(); err != nil {
		return nil, err
	}
	return &demo{workspace: workspace, url: "http://" + address, admin: gateway.Admin, console: "http://" + console}, nil
}

func (d *demo) stop() error {
	err := caddy.Stop()
	d.workspace.Close()
	return err
}

// addressOr returns the address that the user asked for, or else the usual one, or any
// free one if that is in use.
func addressOr(asked, usual string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	return firstFree(usual, "127.0.0.1:0")
}

// addressAfter returns a free address, if possible on one of the next 20 ports.
func addressAfter(address string) (string, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return "", err
	}
	var addresses []string
	for next := port + 1; next <= min(port+20, 65535); next++ {
		addresses = append(addresses, net.JoinHostPort("127.0.0.1", strconv.Itoa(next)))
	}
	return firstFree(append(addresses, "127.0.0.1:0")...)
}

func firstFree(addresses ...string) (string, error) {
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		return listener.Addr().String(), listener.Close()
	}
	return "", errors.New("no free port on 127.0.0.1; free one, or pass --listen")
}

// workspaceScopes makes the fake workspace check scopes too, as Databricks does.
func workspaceScopes(method, path string) (anyOf []string, public bool) {
	readings, err := scopes.Default().Read(method, path, nil)
	if err != nil {
		return []string{scopes.AllAPIs}, false
	}
	operation := readings[0].Operation
	return operation.AnyOf, operation.Access == scopes.Public
}

// logging shows each decision as a short version of its audit line. For the tour it
// shows only errors.
func logging(tour bool) *caddy.Logging {
	const auditLogger = "http.handlers.databricks_scopes.audit"
	logging := gatewaycmd.LogLevel(zap.ErrorLevel)
	if tour {
		return logging
	}
	shown := map[string]bool{"decision": true, "reason": true, "method": true, "path": true, "operation": true, "enforced": true, "status": true}
	hidden := map[string]any{}
	for _, field := range audit.FieldNames() {
		if !shown[field] {
			hidden[field] = map[string]any{"filter": "delete"}
		}
	}
	logging.Logs["audit"] = &caddy.CustomLog{
		BaseLog: caddy.BaseLog{EncoderRaw: caddyconfig.JSON(map[string]any{
			"format": "filter",
			"wrap":   map[string]any{"format": "console", "time_format": "15:04:05", "level_format": "upper"},
			"fields": hidden,
		}, nil)},
		Include: []string{auditLogger},
	}
	return logging
}
