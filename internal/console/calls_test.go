package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/recent"
	"github.com/scopegate/scopegate/scopes"
)

// called records a call so long ago, of the token of [full] unless it names another.
func called(s *source, i int, ago time.Duration, change func(*audit.Record)) {
	r := &audit.Record{
		Time: now.Add(-ago), RequestID: requestID(i), Method: "GET", Path: "/api/2.0/x", TokenID: token, Outcome: audit.Answered, Status: 200,
		Judgement: judge.Judgement{Decision: judge.Allow, Reason: policy.Permitted, Enforced: true, Operation: &scopes.Operation{Name: "clusters.List"}},
	}
	if change != nil {
		change(r)
	}
	s.ring.Put(r)
}

// without returns full without its decisions.
func without(t *testing.T) *source {
	t.Helper()
	s := full(t, "analyst@example.com")
	s.ring = recent.New(recent.Size, s.Now)
	return s
}

func TestCalls(t *testing.T) {
	t.Parallel()
	refusedCall := func(r *audit.Record) {
		r.Decision, r.Reason, r.Status = judge.Deny, policy.MissingScope, http.StatusForbidden
	}
	another := func(r *audit.Record) { r.TokenID = tokenID(t, 2).String() }
	for _, test := range []struct {
		name       string
		put        func(*source)
		has, lacks []string
	}{
		{"none", func(*source) {}, []string{"This gateway has no decision in memory.", "None of them is of this token."}, []string{"bins of 5 minutes", "/why?id="}},
		{"none of this token", func(s *source) { called(s, 1, time.Minute, another) },
			[]string{"reaches back to 2026-03-04 12:29:00 UTC", "None of them is of this token."}, []string{"bins of 5 minutes", "/why?id="}},
		{"one, in memory that reaches back further", func(s *source) { called(s, 2, 2*time.Hour, another); called(s, 1, time.Minute, nil) }, []string{
			"reaches back to 2026-03-04 10:30:00 UTC", `<a href="/why?id=` + requestID(1) + `"><time datetime="2026-03-04T12:29:00Z">`, "from 11:35",
			`<rect class="used" x="100" y="0" width="8" height="24"/>`, `<span class="hidden">12:25: 1</span>`, `<rect class="unknown" x="0" y="0" width="0"`,
		}, []string{"are not in memory", requestID(2)}},
		{"refused, and passed", func(s *source) {
			called(s, 1, 21*time.Minute, nil)
			called(s, 2, 20*time.Minute, nil)
			called(s, 3, 3*time.Minute, refusedCall)
			called(s, 4, 3*time.Minute, nil)
		}, []string{
			"Calls from before 12:09:00 are not in memory", `<rect class="unknown" x="0" y="0" width="60"`, `<span class="hidden">12:05: 1, 12:10: 1, 12:25: 2</span>`,
			`<rect class="used" x="100" y="0" width="8" height="12"/><rect class="refused" x="100" y="12" width="8" height="12"/>`,
			`<td class="number">4</td>` + "\n" + `<td class="number">1</td>`, "missing_scope",
		}, nil},
		{"before the hour, and a clock that was set back", func(s *source) { called(s, 1, 56*time.Minute, nil); called(s, 2, -6*time.Minute, nil) },
			[]string{requestID(1), requestID(2)}, []string{"bins of 5 minutes"}},
		{"not read, and going on", func(s *source) {
			called(s, 1, time.Minute, func(r *audit.Record) { r.Operation, r.Outcome, r.Status = nil, audit.Open, 0 })
		}, []string{`<th scope="row">–</th>`, `<td class="number"></td>`}, nil},
		{"many", func(s *source) {
			for i := range 40 {
				called(s, i, time.Minute, func(r *audit.Record) { r.Operation = &scopes.Operation{Name: fmt.Sprintf("operation-%02d", i)} })
			}
		}, []string{requestID(39), requestID(20), "operation-00", "operation-19", "and 20 operations more"}, []string{requestID(19)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := without(t)
			test.put(s)
			w := get(t, s, "/tokens/"+token)
			body := w.Body.String()
			if w.Code != http.StatusOK || !complete(body) {
				t.Fatalf("%d\n%s", w.Code, body)
			}
			for _, has := range test.has {
				if !strings.Contains(body, has) {
					t.Errorf("it lacks %s\n%s", has, body)
				}
			}
			for _, lacks := range test.lacks {
				if strings.Contains(body, lacks) {
					t.Errorf("it has %s\n%s", lacks, body)
				}
			}
		})
	}
}

// TestCallsHostile: clients choose paths and, where it is not valid, perhaps more.
func TestCallsHostile(t *testing.T) {
	t.Parallel()
	s := without(t)
	called(s, 1, time.Minute, func(r *audit.Record) {
		r.Path, r.Method, r.RequestID, r.Reason = hostile, hostile, hostile, policy.Reason(hostile)
		r.Operation = &scopes.Operation{Name: hostile}
	})
	body := get(t, s, "/tokens/"+token).Body.String()
	for _, never := range []string{"<script>alert", secret, "\u202e", "\x1b", "ZgotmplZ", " style=", "%!"} {
		if strings.Contains(body, never) {
			t.Errorf("it has %q", never)
		}
	}
	if !complete(body) || !strings.Contains(body, "bins of 5 minutes") {
		t.Errorf("%s", body)
	}
}
