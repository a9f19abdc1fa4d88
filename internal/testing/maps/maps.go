// Package maps makes catalogs for tests.
package maps

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// With returns the shipped catalog with rows over it, in the form of a routes file.
func With(t testing.TB, rows string) *scopes.Catalog {
	t.Helper()
	parsed, err := scopes.Parse(strings.NewReader(rows), "rows")
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := scopes.Default().With(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}
