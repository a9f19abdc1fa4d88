package auditlog

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/scopes"
)

func TestReader(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte("packed\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var r Reader
	var lines []string
	for _, log := range []string{"one\n\n two \r\n", packed.String(), strings.Repeat("x", maxLine+1) + "\nlast"} {
		if err := r.Read(strings.NewReader(log), func(text []byte) { lines = append(lines, string(text)) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(lines, "|"); got != "one||two||packed||last" || r.Lines != 5 || r.TooLong != 1 {
		t.Errorf("%q, %d lines, %d too long", got, r.Lines, r.TooLong)
	}
	if err := r.Read(bytes.NewReader(packed.Bytes()[:20]), func([]byte) {}); err == nil {
		t.Error("a file that ends early is complete")
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const start = `{"msg":"decision","arrived":1772366400.25,"decision":"allow","enforced":true,"request_id":"x",`
	for _, test := range []struct {
		name, line string
		ok         bool
		learned    bool
		access     scopes.Access
	}{
		{"a row", start + `"reason":"permitted","operation":"jobs.List","required_scopes":["jobs"]}`, true, false, scopes.ScopedAccess},
		{"any scope", start + `"reason":"permitted","operation":"iam.CurrentUser.Me"}`, true, false, scopes.AnyScope},
		{"public", start + `"reason":"public_route","operation":"x"}`, true, false, scopes.Public},
		{"account", start + `"reason":"account_level_operation","operation":"x"}`, true, false, scopes.AccountOnly},
		{"learned", start + `"reason":"permitted","operation":"jobs.List","required_scopes":["jobs"],"evidence":"learned"}`, true, true, scopes.ScopedAccess},
		{"another message", strings.Replace(start, "decision", "handled request", 1) + `"reason":"permitted"}`, false, false, 0},
		{"no time", strings.Replace(start, "1772366400.25", `"soon"`, 1) + `"reason":"permitted"}`, false, false, 0},
		{"cut", start, false, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, ok := Parse([]byte(test.line))
			switch {
			case ok != test.ok:
				t.Fatalf("a decision: %t", ok)
			case !ok:
			case d.ByLearned != test.learned, d.Operation.Access != test.access, d.Judgement.Decision != judge.Allow, !d.Time.Equal(time.UnixMilli(1772366400250)):
				t.Errorf("%+v", d)
			}
		})
	}
}
