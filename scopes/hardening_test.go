package scopes

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/golden"
)

// A disguise is an attack by a client whose scopes permit everything below base,
// but not target: it disguises target as a path below base.
type disguise struct {
	name   string
	held   []string
	base   string
	method string
	target string
}

var disguises = []disguise{
	{"files to secrets", []string{"files"}, "/api/2.0/fs/files/Volumes/a/b/c", "GET", "/api/2.0/secrets/get"},
	{"files to tokens", []string{"files", "sql"}, "/api/2.0/fs/directories/Volumes/a", "DELETE", "/api/2.0/token-management/tokens/1"},
	{"driver proxy to tokens", []string{"clusters"}, "/driver-proxy-api/o/1/2-3/8787", "POST", "/api/2.0/token/create"},
	{"nothing to jobs", nil, "/oidc/x", "POST", "/api/2.2/jobs/run-now"},
	{"gateway to warehouses", []string{"ai-gateway"}, "/ai-gateway/mlflow/v1", "POST", "/api/2.0/sql/statements"},
	{"traces to grants", []string{"mlflow"}, "/api/2.0/mlflow/traces", "PATCH", "/api/2.1/unity-catalog/permissions/table/a.b.c"},
	{"workspace files to people", []string{"workspace"}, "/api/2.0/workspace-files/Users/me", "PUT", "/api/2.0/preview/scim/v2/Users/7"},
}

// TestHardening tries every trick of testdata/path-tricks.tsv with every disguise, more
// than 1,500 paths.
func TestHardening(t *testing.T) {
	t.Parallel()
	c := Default()
	tricks, tried := golden.PathTricks(t), 0
	for _, d := range disguises {
		if !allowed(c, d.held, d.method, d.base+"/x") {
			t.Fatalf("%s: a path below base is refused", d.name)
		}
		plain, err := c.Read(d.method, d.target, nil)
		if err != nil || len(plain) != 1 || plain[0].Operation.Unmapped() || plain[0].Operation.Permits(d.held) {
			t.Fatalf("%s: the target is %v, %v", d.name, plain, err)
		}
		for _, trick := range tricks {
			path, applies := golden.Disguise{Base: d.base, Target: d.target}.Write(trick.Form)
			if !applies {
				continue
			}
			tried++
			readings, err := c.read(d.method, path, nil, toTheEnd)
			if trick.Reading != golden.ReadsHarmless && allowed(c, d.held, d.method, path) {
				t.Errorf("%s, %s: %q is permitted: %v", d.name, trick.Name, path, readings)
				continue
			}
			var bad *PathError
			if errors.As(err, &bad) && strings.ContainsAny(bad.Reason, "%/\\") {
				t.Errorf("%s, %s: the reason %q quotes the path", d.name, trick.Name, bad.Reason)
			}
			hit := slices.ContainsFunc(readings, func(r Reading) bool { return r.Operation == plain[0].Operation })
			switch {
			case trick.Reading == golden.ReadsMalformed && err == nil:
				t.Errorf("%s, %s: %q is read as %v", d.name, trick.Name, path, readings)
			case trick.Reading == golden.ReadsTarget && !hit:
				t.Errorf("%s, %s: %q is not read as the target: %v, %v", d.name, trick.Name, path, readings, err)
			case trick.Reading == golden.ReadsHarmless && hit:
				t.Errorf("%s, %s: %q is read as the target", d.name, trick.Name, path)
			case trick.Reading == golden.ReadsRefused && err != nil:
				t.Errorf("%s, %s: %q: %v", d.name, trick.Name, path, err)
			}
		}
	}
	if tried < 1500 {
		t.Errorf("%d paths tried", tried)
	}
}

// TestMethodSpellings checks that no spelling of a method permits more than the
// method itself.
func TestMethodSpellings(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, method := range []string{"post", "Post", "POST ", " POST", "POST\x00", "", "*", "POS", "POSTS", "GET,POST", "TRACE", "CONNECT", "TRACK", "DEBUG", "PROPFIND", "M-SEARCH", "OPTIONS", "GET POST", "ПОСТ"} {
		for _, path := range []string{"/api/2.0/token/create", "/api/2.2/jobs/run-now", "/api/2.0/secrets/put"} {
			if allowed(c, []string{"sql", "files", "clusters", "workspace"}, method, path) {
				t.Errorf("%q %s is permitted", method, path)
			}
		}
	}
}
