package usage

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Change sets a token's scopes: the request, and what to type instead of it. A
// change takes up to ten minutes to take effect at the workspace.
type Change struct {
	Scopes []string `json:"scopes"`
	// Method, Path and Body are the request, to be sent with a workspace
	// administrator's credential.
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
	// CLI is the call of the Databricks CLI 1.2.0 and later. The command's name
	// repeats that of its group, and all but the id is JSON; see
	// databricks/cli:cmd/workspace/token-management/token-management.go. AnyCLI is
	// the same for a CLI that does not have the command yet.
	CLI    string `json:"cli"`
	AnyCLI string `json:"any_cli"`
}

// newChange returns nil for an empty list, which Databricks takes for everything,
// and for an id that is none, since it goes into a command line.
func newChange(id string, scopes []string) *Change {
	if len(scopes) == 0 || !isID(id) {
		return nil
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(changeBody{Token: changeScopes{scopes}, UpdateMask: "scopes"}); err != nil {
		return nil // a struct of strings always has a JSON form
	}
	data := bytes.TrimSpace(body.Bytes())
	// Scopes come from outside. In JSON a quote has a form that no shell minds.
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
