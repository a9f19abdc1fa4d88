package gatewaycmd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/adminsocket"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/localca"
	"github.com/scopegate/scopegate/internal/preflight"
)

// planOf returns what a configuration, in JSON, needs.
func planOf(content []byte) (preflight.Plan, error) {
	plan, err := caddymodule.Preflight(content)
	if err != nil {
		return plan, err
	}
	if len(plan.Workspaces) == 0 {
		return plan, errors.New("it has no databricks_scopes, databricks_gateway or databricks_authority, so it judges nothing")
	}
	var document struct {
		Admin   *caddy.AdminConfig
		Storage struct{ Module, Root string }
		Apps    struct {
			HTTP struct {
				Servers map[string]struct{ Listen []string }
			}
		}
	}
	if err := json.Unmarshal(content, &document); err != nil {
		return plan, err
	}
	servers := document.Apps.HTTP.Servers
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		for _, address := range servers[name].Listen {
			if l, ok := listenAt("server "+name, address, caddyserver.CheckFree); ok {
				plan.Listens = append(plan.Listens, l)
			}
		}
	}
	address := caddy.DefaultAdminListen
	if admin := document.Admin; admin != nil && admin.Listen != "" {
		address = admin.Listen
	}
	if document.Admin == nil || !document.Admin.Disabled {
		if l, ok := listenAt("admin API", address, caddyserver.CheckAdminFree); ok {
			l.Admin = true
			plan.Listens = append(plan.Listens, l)
		}
	}
	switch storage := document.Storage; {
	case storage.Module == "":
		plan.Folders = append(plan.Folders, caddy.AppDataDir())
	case storage.Module == "file_system" && storage.Root != "":
		plan.Folders = append(plan.Folders, storage.Root)
	}
	return plan, nil
}

// listenAt describes a listener. It is false for what is not one port or socket.
func listenAt(name, address string, check func(string) error) (preflight.Listen, bool) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil || parsed.IsFdNetwork() {
		return preflight.Listen{}, false // validation says so, or another process opened it
	}
	l := preflight.Listen{Name: name, Network: parsed.Network, Free: func() (bool, error) {
		err := check(address)
		return caddyserver.IsTaken(err), err
	}}
	if parsed.IsUnixNetwork() {
		l.Address, _, _ = strings.Cut(parsed.Host, "|")
		return l, true
	}
	l.Address = net.JoinHostPort(parsed.Host, strconv.FormatUint(uint64(parsed.StartPort), 10))
	return l, strings.HasPrefix(parsed.Network, "tcp") && parsed.PortRangeSize() == 1
}

// validate provisions a configuration, as a start would, and forgets it. Nothing is logged, and
// no file is made where the gateway has its own: it would belong to whoever checks.
func validate(content []byte) (err error) {
	folder, err := tempFolder(append([]string{os.TempDir()}, adminsocket.Folders()...))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.New(strings.ReplaceAll(err.Error(), folder, ""))
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	var document any
	if err := json.Unmarshal(content, &document); err != nil {
		return err
	}
	moveFiles(document, folder)
	moveStorage(document, folder)
	moved, err := json.Marshal(document)
	if err != nil {
		return err
	}
	quiet, err := withoutLogs(moved)
	if err != nil {
		return err
	}
	config := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(quiet, config); err != nil {
		return err
	}
	return caddy.Validate(config)
}

// tempFolder makes a folder in the first of some where that is possible: the container image
// has no /tmp, and its root is read-only, so there it is in the folder of the admin socket.
func tempFolder(parents []string) (string, error) {
	var first error
	for _, parent := range parents {
		folder, err := os.MkdirTemp(parent, "scopegate-check-*")
		if err == nil {
			return folder, nil
		}
		first = cmp.Or(first, err)
	}
	return "", fmt.Errorf("making a temporary folder: %w; set TMPDIR to a folder that this user may write to", first)
}

// moveFiles puts the files of log writers into a folder.
func moveFiles(node any, folder string) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			moveFiles(child, folder)
		}
	case map[string]any:
		if path, ok := node["filename"].(string); ok && node["output"] == "file" {
			node["filename"] = filepath.Join(folder, filepath.Clean("/"+path)) // not out of it with ..
		}
		for _, child := range node {
			moveFiles(child, folder)
		}
	}
}

// moveStorage puts Caddy's storage into a folder, unless it is not one: a certificate authority
// (tls internal) is made when it is provisioned, and would belong to whoever checks.
func moveStorage(document any, folder string) {
	top, ok := document.(map[string]any)
	if !ok {
		return
	}
	if storage, ok := top["storage"].(map[string]any); ok && storage["module"] != "file_system" {
		return
	}
	top["storage"] = map[string]any{"module": "file_system", "root": filepath.Join(folder, "storage")}
}

// withoutLogs makes all logs of a configuration write nowhere.
func withoutLogs(content []byte) ([]byte, error) {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	var logging caddy.Logging
	if raw, ok := document["logging"]; ok {
		if err := json.Unmarshal(raw, &logging); err != nil {
			return nil, fmt.Errorf("logging: %w", err)
		}
	}
	if logging.Logs == nil {
		logging.Logs = make(map[string]*caddy.CustomLog)
	}
	if logging.Logs[caddy.DefaultLoggerName] == nil {
		logging.Logs[caddy.DefaultLoggerName] = new(caddy.CustomLog)
	}
	nowhere := caddyconfig.JSONModuleObject(caddy.DiscardWriter{}, "output", "discard", nil)
	for name, log := range logging.Logs {
		switch {
		case name == caddy.DefaultLoggerName: // Caddy would say that it goes elsewhere
			log.WriterRaw, log.Level = nil, zap.FatalLevel.CapitalString()
		case log != nil:
			log.WriterRaw = nowhere
		}
	}
	logging.Sink = &caddy.SinkLog{BaseLog: caddy.BaseLog{WriterRaw: nowhere}}
	encoded, err := json.Marshal(logging)
	if err != nil {
		return nil, err
	}
	document["logging"] = encoded
	return json.Marshal(document)
}

// checkable returns the configuration of a gateway without a Caddyfile, as JSON, and the
// folders that it writes to beside those of the configuration. TLS is left out: its certificate
// authority would be made.
func (g *Gateway) checkable() (content []byte, folders []string, err error) {
	if err := errors.Join(g.checkListen(), g.checkAdmin(), g.checkDiscovery(), g.Enforce.Validate()); err != nil {
		return nil, nil, err
	}
	plain, at := *g, *g.at
	if at.tls {
		folder, err := localca.Folder()
		if err != nil {
			return nil, nil, fmt.Errorf("--listen %s: %w", g.Listen, err)
		}
		if folders = append(folders, folder); g.CAFile != "" {
			folders = append(folders, filepath.Dir(g.CAFile))
		}
		at.tls = false
	}
	plain.at = &at
	if plain.Admin == "" || plain.Admin == Socket {
		plain.Admin = Off // a socket of this user's, found at the start
	}
	config, err := plain.config()
	if err != nil {
		return nil, nil, err
	}
	content, err = json.Marshal(config)
	return content, folders, err
}
