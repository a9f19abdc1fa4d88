package cli

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestReportAndRecommendAsk(t *testing.T) {
	id := strings.Repeat("ab", 32)
	for _, test := range []struct{ name, args, asked string }{
		{"report", "report", "/databricks_scopes/usage?format=table"},
		{"filters", "report --unscoped --no-expiry --unused 30d --expiring 14d --owner a* --sort last --format csv -w https://w.example.com",
			"/databricks_scopes/usage?expiring=14d&format=csv&no_expiry=true&owner=a%2A&sort=last&unscoped=true&unused=30d&workspace=https%3A%2F%2Fw.example.com"},
		{"recommend", "recommend " + id, "/databricks_scopes/recommend?format=json&token_id=" + id},
		{"recommend by recent use", "recommend " + id + " --used 90d --workspace w.example.com", "/databricks_scopes/recommend?format=json&token_id=" + id + "&used=90d&workspace=w.example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := ""
			out, err := run(t, func(address, method, uri string, _ http.Header, _ io.Reader) (*http.Response, error) {
				asked = address + " " + method + " " + uri
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"token_id":"x"}`))}, nil
			}, "", append(strings.Fields(test.args), "--address", "gateway:1")...)
			if err != nil || asked != "gateway:1 GET "+test.asked {
				t.Errorf("%v\nasked %s\n%s", err, asked, out)
			}
		})
	}
}

func TestGatewayFails(t *testing.T) {
	id := strings.Repeat("ab", 32)
	refusing := func(string, string, string, http.Header, io.Reader) (*http.Response, error) {
		return nil, errors.New(`caddy responded with error: HTTP 400: {"error":"unused must be a duration"}`)
	}
	for _, args := range [][]string{{"report"}, {"recommend", id}, {"recommend", id[:12]}, {"revoke", id[:12]}} {
		if out, err := run(t, unreachable, "", args...); err == nil || !strings.Contains(out, "asking the gateway at localhost:9: connection refused (name its admin API with --address; ") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		if out, err := run(t, refusing, "", args...); err == nil || err.Error() != "the gateway says: unused must be a duration" {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if out, err := run(t, unreachable, "", "recommend", id, "--yes"); err == nil || !strings.Contains(out, "--yes goes with --apply") {
		t.Errorf("--yes alone: %v\n%s", err, out)
	}
}
