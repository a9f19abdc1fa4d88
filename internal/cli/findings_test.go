package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/findings"
)

// findingsGateway is a gateway with findings. It notes what it is asked.
type findingsGateway struct {
	report findings.Report
	asked  []string
}

func (g *findingsGateway) do(_, method, uri string, _ http.Header, body io.Reader) (*http.Response, error) {
	said := ""
	if body != nil {
		content, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		said = " " + string(content)
	}
	g.asked = append(g.asked, method+" "+strings.TrimPrefix(uri, "/databricks_scopes/")+said)
	answer := any(g.report)
	if method == http.MethodPost {
		answer = g.report.Findings[0]
	}
	content, err := json.Marshal(answer)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(content)))}, err
}

func twoFindings() findings.Report {
	return findings.Report{Findings: []findings.Finding{
		{Key: "unscoped:3f2a81c0", Kind: findings.Unscoped, State: findings.New, Text: "it may do everything"},
		{Key: "unscoped:3f2a99", Kind: findings.Unscoped, State: findings.New},
	}}
}

func TestFindingsAsk(t *testing.T) {
	for _, test := range []struct {
		name, args string
		report     findings.Report
		asked      []string
		fails      string
	}{
		{"all", "findings", twoFindings(), []string{"GET findings?format=table"}, ""},
		{"filters", "findings --state new --kind unused --owner a* --token 3f2a --format csv -w w.example.com", twoFindings(),
			[]string{"GET findings?format=csv&kind=unused&owner=a%2A&state=new&token_id=3f2a&workspace=w.example.com"}, ""},
		{"fail on new", "findings --kind unscoped --state acknowledged --fail-on new", twoFindings(),
			[]string{"GET findings?format=table&kind=unscoped&state=acknowledged", "GET findings?format=json&kind=unscoped&state=new"}, "2 findings are new"},
		{"nothing new", "findings --fail-on new", findings.Report{}, []string{"GET findings?format=table", "GET findings?format=json&state=new"}, ""},
		{"fail on something else", "findings --fail-on old", twoFindings(), nil, "--fail-on must be new"},
		{"an argument", "findings unscoped", twoFindings(), nil, `unknown command "unscoped"`},
		{"no key", "findings acknowledge", twoFindings(), nil, "name one finding or more"},
		{"an ambiguous key", "findings acknowledge unscoped:3f2a", twoFindings(), []string{"GET findings?format=json"}, "several keys begin with"},
		{"an unknown key", "findings acknowledge unscoped:3f2a81 unscoped:5", twoFindings(), []string{"GET findings?format=json"}, "no finding that holds has a key that begins with"},
		{"a wrong end", "findings acknowledge unscoped:3f2a8 --until soon", twoFindings(), nil, "--until must be a date"},
		{"acknowledge", "findings acknowledge unscoped:3f2a8… unscoped:3f2a99 --by ops --note why", twoFindings(), []string{
			"GET findings?format=json",
			`POST findings/acknowledge {"key":"unscoped:3f2a81c0","by":"ops","note":"why"}`,
			`POST findings/acknowledge {"key":"unscoped:3f2a99","by":"ops","note":"why"}`,
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &findingsGateway{report: test.report}
			out, err := run(t, g.do, "", append(strings.Fields(test.args), "--address", "gateway:1")...)
			if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%v\n%s", err, out)
			}
			if strings.Join(g.asked, "\n") != strings.Join(test.asked, "\n") {
				t.Errorf("asked\n%s\nwant\n%s", strings.Join(g.asked, "\n"), strings.Join(test.asked, "\n"))
			}
		})
	}
}

func TestUntil(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"30d":                  now.Add(30 * 24 * time.Hour),
		"2026-12-31":           time.Date(2026, 12, 31, 0, 0, 0, 0, time.Local),
		"2026-12-31T10:00:00Z": time.Date(2026, 12, 31, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := parseUntil(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"-1d", "0d", "31.12.2026", "never"} {
		if got, err := parseUntil(text, now); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func TestCompleteFindings(t *testing.T) {
	for line, want := range map[string]string{
		"findings --state ":               "new acknowledged resolved",
		"findings --kind owner":           "owner_gone",
		"findings --fail-on ":             "new",
		"findings --format ":              "table json csv",
		"findings acknowledge ":           "",
		"findings acknowledge x --until ": "30d 90d",
	} {
		if got := strings.Join(complete(t, strings.Split(line, " ")...), " "); got != want {
			t.Errorf("%q is completed by %q, want %q", line, got, want)
		}
	}
}

// TestHelpFits: the help of both commands, without the flags that all commands explain, fits a
// screen.
func TestHelpFits(t *testing.T) {
	cmd := findingsCommand(Deps{})
	for _, one := range append(cmd.Commands(), cmd) {
		own := strings.Replace(one.Long, adapterHelp+addressHelp, "", 1)
		if n := strings.Count(strings.TrimSpace(own), "\n") + strings.Count(one.Example, "\n"); n > 22 {
			t.Errorf("%s has %d lines", one.Name(), n)
		}
	}
}
