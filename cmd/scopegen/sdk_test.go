package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/scopegate/scopegate/scopes"
)

// fakeSDK writes an SDK with one service, whose impl.go has the functions given.
func fakeSDK(t *testing.T, funcs string, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("workspace_client.go", "package databricks\ntype WorkspaceClient struct {\n\tZoo zoo.ZooInterface\n\tKeepers *zoo.KeepersAPI\n}\n")
	write("account_client.go", "package databricks\ntype AccountClient struct {\n\tAccountZoo zoo.AccountZooInterface\n}\n")
	write("service/zoo/model.go", `package zoo

type Request struct {
	// The animal.
	AnimalId string
	// Resource name of the cage. Format: zoos/{zoo_id}/cages/{cage_id}.
	Name string
	// Resource name of the thing, without a format.
	Thing Thing
	// The keeper.
	KeeperId string
	Path string
}

type Bare struct {
	// The name of the operation resource.
	Name string
	// The animal.
	AnimalId string
	// The pack.
	Parent string
	// The herd.
	HerdName string
	// The animal's own name.
	AnimalName string
}

type Thing struct {
	// The full resource path of the thing.
	Name string
}
`)
	write("service/zoo/impl.go", "package zoo\n\nimport \"net/http\"\n\n"+funcs)
	for i := 0; i < len(files); i += 2 {
		write(files[i], files[i+1])
	}
	return dir
}

func method(iface, name, path string) string {
	return fmt.Sprintf("func (a *%sImpl) %s(ctx context.Context, request Request) error {\n\tpath := %s\n\treturn a.client.Do(ctx, http.MethodGet, path, nil, nil, nil, nil)\n}\n\n", iface, name, path)
}

// bare is method for a request whose comments have no formats of names.
func bare(name, path string) string {
	return strings.ReplaceAll(method("zoo", name, path), "request Request", "request Bare")
}

