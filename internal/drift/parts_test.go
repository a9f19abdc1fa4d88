package drift

import (
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// TestPartsRefused: a write to a path for all methods that needs the whole scope is what the
// row says.
func TestPartsRefused(t *testing.T) {
	t.Parallel()
	o := &scopes.Operation{Method: "*", Template: "/sql/1.0/warehouses/{warehouse_id}", AnyOf: []string{"sql"}, Name: "thrift.Warehouse"}
	if got := Refused(o, []string{"sql:read"}, Named{Scopes: []string{"sql"}}); got != Agreed {
		t.Errorf("got %v", got)
	}
	if got := Passed(o, []string{"sql:read"}); got != Agreed {
		t.Errorf("a read passed: %v", got)
	}
}
