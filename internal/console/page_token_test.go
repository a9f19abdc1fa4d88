package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/tokens"
)

func TestToken(t *testing.T) {
	t.Parallel()
	s := many(t, 30)
	body := get(t, s, "/tokens/"+tokenID(t, 25).String()).Body.String()
	for _, has := range []string{
		"<title>Token 000000000000… – scopegate</title>", "owner-00025@example.com", "jobs.List", "never expires", "<h2 id=\"advice\">", "token-management", "--apply",
		`<rect class="used" x="`, "Download Terraform",
	} {
		if !strings.Contains(body, has) {
			t.Errorf("it lacks %s\n%s", has, body)
		}
	}
}

func TestTokenHostile(t *testing.T) {
	t.Parallel()
	w := get(t, full(t, hostile), "/tokens/"+token)
	for _, never := range []string{"<script>alert", secret, "\u202e", "\x1b", "ZgotmplZ", " style="} {
		if strings.Contains(w.Body.String(), never) {
			t.Errorf("it has %q", never)
		}
	}
	if w.Code != http.StatusOK || !complete(w.Body.String()) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestTokenFindings: what is wrong with a token stands on its page, whatever became of it, and
// tokens of owners who left can be listed.
func TestTokenFindings(t *testing.T) {
	t.Parallel()
	s := full(t, "analyst@example.com")
	book := s.workspaces[0].Findings
	if _, err := book.Acknowledge(t.Context(), findings.Acknowledge{Key: "owner_gone:" + token, By: "ops", Note: "<i>ask</i> her successor"}); err != nil {
		t.Fatal(err)
	}
	for path, has := range map[string][]string{
		"/tokens/" + token:         {"owner gone</li>", "<h2 id=\"findings\">", "owner gone <small>(high)", "acknowledged <small><bdi>by ops: &lt;i&gt;ask&lt;/i&gt; her successor"},
		"/tokens?owner_gone=true":  {"owner gone</li>", "1 of 1 tokens", "checked> belong"},
		"/tokens?owner_gone=false": {"1 of 1 tokens"},
	} {
		body := get(t, s, path).Body.String()
		for _, text := range has {
			if !strings.Contains(body, text) {
				t.Errorf("%s lacks %s\n%s", path, text, body)
			}
		}
	}
	s.workspaces[0].Findings = nil
	if body := get(t, s, "/tokens?owner_gone=true").Body.String(); !strings.Contains(body, "No token matches") {
		t.Errorf("got %s", body)
	}
	if body := get(t, s, "/tokens/"+token).Body.String(); strings.Contains(body, "id=\"findings\"") {
		t.Error("there are findings where there are none")
	}
}

func TestTokenMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, path string
		status     int
		says       string
	}{
		{"no id", "/tokens/jobs", http.StatusBadRequest, "is not the id of a token"},
		{"a secret", "/tokens/" + secret, http.StatusBadRequest, "is not the id of a token"},
		{"unknown", "/tokens/" + tokens.IDOf("another").String(), http.StatusNotFound, "another workspace"},
		{"policy of one that was not seen", "/tokens/" + token + "/native/json", http.StatusConflict, "no call that passed was seen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := get(t, full(t, "analyst@example.com"), test.path)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) || strings.Contains(w.Body.String(), secret) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestTokenNative(t *testing.T) {
	t.Parallel()
	s := many(t, 30)
	for form, has := range map[string]string{"json": `"network_policy"`, "terraform": `resource "databricks_account_network_policy"`} {
		w := get(t, s, "/tokens/"+tokenID(t, 25).String()+"/native/"+form)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), has) || !strings.Contains(w.Header().Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %d %v\n%s", form, w.Code, w.Header(), w.Body)
		}
	}
}
