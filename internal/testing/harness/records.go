package harness

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Records waits for n audit records and returns them. A record is written when its
// request has ended, which may be after the client has the response.
func (g *Gateway) Records(t testing.TB, n int) []map[string]any {
	t.Helper()
	var records []map[string]any
	WaitFor(t, "enough audit lines", func() bool {
		records = g.ReadRecords(t)
		return len(records) >= n
	})
	return records
}

// ReadRecords returns the audit records so far.
func (g *Gateway) ReadRecords(t testing.TB) []map[string]any {
	t.Helper()
	return ReadRecords(t, g.AuditLog)
}

// ReadRecords returns the audit records in a file, none if it does not exist.
func ReadRecords(t testing.TB, name string) []map[string]any {
	t.Helper()
	file, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var records []map[string]any
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var record map[string]any
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			if strings.HasSuffix(lines.Text(), "}") {
				t.Fatalf("audit line is not JSON: %v", err)
			}
			break // still being written
		}
		records = append(records, record)
	}
	return records
}
