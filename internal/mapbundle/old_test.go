package mapbundle

import (
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// TestBundleWithoutAccess: a bundle from before rows said whether they read is read as it
// was, and everything in it counts as a write.
func TestBundleWithoutAccess(t *testing.T) {
	t.Parallel()
	const old = `# scopegate map bundle 1
# based on: 2026-01-01
# made: 2026-01-01T00:00:00Z
# catalog: 9ba5c65f2f84
# method	template	any_of	evidence	operation	source
GET	/api/2.2/jobs/list	jobs	documented	jobs.List	a test
# signature: ed25519 FX7p8WOvhzfbYFeAdvkSoxkpS5aPysUpu6UrNViXyIl33g91Ghjvgk+5HkMAFJ3/dTrL1tElvcXXECTLz06XDg==
`
	bundle, err := Read([]byte(old), "old.tsv")
	if err != nil {
		t.Fatal(err)
	}
	readings, err := bundle.Catalog.Read("GET", "/api/2.2/jobs/list", nil)
	if err != nil {
		t.Fatal(err)
	}
	if o := readings[0].Operation; o.Effect != scopes.Unclassed || o.Reads() || o.Needs() != "jobs" {
		t.Errorf("got %+v", o)
	}
}
