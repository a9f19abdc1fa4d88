package mapfiles

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/scopes"
)

// TestCandidate: what would be refused is compared all the same, and a note says why it would
// be.
func TestCandidate(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	bundle := func(basedOn, made time.Time) string {
		content, err := mapbundle.Write(scopes.Default(), basedOn, made)
		if err == nil {
			content, err = mapbundle.Sign(content, keyOf("a"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	good := bundle(scopes.Date(), made)
	now := func() time.Time { return made }
	files := Files{Bundle: "map.tsv", Keys: []mapbundle.PublicKey{keyOf("a").Public()}, Now: now}
	for _, test := range []struct {
		name    string
		files   Files
		content string
		note    string
	}{
		{"a good bundle", files, good, ""},
		{"routes", files, "GET\t/api/2.0/x\tsql\n", ""},
		{"routes with a byte order mark", files, "\ufeffGET\t/api/2.0/x\tsql\n", ""},
		{"older than the one in force", files, bundle(scopes.Date(), made.Add(-time.Second)), "before the one in force"},
		{"based on an older map", files, bundle(scopes.Date().AddDate(0, 0, -1), made), "and this scopegate ships that of"},
		{"signed by another key", Files{Bundle: "map.tsv", Keys: []mapbundle.PublicKey{keyOf("b").Public()}, Now: now}, good, "by none of the keys"},
		{"unsigned", files, good[:strings.LastIndex(good, "# signature")], "unsigned or cut off"},
		{"no option map", Files{}, good, "no option map"},
		{"a byte order mark", files, "\ufeff" + good, "something stands before its first line"},
		{"a blank line", files, "\n" + good, "something stands before its first line"},
	} {
		catalog, note, err := test.files.Candidate(&Map{Base: scopes.Default(), Made: made}, []byte(test.content), "x")
		if err != nil || catalog == nil || (note == "") != (test.note == "") || !strings.Contains(note, test.note) {
			t.Errorf("%s: note %q, %v", test.name, note, err)
		}
	}
}
