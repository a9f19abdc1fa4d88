package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// site is one address of a gateway.
type site struct {
	Address string
	// Audit holds the options of the block audit; empty keeps the default.
	Audit string
	// plain removes enforcement from the site and keeps the same proxy.
	plain bool
	// versions of HTTP to the workspace; none keeps the directive's choice.
	versions []string
}

func (s site) Port() string { return s.Address[strings.LastIndexByte(s.Address, ':')+1:] }

// settings are those of every gateway.
const settings = `		admin {
			token {env.SCOPEGATE_BENCH_ADMIN_TOKEN}
		}
		cache {
			ttl 1h
		}
		lookup {
			rate 1000
			concurrency 64
		}
`

// gatewayFile is a Caddyfile like Caddyfile.example, with two differences: tokens stay
// cached for the whole run, and a thousand of them may be looked up per second.
var gatewayFile = template.Must(template.New("Caddyfile").Parse(`{
	admin {{ .Admin }}
	persist_config off
	auto_https off
	servers {
		protocols h1 h2 h2c
		timeouts {
			read_body_idle 15m
		}
	}
	log default {
		exclude http.handlers.databricks_scopes.audit{{ if eq .Log "exclude" }} http.handlers.reverse_proxy{{ end }}
		format {{ if eq .Log "lazy" }}lazy {{ end }}filter {{ .Filter }}
	}
	# For the site whose records go to Caddy's logs.
	log audit {
		include http.handlers.databricks_scopes.audit
		output stdout
		format json
	}
}
{{ range .Sites }}
http://:{{ .Port }} {
	bind 127.0.0.1
	databricks_gateway {{ $.Upstream }} {
` + settings + `		{{- if .Audit }}
		audit {
			{{ .Audit }}
		}
		{{- end }}
	}
}
{{ end }}`))

// requestFilter keeps secrets out of the default log. It is not databricks_safe, which
// builds of earlier commits do not have.
const requestFilter = "{\n" +
	"request>uri regexp `\\?.*|(dapi|dkea|dosa|dose|eyJ)[\\w.-]{16,}|//[^/]*@` …\n" +
	"request>method regexp `(dapi|dkea|dosa|dose|eyJ)[\\w.-]{16,}` …\n" +
	"request>headers delete\nheaders delete\nresp_headers delete\n}"

// writeGateway writes a gateway's configuration as JSON, and returns its path.
func (l *lab) writeGateway(dir, admin string, v variant, sites []site) (string, error) {
	var text strings.Builder
	err := gatewayFile.Execute(&text, map[string]any{"Admin": admin, "Upstream": v.workspace, "Log": v.log, "Filter": requestFilter, "Sites": sites})
	if err != nil {
		return "", err
	}
	source := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(source, []byte(text.String()), 0o600); err != nil {
		return "", err
	}
	adapt := exec.Command(v.program, "adapt", "--config", source, "--adapter", "caddyfile")
	adapted, err := adapt.Output()
	if err != nil {
		return "", fmt.Errorf("adapting %s: %w", source, err)
	}
	config, err := change(adapted, sites)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "config.json")
	return path, os.WriteFile(path, config, 0o600)
}

// change applies the differences between sites to a configuration in which all sites
// are the same. It removes the handler databricks_scopes from plain sites, so that
// enforcement is always compared with the proxy that databricks_gateway sets up.
func change(config []byte, sites []site) ([]byte, error) {
	var tree map[string]any
	if err := json.Unmarshal(config, &tree); err != nil {
		return nil, fmt.Errorf("reading the adapted configuration: %w", err)
	}
	servers := dig(tree, "apps", "http", "servers")
	for _, s := range sites {
		changed := 0
		for _, server := range servers {
			server := server.(map[string]any)
			if listen := fmt.Sprint(server["listen"]); !strings.Contains(listen, ":"+s.Port()+"]") {
				continue
			}
			if s.plain {
				changed += eachHandler(server["routes"], "databricks_scopes", func(map[string]any) bool { return false })
			}
			if s.versions != nil {
				changed += eachHandler(server["routes"], "reverse_proxy", func(handler map[string]any) bool {
					dig(handler, "transport")["versions"] = s.versions
					return true
				})
			}
		}
		if wanted := s.plain || s.versions != nil; wanted != (changed == 1) {
			return nil, fmt.Errorf("changed the site %s %d times", s.Address, changed)
		}
	}
	return json.Marshal(tree)
}

