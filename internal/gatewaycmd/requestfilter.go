package gatewaycmd

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// secretsInTargets matches what may be secret in a request target: the query, anything
// that looks like a token, and a user name with a password.
const secretsInTargets = `\?.*|(dapi|dkea|dosa|dose|eyJ)[\w.-]{16,}|//[^/]*@`

// requestFilter returns a log encoder that removes queries, tokens and headers from the
// requests that Caddy logs: those with errors, and at the level DEBUG all requests to the
// workspace. Without it Caddy redacts only a few headers. Caddyfile.example has the same
// filter. Lines have the format of an encoder, or Caddy's for nil, and omit some fields.
func requestFilter(encoder map[string]string, omit ...string) json.RawMessage {
	remove := map[string]string{"filter": "delete"}
	hide := map[string]string{"filter": "regexp", "regexp": secretsInTargets, "value": "…"}
	fields := map[string]any{
		"request>uri":     hide,
		"request>method":  hide,
		"request>headers": remove,
		"headers":         remove,
		"resp_headers":    remove,
	}
	for _, name := range omit {
		fields[name] = remove
	}
	filter := map[string]any{"format": "filter", "fields": fields}
	if encoder != nil {
		filter["wrap"] = encoder
	}
	return caddyconfig.JSON(filter, nil)
}