func TestReadSDK(t *testing.T) {
	t.Parallel()
	dir := fakeSDK(t, method("zoo", "List", `"/api/2.0/animals"`)+
		method("zoo", "internalListAll", `fmt.Sprintf("/api/2.0/animals/%v/all", request.AnimalId)`)+
		method("zoo", "Two", `fmt.Sprintf("/api/2.0/animals/%v/of/%v", request.AnimalId, request.AnimalId)`)+
		method("zoo", "File", `fmt.Sprintf("/api/2.0/files%v", httpclient.EncodeMultiSegmentPathParameter(request.Path))`)+
		method("keepers", "Cage", `fmt.Sprintf("/api/2.0/%v:clean", request.Name)`)+
		// The path in front of these names lists or creates what they name.
		bare("Named", `fmt.Sprintf("/api/2.0/animals/%v", request.Name)`)+
		bare("NamedToo", `fmt.Sprintf("/api/2.0/animals/%v:feed", request.AnimalName)`)+
		bare("Decided", `fmt.Sprintf("/api/2.0/zoo/%v:cancel", request.Name)`)+
		bare("Plain", `fmt.Sprintf("/api/2.0/settings/%v", request.HerdName)`)+
		bare("Deep", `fmt.Sprintf("/api/2.0/zoo/herds/%v", request.HerdName)`)+
		bare("NoName", `fmt.Sprintf("/api/2.0/keeping/%v", request.AnimalId)`)+
		method("accountZoo", "Get", `fmt.Sprintf("/api/2.0/accounts/%v/zoo/%v", a.client.ConfiguredAccountID(), request.AnimalId)`),
		"service/zoo/ext.go", "package zoo\n\nfunc (a *ZooAPI) Extra(ctx context.Context) error {\n\treturn a.zooImpl.client.Do(ctx, \"POST\", \"/api/2.0/extra\", nil, nil, nil, nil)\n}\n",
		"service/zoo/impl_test.go", "package zoo\n\nvar path = \"/api/2.0/only/in/a/test\"\n",
		"internal/x/impl.go", "package x\n\nvar path = \"/api/2.0/only/internal\"\n")
	names, err := readNames("zoo.Decided\toperations/{operation_id}\tnote\nzoo.Plain\t-\tnote\n")
	if err != nil {
		t.Fatal(err)
	}
	calls, err := readSDK(dir, names)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range calls {
		got = append(got, fmt.Sprintf("%s %s %s %v %v", c.name(), c.verb, c.template, c.account, c.generated))
	}
	want := []string{
		"zoo.Extra POST /api/2.0/extra false false",
		"zoo.List GET /api/2.0/animals false true",
		"zoo.ListAll GET /api/2.0/animals/{animal_id}/all false true",
		"zoo.Two GET /api/2.0/animals/{animal_id}/of/{animal_id2} false true",
		"zoo.File GET /api/2.0/files/{path...} false true",
		"zoo.Keepers.Cage GET /api/2.0/zoos/{zoo_id}/cages/{cage_id}:clean false true",
		"zoo.Named GET /api/2.0/animals/{name} false true",
		"zoo.NamedToo GET /api/2.0/animals/{animal_name}:feed false true",
		"zoo.Decided GET /api/2.0/zoo/operations/{operation_id}:cancel false true",
		"zoo.Plain GET /api/2.0/settings/{herd_name} false true",
		"zoo.Deep GET /api/2.0/zoo/herds/{herd_name} false true",
		"zoo.NoName GET /api/2.0/keeping/{animal_id} false true",
		"zoo.AccountZoo.Get GET /api/2.0/accounts/{account_id}/zoo/{animal_id} true true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestReadSDKRefuses checks that the generator never skips what it cannot read.
func TestReadSDKRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, funcs, names, says string }{
		{"path from a function", method("zoo", "X", `makePath()`), "", "neither a string nor fmt.Sprintf"},
		{"path from a field", method("zoo", "X", `request.Path`), "", "neither a string nor fmt.Sprintf"},
		{"concatenated path", method("zoo", "X", `"/api/2.0/" + request.AnimalId`), "", "neither a string nor fmt.Sprintf"},
		{"path from a parameter", "func (a *zooImpl) X(ctx context.Context, path string) error {\n\treturn a.client.Do(ctx, http.MethodGet, path)\n}\n", "", "has 0 values"},
		{"path changed", "func (a *zooImpl) X(ctx context.Context, request Request) error {\n\tpath := \"/api/2.0/a\"\n\tif true {\n\t\tpath = \"/api/2.0/b\"\n\t}\n\treturn a.client.Do(ctx, http.MethodGet, path)\n}\n", "", "has 2 values"},
		{"other verb in the format", method("zoo", "X", `fmt.Sprintf("/api/2.0/%s", request.AnimalId)`), "", "%v"},
		{"too few arguments", method("zoo", "X", `fmt.Sprintf("/api/2.0/%v/%v", request.AnimalId)`), "", "1 arguments"},
		{"part from a function", method("zoo", "X", `fmt.Sprintf("/api/2.0/%v", escape(request.AnimalId))`), "", "comes from an unknown call"},
		{"part from a variable", method("zoo", "X", `fmt.Sprintf("/api/2.0/%v", id)`), "", "not a field of the request"},
		{"parameter within a segment", method("zoo", "X", `fmt.Sprintf("/api/2.0/x-%v", request.AnimalId)`), "", "middle of a segment"},
		{"several segments in the middle", method("zoo", "X", `fmt.Sprintf("/api/2.0/x%v/y", httpclient.EncodeMultiSegmentPathParameter(request.Path))`), "", "cannot be matched"},
		{"method from a variable", "func (a *zooImpl) X(ctx context.Context, m string) error {\n\treturn a.client.Do(ctx, m, \"/api/2.0/a\")\n}\n", "", "the HTTP method"},
		{"resource name without a format", method("zoo", "X", `fmt.Sprintf("/api/2.0/%v", request.Thing.Name)`), "", "names.tsv"},
		{"plain parameter among resource names", method("zoo", "X", `fmt.Sprintf("/api/2.0/%v", request.Name)`) + method("zoo", "Y", `fmt.Sprintf("/api/2.0/%v", request.KeeperId)`), "", "has the same prefix as resource names such as zoos/{zoo_id}/cages/{cage_id}"},
		{"bare name after a service", bare("X", `fmt.Sprintf("/api/2.0/zoo/%v", request.Name)`) + method("zoo", "Y", `"/api/2.0/zoo/animals"`), "", "zoo.X at /api/2.0/zoo/{name} may be a resource name"},
		{"bare name with a verb", bare("X", `fmt.Sprintf("/api/2.0/zoo/%v:cancel", request.Name)`), "", "may be a resource name"},
		{"bare name before more", bare("X", `fmt.Sprintf("/api/2.0/zoo/%v/feed", request.Name)`), "", "may be a resource name"},
		{"bare name after a version", bare("X", `fmt.Sprintf("/api/2.0/%v", request.Name)`), "", "may be a resource name"},
		{"bare name after a service with a version of its own", bare("X", `fmt.Sprintf("/api/zoo/v1/%v", request.Name)`), "", "may be a resource name"},
		{"bare name in an account", bare("X", `fmt.Sprintf("/api/2.0/accounts/%v/zoo/%v", a.client.ConfiguredAccountID(), request.Name)`), "", "may be a resource name"},
		{"bare parent", bare("X", `fmt.Sprintf("/api/2.0/zoo/%v/animals", request.Parent)`), "", "parameter parent of zoo.X"},
		{"other name after a service", bare("X", `fmt.Sprintf("/api/2.0/zoo/%v", request.AnimalName)`), "", "parameter animal_name of zoo.X"},
		{"other name after a service with a version of its own", bare("X", `fmt.Sprintf("/api/zoo/v1/%v", request.HerdName)`), "", "parameter herd_name of zoo.X"},
		{"a line of names.tsv that was not filled in", method("zoo", "X", `"/api/2.0/a"`), "zoo.X\t?\tnote\n", "names.tsv:1: the format"},
		{"unused line of names.tsv", method("zoo", "X", `"/api/2.0/a"`), "zoo.Y\tys/{id}\tnote\n", "names.tsv:1"},
		{"path in no call", method("zoo", "X", `"/api/2.0/a"`) + "var other = \"/api/2.0/b\"\n", "", "outside any call"},
		{"account interface without an account", method("accountZoo", "X", `"/api/2.0/a"`), "", "names no account"},
		{"workspace interface with an account", method("zoo", "X", `fmt.Sprintf("/api/2.0/accounts/%v", a.client.ConfiguredAccountID())`), "", "names an account"},
		{"nothing", "", "", "has no operations"},
	} {
		t.Run(test.name, func(t *testing.T) {
			names, err := readNames(test.names)
			if err == nil {
				_, err = readSDK(fakeSDK(t, test.funcs), names)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want %q", err, test.says)
			}
		})
	}
}

