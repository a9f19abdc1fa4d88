package recent

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

func TestLatest(t *testing.T) {
	t.Parallel()
	g := New(Size, time.Now)
	put := func(id string, outcome audit.Outcome, owner string) {
		g.Put(&audit.Record{RequestID: id, Outcome: outcome, Owner: owner})
	}
	put("a", audit.Open, "one")
	put("b", audit.Answered, "two")
	put("c", audit.Open, "one")
	put("a", audit.Answered, "one")
	put("d", audit.Answered, "one")
	all := func(*audit.Record) bool { return true }
	one := func(r *audit.Record) bool { return r.Owner == "one" }
	for _, test := range []struct {
		name    string
		n       int
		matches func(*audit.Record) bool
		want    string
	}{
		{"all", 10, all, "dacb"},
		{"some", 10, one, "dac"},
		{"the newest two", 2, all, "da"},
		{"none", 10, func(*audit.Record) bool { return false }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			for _, r := range g.Latest(test.n, test.matches) {
				got += r.RequestID
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if latest := (*Ring)(nil).Latest(1, all); latest != nil {
		t.Errorf("no ring holds %v", latest)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	var counted Classes
	for _, j := range []judge.Judgement{
		{Decision: judge.Allow}, {Decision: judge.Deny, Enforced: true}, {Decision: judge.Deny}, {Decision: judge.Deny, Enforced: true, Reason: policy.AuditUnavailable},
	} {
		counted.Count(&audit.Record{Judgement: j})
	}
	if counted != (Classes{1, 1, 1, 1}) {
		t.Errorf("%+v", counted)
	}
}
