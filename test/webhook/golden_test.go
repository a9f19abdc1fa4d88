package webhook_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/scopegate/scopegate/internal/webhook"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden sends testdata/<configuration>-<case>.review.json, and compares the patch
// with the .patch.json beside it and the patched Pod with the .pod.json. Another
// implementation of RFC 6902 than the webhook's applies the patch.
func TestGolden(t *testing.T) {
	t.Parallel()
	reviews, err := filepath.Glob("testdata/*.review.json")
	if err != nil || len(reviews) < 4 {
		t.Fatal(reviews, err)
	}
	for _, path := range reviews {
		name := strings.TrimSuffix(filepath.Base(path), ".review.json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, _, _ := strings.Cut(name, "-")
			w := start(t, newFiles(t, read(t, config+".yaml")), webhook.Deny)
			review := read(t, name+".review.json")
			got := w.post(t, review)
			if !got.Response.Allowed || got.Response.UID != "705ab4f5-6393-11e8-b7cc-42010a800002" || got.Response.PatchType != "JSONPatch" {
				t.Fatalf("%+v", got)
			}
			compare(t, name+".patch.json", got.Response.Patch)
			patched := patch(t, podOf(t, review), got.Response.Patch)
			compare(t, name+".pod.json", patched)

			again := w.post(t, with(t, review, patched))
			if !again.Response.Allowed || again.Response.Patch != nil || again.Response.PatchType != "" {
				t.Errorf("a second review changes the Pod: %+v %s", again, again.Response.Patch)
			}
		})
	}
}

// TestWarnings: a container that goes around the gateway is left by default, and said.
func TestWarnings(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "secret.yaml")), webhook.Deny)
	got := w.post(t, read(t, "secret-full.review.json"))
	if len(got.Response.Warnings) != 1 || !strings.Contains(got.Response.Warnings[0], "the container direct sets DATABRICKS_HOST itself") {
		t.Errorf("warnings: %q", got.Response.Warnings)
	}
	const reads = `{"metadata":{"labels":{"scopegate.io/inject":"true"}},"spec":{"containers":[{"name":"c","envFrom":[{"secretRef":{"name":"databricks-admin"}}]}]}}`
	got = w.post(t, with(t, read(t, "secret-plain.review.json"), []byte(reads)))
	if len(got.Response.Warnings) != 1 || !strings.Contains(got.Response.Warnings[0], "reads the Secret databricks-admin itself") {
		t.Errorf("warnings: %q", got.Response.Warnings)
	}
}

// podOf returns the Pod in a review.
func podOf(t *testing.T, review string) []byte {
	t.Helper()
	var r struct {
		Request struct{ Object json.RawMessage }
	}
	if err := json.Unmarshal([]byte(review), &r); err != nil {
		t.Fatal(err)
	}
	return r.Request.Object
}

// with returns a review with another Pod.
func with(t *testing.T, review string, pod []byte) string {
	t.Helper()
	return change(t, review, func(request map[string]any) { request["object"] = json.RawMessage(pod) })
}

// change returns a review with a changed request.
func change(t *testing.T, review string, edit func(request map[string]any)) string {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal([]byte(review), &r); err != nil {
		t.Fatal(err)
	}
	edit(r["request"].(map[string]any))
	changed, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(changed)
}

func patch(t *testing.T, pod, operations []byte) []byte {
	t.Helper()
	decoded, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := decoded.Apply(pod)
	if err != nil {
		t.Fatalf("%v\n%s", err, operations)
	}
	return patched
}

// compare holds JSON to a golden file.
func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	var value any
	if err := json.Unmarshal(got, &value); err != nil {
		t.Fatal(err)
	}
	pretty, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	pretty = append(pretty, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		write(t, path, string(pretty))
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err, "; make it with go test -update")
	}
	if !bytes.Equal(want, pretty) {
		t.Errorf("%s differs; see go test -update\n%s", path, pretty)
	}
}