// TestLinesToWrite checks that one run tells all lines that are missing, ready to paste.
func TestLinesToWrite(t *testing.T) {
	t.Parallel()
	dir := fakeSDK(t, bare("Get", `fmt.Sprintf("/api/2.0/zoo/%v", request.Name)`)+
		bare("Other", `fmt.Sprintf("/api/2.0/zoo/%v/feed", request.Name)`)+
		method("keepers", "Hire", `"/api/2.0/keepers"`)+method("keepers", "List", `fmt.Sprintf("/api/2.0/keepers/%v", request.KeeperId)`))
	_, err := tables{rules: "zoo.Get\tsql\tinferred\ts\nzoo.Other\tsql\tinferred\ts\n"}.generate(dir)
	want := "cmd/scopegen/names.tsv  (the format of the name, or - if it is one plain segment)\n" +
		"\tzoo.Get\t?\thow you know\n\tzoo.Other\t?\thow you know\n" +
		"cmd/scopegen/rules.tsv  (the scopes, as far as they are known, and how; the first rule that matches applies)\n" +
		"\tzoo.Keepers.*\tall-apis\tinferred\tnothing recorded\n"
	if diff := cmp.Diff(want, linesToWrite(explained(err, "x"))); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{"service/zoo/impl.go:", want, "then run: x"} {
		if text := explained(err, "x").Error(); !strings.Contains(text, part) {
			t.Errorf("%s\nlacks %q", text, part)
		}
	}
	// Errors that are not about missing lines name their own.
	if lines := linesToWrite(os.ErrNotExist); lines != "" {
		t.Errorf("got %q", lines)
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	dir := fakeSDK(t, method("zoo", "List", `"/api/2.0/animals"`)+method("zoo", "Get", `fmt.Sprintf("/api/2.0/animals/%v", request.AnimalId)`))
	good := tables{
		rules:    "zoo.*\tsql\tsibling\tdocumented animals\n",
		evidence: "GET\t/api/2.0/animals\tsql\tobserved\trecorded refusal, ref 1\nGET\t/api/2.0/animals\tsql\tdocumented\ta page\n",
		extra:    "POST\t/x\tjobs\tinferred\tx.Y\ta guess\n",
		access:   "POST /x\tread\tit only searches\n",
	}
	rows, err := good.generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []scopes.Operation{
		{Method: "GET", Template: "/api/2.0/animals", AnyOf: []string{"sql"}, Evidence: scopes.Documented, Name: "zoo.List", Source: "a page", Effect: scopes.Read},
		{Method: "GET", Template: "/api/2.0/animals/{animal_id}", AnyOf: []string{"sql"}, Evidence: scopes.Sibling, Name: "zoo.Get", Source: "documented animals", Effect: scopes.Read},
		{Method: "POST", Template: "/x", AnyOf: []string{"jobs"}, Evidence: scopes.Inferred, Name: "x.Y", Source: "a guess", Effect: scopes.Read, EffectReason: "it only searches"},
	}
	if diff := cmp.Diff(want, rows, cmpopts.IgnoreUnexported(scopes.Operation{})); diff != "" {
		t.Error(diff)
	}
	for _, test := range []struct {
		name   string
		change func(*tables)
		says   string
	}{
		{"no rule", func(t *tables) { t.rules = "zoo.List\tsql\tsibling\ts\n" }, "no rule covers zoo.Get"},
		{"unused rule", func(t *tables) { t.rules += "zoo.Gone\tsql\tinferred\ts\n" }, "rules.tsv:2"},
		{"rule below a more general one", func(t *tables) { t.rules += "zoo.Get\tjobs\tinferred\ts\n" }, "move it above"},
		{"sibling of nothing", func(t *tables) { t.evidence = "" }, "says sibling"},
		{"contradiction", func(t *tables) { t.evidence = strings.ReplaceAll(t.evidence, "\tsql\t", "\tjobs\t") }, "the rules give"},
		{"evidence about nothing", func(t *tables) { t.evidence += "GET\t/api/2.0/plants\tsql\tdocumented\ts\n" }, "not in the catalog"},
		{"unknown scope", func(t *tables) { t.extra = strings.ReplaceAll(t.extra, "jobs", "jbos") }, "unknown scope"},
		{"name twice", func(t *tables) { t.extra = strings.ReplaceAll(t.extra, "x.Y", "zoo.Get") }, "must need the same scopes"},
		{"row twice", func(t *tables) { t.extra = "GET\t/api/2.0/animals/{x}\tsql\tinferred\tx.Y\ts\n" }, "remove the line from extra.tsv"},
		{"account by rule, not by path", func(t *tables) { t.rules = "zoo.*\taccount\tinferred\ts\n" }, "account-level"},
		{"columns", func(t *tables) { t.rules = "zoo.*\tsql\n" }, "rules.tsv:1: 2 columns found"},
		{"bad evidence", func(t *tables) { t.rules = "zoo.*\tsql\tguess\ts\n" }, "rules.tsv:1: evidence"},
		{"unused line of access", func(t *tables) { t.access += "zoo.Gone\tread\tr\n" }, "access.tsv:2"},
		{"access without a reason", func(t *tables) { t.access = "x.Y\tread\t \n" }, "the reason is empty"},
		{"bad access", func(t *tables) { t.access = "x.Y\treads\tr\n" }, `access.tsv:1: access "reads"`},
		{"access in extra.tsv", func(t *tables) { t.extra = "POST\t/x\tjobs\tinferred\tx.Y\ts\tread\n" }, "write it in access.tsv"},
		{"a GET that sounds like writing", func(t *tables) { t.extra += "GET\t/y\tjobs\tinferred\tx.CreateY\ts\n" }, "add a line to access.tsv"},
		{"bad row", func(t *tables) { t.extra = "POST\tx\tjobs\n" }, "extra.tsv:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := good
			test.change(&changed)
			if _, err := changed.generate(dir); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want %q", err, test.says)
			}
		})
	}
	t.Run("one path for two operations", func(t *testing.T) {
		dir := fakeSDK(t, method("zoo", "List", `"/api/2.0/animals"`)+method("keepers", "List", `"/api/2.0/animals"`))
		if _, err := good.generate(dir); err == nil || !strings.Contains(err.Error(), "add the pair to twins") {
			t.Fatalf("got %v", err)
		}
	})
}
