package caddymodules

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// LeftOut are the directives of Caddy that a gateway does not have. They are an error that says
// so, in place of one that takes them for misspelt.
var LeftOut = []string{"acme_server", "file_server", "php_fastcgi", "push", "templates", "try_files"}

func init() {
	for _, directive := range LeftOut {
		httpcaddyfile.RegisterHandlerDirective(directive, func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
			h.Next()
			return nil, h.Errf("this scopegate is built without %s; build a Caddy that has it and scopegate: xcaddy build --with github.com/scopegate/scopegate", directive)
		})
	}
}
