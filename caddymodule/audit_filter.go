package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// secretsInTargets matches what may be secret in the target of a request: its query,
// what looks like a token, and a user with password.
const secretsInTargets = `\?.*|(dapi|dkea|dosa|dose|eyJ)[\w.-]{16,}|//[^/]*@`

// RequestFilter is a log encoder that leaves queries, tokens and headers out of the
// requests which Caddy's own lines quote: those about errors, and at the level DEBUG
// those about every request to the workspace. Caddy itself leaves out Authorization
// and Cookie only. Caddyfile.example has the same for Caddyfiles.
func RequestFilter() json.RawMessage {
	remove := map[string]string{"filter": "delete"}
	hide := map[string]string{"filter": "regexp", "regexp": secretsInTargets, "value": "…"}
	return caddyconfig.JSON(map[string]any{
		"format": "filter",
		"fields": map[string]any{
			"request>uri":     hide,
			"request>method":  hide,
			"request>headers": remove,
			"headers":         remove,
			"resp_headers":    remove,
		},
	}, nil)
}
