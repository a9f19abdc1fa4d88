package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/ocsftest"
)

// TestOutputOfEvents: with format ocsf, the lines of the output are events that the schema
// permits, without the token and the query. The log has the records as ever.
func TestOutputOfEvents(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	output := filepath.Join(t.TempDir(), "ocsf.jsonl")
	g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, fmt.Sprintf("audit {\nlog on\noutput file %s\nformat ocsf\n}", output)))
	token := g.Mint("jobs")
	g.Send(t, "GET", harness.JobsList+"?name=hush", harness.Bearer(token.Value))
	g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
	g.Send(t, "GET", harness.JobsList, nil)
	g.Admin(t, "GET", "/databricks_scopes/findings") // the admin's own token may do everything
	harness.WaitFor(t, "the event of a finding", func() bool {
		content, err := os.ReadFile(output)
		return err == nil && bytes.Contains(content, []byte(`"class_uid":2004`)) && bytes.Contains(content, []byte(`"types":["unscoped"]`))
	})
	harness.Stop(t)
	content, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for line := range bytes.Lines(content) {
		if err := ocsftest.Validate(line); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		for _, action := range []string{`"action":"Allowed"`, `"action":"Denied"`} {
			if bytes.Contains(line, []byte(action)) {
				actions = append(actions, action[len(`"action":`):])
			}
		}
	}
	if got := strings.Join(actions, " "); got != `"Allowed" "Denied" "Denied"` {
		t.Errorf("the events say %s:\n%s", got, content)
	}
	if bytes.Contains(content, []byte(token.Value)) || bytes.Contains(content, []byte("hush")) {
		t.Errorf("they say too much:\n%s", content)
	}
	if logged := len(g.ReadRecords(t)); logged != 3 {
		t.Errorf("the log has %d records", logged)
	}
}
