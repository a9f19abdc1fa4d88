package native

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteTerraform writes the document as Terraform. Notes, verdicts, and what Terraform's provider
// cannot express, are comments.
func (d *Document) WriteTerraform(w io.Writer) error {
	policy, err := decodeObject(d.Policy.Body)
	if err != nil {
		return fmt.Errorf("reading the network policy: %w", err)
	}
	out := &strings.Builder{}
	for _, note := range d.Notes {
		comment(out, "- "+note)
	}
	for i := range d.Tokens {
		writeToken(out, &d.Tokens[i])
	}
	out.WriteString("\n")
	comment(out, "It needs a provider of the account: host, account_id and an account administrator.")
	if strings.Contains(string(d.Policy.Body), `"excluded_scopes"`) {
		comment(out, "excluded_scopes needs a version of the provider that has it: 1.128.0 did not. The API takes it.")
	}
	fmt.Fprintf(out, "resource \"databricks_account_network_policy\" %s {\n", quote(strings.ReplaceAll(d.policy.NetworkPolicyId, "-", "_")))
	writeAttributes(out, policy, "  ")
	out.WriteString("}\n\n")
	comment(out, "What the policy does to the calls that were seen:")
	for i := range d.Verdicts {
		comment(out, d.Verdicts[i].String())
	}
	_, err = io.WriteString(w, out.String())
	return err
}

// writeToken writes how a token gets its scopes. The provider's resource databricks_token cannot:
// it has no scopes, and it makes new tokens only.
func writeToken(out *strings.Builder, t *Token) {
	out.WriteString("\n")
	if t.Change == nil {
		comment(out, fmt.Sprintf("token %.8s: its scopes need no change.", t.ID))
		return
	}
	comment(out, fmt.Sprintf("token %.8s: the provider cannot set the scopes of a token that is there (databricks_token has no scopes and cannot import). As an administrator of the workspace, run:", t.ID))
	// In one line, so that it can be pasted, and so that nothing in it ends the comment.
	out.WriteString("#   " + printable(t.Change.CLI) + "\n")
}

// String says in a line what becomes of an operation.
func (v Verdict) String() string {
	word := "refuses"
	if v.Permitted {
		word = "permits"
	}
	what := strings.TrimSpace(v.Method + " " + v.Template)
	if v.Template == "" {
		what = "operations of which only the scopes are recorded"
	}
	text := fmt.Sprintf("%s %s (%d calls", word, what, v.Calls)
	if !v.Works {
		text += ", which do not count: refused, optional or too old"
	}
	text += ")"
	if len(v.Rules) > 0 {
		text += " by " + strings.Join(v.Rules, ", ")
	}
	if v.Doubt != "" {
		text += "; in doubt"
	}
	return text
}

// WriteJSON writes the document as JSON.
func (d *Document) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(d)
}