func dig(tree map[string]any, path ...string) map[string]any {
	for _, name := range path {
		tree, _ = tree[name].(map[string]any)
	}
	return tree
}

// eachHandler calls a function for every occurrence of a handler in routes, removes it
// if the function returns false, and returns the number of occurrences.
func eachHandler(routes any, name string, keep func(map[string]any) bool) (found int) {
	list, _ := routes.([]any)
	for _, route := range list {
		route, _ := route.(map[string]any)
		handlers, _ := route["handle"].([]any)
		kept := handlers[:0]
		for _, h := range handlers {
			handler, _ := h.(map[string]any)
			if handler["handler"] == name {
				found++
				if !keep(handler) {
					continue
				}
			}
			found += eachHandler(handler["routes"], name, keep)
			kept = append(kept, h)
		}
		route["handle"] = kept
	}
	return found
}

// caddyFile is the Caddyfile of stock Caddy.
var caddyFile = template.Must(template.New("Caddyfile").Parse(`{
	admin off
	persist_config off
	auto_https off
}
http://:{{ .Port }} {
	bind 127.0.0.1
	{{- if .Authorizer }}
	forward_auth {{ .Authorizer }} {
		uri /auth
		copy_headers X-User
		{{ template "tuned" }}
	}
	{{- end }}
	reverse_proxy {{ .Upstream }} {
		{{- if .Tuned }}
		{{ template "tuned" }}
		{{- end }}
	}
}
{{ define "tuned" }}transport http {
			keepalive_idle_conns_per_host 256
			read_buffer 16KiB
			write_buffer 16KiB
			compression off
		}{{ end }}`))

// deciderFile is a gateway that only decides, with its settings as in gatewayFile, and two
// sites that answer 200 to everything.
var deciderFile = template.Must(template.New("Caddyfile").Parse(`{
	admin off
	persist_config off
	auto_https off
	log default {
		exclude http.handlers.databricks_scopes.audit http.handlers.reverse_proxy
		format filter {{ .Filter }}
	}
}
http://:{{ .Decide }} {
	bind 127.0.0.1
	databricks_decision {
		workspace {{ .Upstream }}
` + settings + `		audit {
			output stdout
		}
		grpc {{ .GRPC }}
	}
}
http://:{{ .Yes }} {
	bind 127.0.0.1
	respond 200
}
http://:{{ .Twin }} {
	bind 127.0.0.1
	respond 200
}
`))

// nginxServer is a server of an nginx.
type nginxServer struct {
	Name   string
	Listen string
	// Asks is the address that auth_request asks, and AskPath the path; empty for no
	// auth_request.
	Asks, AskPath string
	pids          []int // of what it asks, if their CPU time counts
	enforces      bool
}

// nginxFile keeps connections to the upstream and to what auth_request asks alive, which is
// not nginx's default.
var nginxFile = template.Must(template.New("nginx.conf").Parse(`worker_processes auto;
daemon off;
pid {{ .Dir }}/nginx.pid;
error_log {{ .Dir }}/nginx-error.log warn;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
	access_log off;
	keepalive_requests 100000000;
	keepalive_timeout 1h;
	client_body_temp_path {{ .Dir }}/body;
	proxy_temp_path {{ .Dir }}/proxy;
	fastcgi_temp_path {{ .Dir }}/fastcgi;
	uwsgi_temp_path {{ .Dir }}/uwsgi;
	scgi_temp_path {{ .Dir }}/scgi;
	upstream workspace { server {{ .Upstream }}; keepalive 256; keepalive_requests 100000000; }
	proxy_http_version 1.1;
	proxy_set_header Connection "";
{{ range .Servers }}
{{- if .Asks }}
	upstream {{ .Name }} { server {{ .Asks }}; keepalive 256; keepalive_requests 100000000; }
{{- end }}
	server {
		listen {{ .Listen }} reuseport;
		location / {
			{{- if .Asks }}
			auth_request /auth;
			{{- end }}
			proxy_pass http://workspace;
		}
		{{- if .Asks }}
		location = /auth {
			internal;
			proxy_pass http://{{ .Name }}{{ .AskPath }};
			proxy_pass_request_body off;
			proxy_set_header Content-Length "";
			proxy_set_header Connection "";
			proxy_set_header X-Original-Method $request_method;
			proxy_set_header X-Original-URI $request_uri;
		}
		{{- end }}
	}
{{ end }}}
`))

func writeTemplate(t *template.Template, path string, values map[string]any) error {
	var text strings.Builder
	if err := t.Execute(&text, values); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
