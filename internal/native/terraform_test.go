package native

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// parseAttributes reads attributes as Terraform would, and returns them as JSON.
func parseAttributes(t testing.TB, attributes hclsyntax.Attributes) []byte {
	t.Helper()
	object := make(map[string]json.RawMessage)
	for name, attribute := range attributes {
		value, diagnostics := attribute.Expr.Value(nil) // no variables, no functions
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		text, err := ctyjson.Marshal(value, value.Type())
		if err != nil {
			t.Fatal(err)
		}
		object[name] = text
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parseHCL(t testing.TB, text string) *hclsyntax.Body {
	t.Helper()
	file, diagnostics := hclsyntax.ParseConfig([]byte(text), "native.tf", hcl.InitialPos)
	if diagnostics.HasErrors() {
		t.Fatalf("%v\n%s", diagnostics, text)
	}
	return file.Body.(*hclsyntax.Body)
}

// TestTerraform: Terraform reads the policy that the JSON has, and comments for the rest.
func TestTerraform(t *testing.T) {
	t.Parallel()
	for name, d := range documents(t) {
		var out bytes.Buffer
		if err := d.WriteTerraform(&out); err != nil {
			t.Fatal(err)
		}
		body := parseHCL(t, out.String())
		if len(body.Blocks) != 1 || len(body.Attributes) != 0 {
			t.Fatalf("%s: it has %d blocks and %d attributes:\n%s", name, len(body.Blocks), len(body.Attributes), out.String())
		}
		block := body.Blocks[0]
		if got := block.Type + " " + strings.Join(block.Labels, " "); got != "resource databricks_account_network_policy scopegate_aaaaaaaa_and_1" {
			t.Errorf("%s: it is %s", name, got)
		}
		if diff := sameJSON(t, d.Policy.Body, parseAttributes(t, block.Body.Attributes)); diff != "" {
			t.Errorf("%s: %s\n%s", name, diff, out.String())
		}
		comments := strings.Join(strings.Fields(strings.ReplaceAll(out.String(), "\n#", " ")), " ")
		for _, part := range []string{
			d.Notes[0], "databricks_token has no scopes", "run: databricks token-management update-token-management " + tokenID("a") + " --json '",
			"- " + d.Notes[len(d.Notes)-1], d.Verdicts[0].String(),
		} {
			if !strings.Contains(comments, part) {
				t.Errorf("%s: it lacks %q:\n%s", name, part, out.String())
			}
		}
		if got := strings.Contains(out.String(), "# excluded_scopes needs"); got != (name == "allow others") {
			t.Errorf("%s: it speaks of excluded_scopes: %v", name, got)
		}
	}
}

// TestCommandStaysComment: a command from a gateway that lies cannot become Terraform.
func TestCommandStaysComment(t *testing.T) {
	t.Parallel()
	d := build(t, Options{}, subject(t, "a", etl, nil, op("GET /a jobs")))
	d.Tokens[0].Change.CLI = "x\nresource \"evil\" \"it\" {}\r\u2028resource \"evil\" \"it\" {}"
	d.Notes = append(d.Notes, "x\nlocals {}")
	var out bytes.Buffer
	if err := d.WriteTerraform(&out); err != nil {
		t.Fatal(err)
	}
	if body := parseHCL(t, out.String()); len(body.Blocks) != 1 {
		t.Errorf("it has %d blocks:\n%s", len(body.Blocks), out.String())
	}
}

// FuzzAttributes: every string arrives in Terraform as it is.
func FuzzAttributes(f *testing.F) {
	for _, text := range []string{"", "jobs", `"`, `\`, "${jobs}", "$${jobs}", "$$${x}", "%{ if true }", "%%{", "a\nb\r\tc", "\x00\x7f", "é\u2028", "\U0001f600", "$", "%", "${", "\\${a}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = cty.NormalizeString(text) // Terraform does it with all strings
		document, err := json.Marshal(map[string]any{"one": text, "object": map[string]any{"a": []any{text, "b"}, "n": 9007199254740993, "yes": true}, "list": []any{map[string]any{"x": text}, map[string]any{}}})
		if err != nil {
			t.Fatal(err)
		}
		o, err := decodeObject(document)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		writeAttributes(&out, o, "")
		got := parseAttributes(t, parseHCL(t, out.String()).Attributes)
		if diff := sameJSON(t, document, got); diff != "" {
			t.Errorf("%s\n%s", diff, out.String())
		}
		if !bytes.Contains(got, []byte("9007199254740993")) {
			t.Errorf("a number was rounded: %s", got)
		}
	})
}
