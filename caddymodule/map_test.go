package caddymodule_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/scopes"
)

const goldenMap = "testdata/map.tsv"

// goldenKey signs the bundle that golden files name.
func goldenKey() mapbundle.PrivateKey {
	seed := sha256.Sum256([]byte("golden"))
	return mapbundle.PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
}

// TestGoldenMap holds that the bundle that golden files name can be read. With -update it
// writes the bundle.
func TestGoldenMap(t *testing.T) {
	rows, err := scopes.Parse(strings.NewReader("GET\t/api/2.2/jobs/list\tjobs\tdocumented\tjobs.List\ta test\n"), "rows")
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := scopes.New(rows)
	if err != nil {
		t.Fatal(err)
	}
	// Older than the shipped map, which is used then: a later date would be in the future.
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	content, err := mapbundle.Write(catalog, day, day)
	if err != nil {
		t.Fatal(err)
	}
	if content, err = mapbundle.Sign(content, goldenKey()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(goldenMap, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(goldenMap); err != nil || string(got) != string(content) {
		t.Errorf("%s, want %s; %v", got, content, err)
	}
}

// TestValidateMap: what adapts may still not be usable, and the message says what to do.
func TestValidateMap(t *testing.T) {
	key := goldenKey().Public().String()
	folder := t.TempDir()
	unsigned := folder + "/unsigned.tsv"
	content, err := os.ReadFile(goldenMap)
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.LastIndex(string(content), "# signature")
	if err := os.WriteFile(unsigned, content[:cut], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, of, want string }{
		{"good", `{"file":"` + goldenMap + `","keys":["` + key + `"]}`, ""},
		{"no file", `{"keys":["` + key + `"]}`, "map needs a file"},
		{"no key", `{"file":"x"}`, "map needs a key"},
		{"an empty key", `{"file":"x","keys":[""]}`, "map has an empty key"},
		{"another key", `{"file":"` + goldenMap + `","keys":["GdtQk6Aj8L6KYNuFNmQwGJbNYGQ4w8mBGHmPjh8EwaI="]}`, "reading map: " + goldenMap + ": its signature is by none of the keys"},
		{"a key that is a path", `{"file":"` + goldenMap + `","keys":["nowhere.pem"]}`, "reading key 1 of map"},
		{"unsigned", `{"file":"` + unsigned + `","keys":["` + key + `"]}`, "it is unsigned or cut off"},
		{"no such file", `{"file":"nowhere.tsv","keys":["` + key + `"]}`, "reading map: open nowhere.tsv"},
		{"an unknown field", `{"file":"x","key":"y"}`, "unknown field"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := validateHandler(t, `{"workspace":"https://example.cloud.databricks.com","map":`+test.of+`}`)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
