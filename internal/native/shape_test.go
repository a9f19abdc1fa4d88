package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/settings"
	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/usage"
)

// decodeStrictly decodes JSON by a type of the SDK, whose own decoding ignores unknown fields.
func decodeStrictly(data []byte, to any) error {
	var raw any
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	if err := fits(reflect.TypeOf(to).Elem(), raw, "$"); err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// fits says which member of a value a type does not have, or which value an enumeration.
func fits(t reflect.Type, value any, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if enum, ok := reflect.New(t).Interface().(interface{ Set(string) error }); ok && t.Kind() == reflect.String {
		if err := enum.Set(fmt.Sprint(value)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	switch v := value.(type) {
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return fmt.Errorf("%s: an object for a %s", path, t)
		}
		for name, member := range v {
			field, ok := fieldOf(t, name)
			if !ok {
				return fmt.Errorf("%s: %s has no field %s", path, t, name)
			}
			if err := fits(field, member, path+"."+name); err != nil {
				return err
			}
		}
	case []any:
		if t.Kind() != reflect.Slice {
			return fmt.Errorf("%s: a list for a %s", path, t)
		}
		for _, member := range v {
			if err := fits(t.Elem(), member, path+"[]"); err != nil {
				return err
			}
		}
	}
	return nil
}

func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// sameJSON reports how two JSON documents differ.
func sameJSON(t *testing.T, a, b []byte) string {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return cmp.Diff(x, y)
}

// documents are some of each kind.
func documents(t *testing.T) map[string]*Document {
	t.Helper()
	one := subject(t, "a", etl, []string{"jobs", "sql", "scim"}, op("GET /a jobs"), op("POST /b sql"), op("GET /me any"))
	two := subject(t, "b", anna, nil, op("GET /a ai-gateway+unity-catalog"), op("GET /u unmapped"))
	return map[string]*Document{
		"dry run":      build(t, Options{}, one, two),
		"enforced":     build(t, Options{Enforce: true}, one, two),
		"allow others": build(t, Options{AllowOthers: true, Enforce: true}, one, two),
	}
}

// TestShape: the SDK's types have every field of a policy, and lose none.
func TestShape(t *testing.T) {
	t.Parallel()
	for name, d := range documents(t) {
		var policy settings.AccountNetworkPolicy
		if err := decodeStrictly(d.Policy.Body, &policy); err != nil {
			t.Errorf("%s: %v\n%s", name, err, d.Policy.Body)
		}
		again, err := json.Marshal(policy)
		if err != nil {
			t.Fatal(err)
		}
		if diff := sameJSON(t, d.Policy.Body, again); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(policy.NetworkPolicyId) > 32 {
			t.Errorf("the id %s is too long", policy.NetworkPolicyId)
		}
	}
	var policy settings.AccountNetworkPolicy
	for _, wrong := range []string{`{"ingres": {}}`, `{"ingress": {"public_access": {"restriction_mode": "SOME"}}}`, `{"ingress": {"public_access": {"allow_rules": [{"path": "/"}]}}}`} {
		if decodeStrictly([]byte(wrong), &policy) == nil {
			t.Errorf("%s passes", wrong)
		}
	}
}

// TestTokenRequest: the change of a token is what the SDK sends for the same scopes.
func TestTokenRequest(t *testing.T) {
	t.Parallel()
	d := documents(t)["dry run"]
	change := d.Tokens[0].Change
	if change == nil {
		t.Fatal("there is no change")
	}
	var request settings.UpdateTokenManagementRequest
	if err := json.Unmarshal(change.Body, &request); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if diff := sameJSON(t, change.Body, again); diff != "" {
		t.Error(diff)
	}
	if got := strings.Join(request.Token.Scopes, " "); got != "jobs sql" || change.Path != "/api/2.0/token-management/tokens/"+tokenID("a") {
		t.Errorf("it sets %s at %s", got, change.Path)
	}
}

// TestJSON: programs can read the document, and find the same policy and verdicts.
func TestJSON(t *testing.T) {
	t.Parallel()
	for name, d := range documents(t) {
		var out bytes.Buffer
		if err := d.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		var read struct {
			Workspace string   `json:"workspace"`
			Mode      string   `json:"mode"`
			Notes     []string `json:"notes"`
			Tokens    []struct {
				ID     string        `json:"token_id"`
				Owner  Principal     `json:"owner"`
				Scopes []string      `json:"scopes"`
				Change *usage.Change `json:"change"`
			} `json:"tokens"`
			Policy   Request   `json:"network_policy"`
			Verdicts []Verdict `json:"verdicts"`
		}
		decoder := json.NewDecoder(&out)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d.Verdicts, read.Verdicts); diff != "" || len(read.Verdicts) != 5 {
			t.Errorf("%s: %d verdicts, %s", name, len(read.Verdicts), diff)
		}
		if diff := sameJSON(t, d.Policy.Body, read.Policy.Body); diff != "" || len(read.Notes) == 0 || len(read.Tokens) != 2 {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestNotes: what the mechanisms cannot express is said.
func TestNotes(t *testing.T) {
	t.Parallel()
	for name, says := range map[string][]string{
		"dry run": {
			"the policy only logs; enforced, it would refuse everyone", "only reads jobs: GET and HEAD", "jobs:read",
			"rules know no paths: its rule allows the whole API", "look for them in the log of a dry run: GET /me", "no single tokens",
			"private_access", "other tokens, OAuth",
		},
		"enforced":     {"once attached to a workspace, the policy refuses everyone"},
		"allow others": {"everyone else passes", "which deny rules cannot express", "so no rule confines it"},
	} {
		notes := strings.Join(documents(t)[name].Notes, "\n")
		for _, part := range says {
			if !strings.Contains(notes, part) {
				t.Errorf("%s: it lacks %q:\n%s", name, part, notes)
			}
		}
	}
	strange := build(t, Options{}, subject(t, "a", etl, nil, op("GET /a no-such-scope")))
	if notes := strings.Join(strange.Notes, "\n"); !strings.Contains(notes, "no-such-scope is in no list of scopes") {
		t.Errorf("it lacks the unknown scope:\n%s", notes)
	}
}
