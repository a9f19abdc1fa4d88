package caddymodule

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/scopegate/scopegate/internal/upstream/transport"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

func init() {
	httpcaddyfile.RegisterDirective("databricks_gateway", parseGateway)
	httpcaddyfile.RegisterDirectiveOrder("databricks_gateway", httpcaddyfile.Before, "reverse_proxy")
}

// parseGateway sets up a proxy to a workspace that enforces scopes. Syntax:
//
//	databricks_gateway [<matcher>] <workspace-url>|<workspace-name> {
//	    discovery rewrite|pass
//	    # any option of databricks_scopes but workspace
//	}
//
// A name is that of a workspace of the global option databricks.
//
// It is the same as databricks_scopes with that workspace, followed by a
// reverse_proxy to it: with the workspace's name in Host and TLS, HTTP/2 (and so gRPC)
// to an https workspace, and the transport databricks.
func parseGateway(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive's name
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	route, err := unmarshalGateway(h)
	if err != nil {
		return nil, err
	}
	if matcher != nil {
		route.MatcherSetsRaw = append(route.MatcherSetsRaw, matcher)
	}
	return []httpcaddyfile.ConfigValue{{Class: "route", Value: route}}, nil
}

func unmarshalGateway(h httpcaddyfile.Helper) (caddyhttp.Route, error) {
	d := h.Dispenser
	d.Reset()
	d.Next()
	if !d.NextArg() {
		return caddyhttp.Route{}, d.Err("databricks_gateway needs the URL of a workspace, such as https://<name>.cloud.databricks.com")
	}
	app, err := globalApp(h)
	if err != nil {
		return caddyhttp.Route{}, err
	}
	name := d.Val()
	url, err := app.url(name)
	if err != nil {
		return caddyhttp.Route{}, at(d, err)
	}
	if strings.Contains(url, "{") {
		return caddyhttp.Route{}, d.Errf("databricks_gateway needs the workspace when the Caddyfile is read; for an environment variable write {$%s}", workspaceurl.Variable)
	}
	workspace, err := workspaceurl.Parse(url)
	if err != nil {
		return caddyhttp.Route{}, at(d, err)
	}
	if d.NextArg() {
		return caddyhttp.Route{}, d.Errf("databricks_gateway takes one workspace; %q is one too many", d.Val())
	}
	enforce := new(Handler)
	var discovery string
	if enforce.lines, err = readOptions(d, gatewayOptions(d, enforce, &discovery), "policy"); err != nil {
		return caddyhttp.Route{}, err
	}
	if enforce.Workspace != "" {
		return caddyhttp.Route{}, d.Err("the workspace of databricks_gateway is its argument; remove the option workspace")
	}
	enforce.Workspace = workspace.String()
	if _, ok := app.Workspaces[name]; ok {
		enforce.Workspace = name
	}
	if err := checkStated(h, enforce); err != nil {
		return caddyhttp.Route{}, err
	}
	return gatewayRoute(workspace, enforce, discovery), nil
}

// gatewayOptions are those of databricks_gateway: the handler's, and some of the transport's.
func gatewayOptions(d *caddyfile.Dispenser, enforce *Handler, discovery *string) options {
	all := enforce.options(d)
	all["discovery"] = func() error { return choice(d, discovery, discoveries) }
	return all
}

var discoveries = []string{transport.Rewrite, transport.Pass}

// Gateway returns the route that databricks_gateway stands for: the handler, and
// a proxy to the workspace behind it. Discovery is the option of that name, empty for its
// default.
func Gateway(workspace *url.URL, enforce *Handler, discovery string) caddyhttp.Route {
	enforce.Workspace = workspace.String()
	return gatewayRoute(workspace, enforce, discovery)
}

func gatewayRoute(workspace *url.URL, enforce *Handler, discovery string) caddyhttp.Route {
	return caddyhttp.Route{HandlersRaw: []json.RawMessage{
		caddyconfig.JSONModuleObject(enforce, "handler", "databricks_scopes", nil),
		caddyconfig.JSONModuleObject(workspaceProxy(workspace, discovery), "handler", "reverse_proxy", nil),
	}}
}

func workspaceProxy(workspace *url.URL, discovery string) *reverseproxy.Handler {
	connections := &transport.Transport{Discovery: discovery}
	port := "80"
	if workspace.Scheme == "https" {
		connections.TLS = &reverseproxy.TLSConfig{ServerName: workspace.Hostname()}
		port = "443"
	}
	if explicit := workspace.Port(); explicit != "" {
		port = explicit
	}
	return &reverseproxy.Handler{
		TransportRaw: caddyconfig.JSONModuleObject(connections, "protocol", transport.Module, nil),
		Upstreams:    reverseproxy.UpstreamPool{{Dial: net.JoinHostPort(workspace.Hostname(), port)}},
		Headers: &headers.Handler{Request: &headers.HeaderOps{
			Set: http.Header{"Host": {workspace.Host}},
			// It only says "Caddy", and servers such as nginx do not compress for requests
			// that have it.
			Delete: []string{"Via"},
		}},
	}
}
