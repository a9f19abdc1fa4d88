package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// withFindings gives the gateway's workspace a book, in which the second token is unscoped.
func withFindings(t *testing.T, g *fakeGateway) {
	t.Helper()
	book := findings.NewBook(findings.Options{Workspace: workspaceURL, Now: func() time.Time { return now }})
	book.Keep(findings.Settings{Input: func(ctx context.Context) (findings.Input, error) {
		report, state := g.workspaces[0].Report(ctx, now)
		return findings.Input{Report: report, Drift: usage.NewDrift(state.Lessons, scopes.Default(), now)}, nil
	}})
	t.Cleanup(book.Close)
	g.workspaces[0].Findings = book
}

func TestFindings(t *testing.T) {
	first, second := token(1).ID.String(), token(2).ID.String()
	for _, test := range []struct {
		name, target string
		change       func(*fakeGateway, *fakeTokens, *fakeUsage)
		status       int
		says, lacks  []string
	}{
		{name: "all", target: "findings", status: 200, says: []string{"unscoped:" + second, "never_expires:" + first, `"new": 3`, "scopegate scopes revoke " + first[:12]}},
		{name: "a table", target: "findings?format=table", status: 200, says: []string{"3 new, 0 acknowledged", "unscoped:" + second[:12] + " "}},
		{name: "CSV", target: "findings?format=csv", status: 200, says: []string{"key,kind,severity", "unscoped:" + second}},
		{name: "another format", target: "findings?format=xml", status: 400, says: []string{"json, csv or table"}},
		{name: "a kind", target: "findings?kind=unscoped", status: 200, says: []string{second}, lacks: []string{first}},
		{name: "no such kind", target: "findings?kind=unscopd", status: 400, says: []string{"unknown kind", "did you mean unscoped?"}},
		{name: "a state", target: "findings?state=resolved", status: 200, lacks: []string{first, second}},
		{name: "no such state", target: "findings?state=old", status: 400, says: []string{"unknown state"}},
		{name: "an owner", target: "findings?owner=one@*", status: 200, says: []string{first}, lacks: []string{second}},
		{name: "a token", target: "findings?token_id=" + second[:8], status: 200, says: []string{second}, lacks: []string{first}},
		{name: "a misspelled parameter", target: "findings?sate=new", status: 400, says: []string{"did you mean state?"}},
		{name: "without the list", target: "findings", change: fail, status: 200, says: []string{"stay as they were", "the workspace is down"}, lacks: []string{first}},
		{name: "another workspace", target: "findings?workspace=https://x.example.com", status: 404, says: []string{"no databricks_scopes handler"}},
		{name: "off", target: "findings", change: func(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) { g.workspaces[0].Findings = nil }, status: 404, says: []string{"the option findings is off"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, known, seen := newFake()
			withFindings(t, g)
			if test.change != nil {
				test.change(g, known, seen)
			}
			status, body := do(t, serve(t, g), http.MethodGet, test.target)
			if status != test.status {
				t.Errorf("%d %s", status, body)
			}
			checkText(t, body, test.says, test.lacks)
		})
	}
}

func TestAcknowledge(t *testing.T) {
	key := "unscoped:" + token(2).ID.String()
	g, _, _ := newFake()
	withFindings(t, g)
	server := serve(t, g)
	if status, body := do(t, server, http.MethodGet, "findings"); status != 200 {
		t.Fatal(status, body)
	}
	for _, test := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"no JSON", "key", 400, "not JSON"},
		{"an empty body", "", 400, "not JSON"},
		{"a member twice", `{"key":"` + key + `","note":"a","note":"b"}`, 400, "the same name"},
		{"a misspelled member", `{"key":"` + key + `","notes":"a"}`, 400, "unknown field"},
		{"no key", `{"note":"a"}`, 400, "by its key"},
		{"an unknown key", `{"key":"unscoped:0"}`, 404, "no finding with this key"},
		{"a time that has passed", `{"key":"` + key + `","until":"2020-01-01T00:00:00Z"}`, 400, "has passed"},
		{"a time that is none", `{"key":"` + key + `","until":"soon"}`, 400, "reading the body"},
		{"a long note", `{"key":"` + key + `","note":"` + strings.Repeat("x", 1001) + `"}`, 400, "more than 1000 characters"},
		{"a long body", `{"key":"` + strings.Repeat("x", maxAcknowledge) + `"}`, 413, "more than 16 KiB"},
		{"all of it", `{"key":"` + key + `","by":"ops","note":"why","until":"2026-12-31T00:00:00Z"}`, 200, `"state":"acknowledged"`},
		{"once more", `{"key":"` + key + `"}`, 200, `"state":"acknowledged"`},
	} {
		status, body := send(t, server.URL+Prefix+"findings/acknowledge", test.body)
		if status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
	}
	if status, body := do(t, server, http.MethodGet, "findings?state=acknowledged"); status != 200 || !strings.Contains(body, key) {
		t.Errorf("afterwards: %d %s", status, body)
	}
	if status, _ := do(t, server, http.MethodGet, "findings/acknowledge"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}
}

func send(t *testing.T, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(content)
}

// TestFindingsClient asks as commands do.
func TestFindingsClient(t *testing.T) {
	g, _, _ := newFake()
	withFindings(t, g)
	server := serve(t, g)
	client := Client{Address: "x", Do: func(_, method, uri string, _ http.Header, body io.Reader) (*http.Response, error) {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+uri, body)
		if err != nil {
			return nil, err
		}
		return http.DefaultClient.Do(request)
	}}
	report, err := client.Findings(FindingsQuery{Kind: "unscoped", State: "new", Workspace: workspaceURL})
	if err != nil || len(report.Findings) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	f, err := client.Acknowledge("", findings.Acknowledge{Key: report.Findings[0].Key, Note: "why"})
	if err != nil || f.State != findings.Acknowledged || f.Acknowledged.Note != "why" {
		t.Errorf("%+v, %v", f, err)
	}
	var refused *RefusedError
	if _, err := client.Acknowledge("", findings.Acknowledge{Key: "x"}); !errors.As(err, &refused) {
		t.Error(err)
	}
	text, err := client.FindingsReport(FindingsQuery{Format: "json", State: "acknowledged"})
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	if err := json.NewDecoder(text).Decode(&report); err != nil || len(report.Findings) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}
