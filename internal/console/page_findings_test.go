package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/findings"
)

// post sends a form, as a page of ours makes a browser do.
func post(t *testing.T, s console.Source, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Host = "localhost:2020"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	options := console.Options{Loopback: true, User: func(*http.Request) string { return "operator" }}
	console.New(s, options).ServeHTTP(w, r)
	return w
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	s := full(t, "analyst@example.com")
	book := s.workspaces[0].Findings
	open := book.Report(findings.Filter{State: findings.New}).Findings
	if len(open) == 0 {
		t.Fatal("there is no finding")
	}
	key := open[0].Key
	w := post(t, s, "/findings/acknowledge", url.Values{"key": {key}, "note": {"until the migration"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/findings" {
		t.Fatalf("%d %v\n%s", w.Code, w.Header(), w.Body)
	}
	known := book.Report(findings.Filter{State: findings.Acknowledged}).Findings
	if len(known) != 1 || known[0].Key != key || known[0].Acknowledged.By != "operator" || known[0].Acknowledged.Note != "until the migration" {
		t.Errorf("acknowledged: %+v", known)
	}
	again := url.Values{"key": {key}, "note": {"until the migration"}, "back": {"token=0&owner=*%40example.com&page=//elsewhere.example.com&state="}}
	if w := post(t, s, "/findings/acknowledge", again); w.Header().Get("Location") != "/findings?owner=%2A%40example.com&token=0" {
		t.Errorf("the filter is lost: %v", w.Header())
	}
	if body := get(t, s, "/findings?state=new&kind=unscoped").Body.String(); !strings.Contains(body, `No finding matches. <a href="/findings">`) {
		t.Errorf("got %s", body)
	}
	if body := get(t, s, "/findings").Body.String(); !strings.Contains(body, "until the migration") {
		t.Errorf("the page lacks the note:\n%s", body)
	}
}

func TestAcknowledgeWrong(t *testing.T) {
	t.Parallel()
	edge := full(t, "text")
	edge.workspaces[0].Findings = nil
	for _, test := range []struct {
		name   string
		source *source
		form   url.Values
		status int
		has    string
	}{
		{"no key", full(t, "text"), nil, 400, "name the finding by its key"},
		{"unknown key", full(t, "text"), url.Values{"key": {"unscoped:x"}}, 400, "there is no finding with this key"},
		{"a long note", full(t, "text"), url.Values{"key": {"unscoped:x"}, "note": {strings.Repeat("x", 1001)}}, 400, "keep it short"},
		{"a form that is too long", full(t, "text"), url.Values{"key": {strings.Repeat("x", 20<<10)}}, 400, "the form cannot be read"},
		{"no findings", edge, url.Values{"key": {"unscoped:x"}}, 404, "findings are off"},
		{"no workspace", new(source), url.Values{"key": {"unscoped:x"}}, 404, "findings are off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := post(t, test.source, "/findings/acknowledge", test.form)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.has) || !complete(w.Body.String()) {
				t.Errorf("%d, want %d and %q\n%s", w.Code, test.status, test.has, w.Body)
			}
		})
	}
}
