package findings

import (
	"reflect"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/ocsf"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later := since.Add(time.Hour)
	f := Finding{
		Key: "unscoped:ab", Workspace: "https://one.example.com", Kind: Unscoped, TokenID: "ab", Owner: "o", Text: "text", Do: "do",
		Since: since, Resolved: later, Acknowledged: &Acknowledgment{At: later},
	}
	for _, test := range []struct {
		change   Change
		severity Severity
		want     ocsf.Finding
	}{
		{ChangeNew, High, ocsf.Finding{State: ocsf.FindingNew, Severity: ocsf.High, Changed: since}},
		{ChangeAcknowledged, Medium, ocsf.Finding{State: ocsf.FindingAcknowledged, Severity: ocsf.Medium, Changed: later}},
		{ChangeResolved, Low, ocsf.Finding{State: ocsf.FindingResolved, Severity: ocsf.Low, Changed: later}},
	} {
		want := test.want
		want.Key, want.Workspace, want.Kind, want.TokenID, want.Owner = f.Key, f.Workspace, "unscoped", f.TokenID, f.Owner
		want.Text, want.Do, want.Since = f.Text, f.Do, since
		f.Severity = test.severity
		if got := f.Event(test.change); !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, want %+v", test.change, *got, want)
		}
	}
}
