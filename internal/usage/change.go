package usage

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Change is a request that sets a token's scopes, and the equivalent commands. The
// workspace takes up to ten minutes to apply it.
type Change struct {
	Scopes []string `json:"scopes"`
	// Method, Path and Body are the request. It needs a workspace administrator's
	// credential.
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
	// CLI is the command for the Databricks CLI 1.2.0 and later, see
	// databricks/cli:cmd/workspace/token-management/token-management.go. AnyCLI is
	// for older ones, which do not have that command.
	CLI    string `json:"cli"`
	AnyCLI string `json:"any_cli"`
}

// NewChange returns the request that gives a token scopes. It returns nil for an empty list,
// which Databricks takes for everything, and for an invalid id, because it goes into a command
// line.
func NewChange(id string, scopes []string) *Change {
	if len(scopes) == 0 || !isID(id) {
		return nil
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(changeBody{Token: changeScopes{scopes}, UpdateMask: "scopes"}); err != nil {
		return nil // a struct of strings always encodes
	}
	data := bytes.TrimSpace(body.Bytes())
	// Scopes come from outside. JSON can escape a quote in a way that shells ignore.
	quoted := "'" + strings.ReplaceAll(string(data), "'", `\u0027`) + "'"
	path := "/api/2.0/token-management/tokens/" + id
	return &Change{
		Scopes: scopes, Method: "PATCH", Path: path, Body: data,
		CLI:    "databricks token-management update-token-management " + id + " --json " + quoted,
		AnyCLI: "databricks api patch " + path + " --json " + quoted,
	}
}

type changeBody struct {
	Token      changeScopes `json:"token"`
	UpdateMask string       `json:"update_mask"`
}

type changeScopes struct {
	Scopes []string `json:"scopes"`
}
