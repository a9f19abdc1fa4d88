package adminapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/tokens"
)

// clientOf returns a client of a fake gateway, which sends requests as Caddy's commands
// do: an answer that is an error becomes one.
func clientOf(t *testing.T, g Gateway) Client {
	server := serve(t, g)
	return Client{Address: "gateway:1", Do: func(address, method, uri string, _ http.Header, _ io.Reader) (*http.Response, error) {
		if address != "gateway:1" {
			t.Errorf("asked %s", address)
		}
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+uri, nil)
		if err != nil {
			return nil, err
		}
		answer, err := server.Client().Do(request)
		if err == nil && answer.StatusCode >= 400 {
			defer answer.Body.Close()
			text, _ := io.ReadAll(answer.Body)
			return nil, fmt.Errorf("caddy responded with error: HTTP %d: %s", answer.StatusCode, text)
		}
		return answer, err
	}}
}

func TestClient(t *testing.T) {
	gateway, known, _ := newFake()
	client := clientOf(t, gateway)
	first, second, absent := token(1).ID, token(2).ID, token(3).ID

	report, err := client.Report(ReportQuery{Format: "table", Owner: "one@*"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(report)
	if err != nil || !strings.Contains(string(text), first.String()[:12]) || strings.Contains(string(text), second.String()[:12]) {
		t.Errorf("report: %v\n%s", err, text)
	}
	if err := report.Close(); err != nil {
		t.Error(err)
	}

	ids, err := client.TokenIDs(workspaceURL)
	if err != nil || len(ids) != 2 || !slices.Contains(ids, first.String()) || !slices.Contains(ids, second.String()) {
		t.Errorf("ids: %v, %v", ids, err)
	}

	recommendation, err := client.Recommend(RecommendQuery{TokenID: first, Workspace: workspaceURL, Used: "90d"})
	if err != nil || recommendation.TokenID != first.String() || recommendation.Workspace != workspaceURL || !slices.Equal(recommendation.Scopes, []string{"jobs"}) {
		t.Errorf("recommendation: %+v, %v", recommendation, err)
	}

	if forgotten, err := client.Forget(first, ""); err != nil || forgotten != (Forgotten{Known: true}) || known.Len() != 1 {
		t.Errorf("forget: %+v, %v, %d tokens are left", forgotten, err, known.Len())
	}

	_, err = client.Recommend(RecommendQuery{TokenID: absent})
	if _, ok := errors.AsType[*RefusedError](err); !ok || err.Error() != "the gateway says: "+tokens.ErrUnknownToken.Error() {
		t.Errorf("refusal: %v", err)
	}
}

func TestClientErrors(t *testing.T) {
	answer := func(status int, body string) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
	}
	fails := func(text string) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, errors.New(text) }
	}
	for _, test := range []struct {
		name    string
		do      func() (*http.Response, error)
		says    string
		refused bool
	}{
		{"refusal as an error", fails(`caddy responded with error: HTTP 404: {"error":"no token: {x}"}`), "the gateway says: no token: {x}", true},
		{"refusal as an answer", answer(404, `{"error":"no token"}`), "the gateway says: no token", true},
		{"refusal that is not JSON", answer(404, "404 page not found"), "asking the gateway at gateway:1: HTTP 404: 404 page not found", false},
		{"refusal without a message", answer(500, "{}"), "asking the gateway at gateway:1: HTTP 500: {}", false},
		{"unreachable", fails("connection refused"), "asking the gateway at gateway:1: connection refused", false},
		{"another server", answer(200, "<html>"), "asking the gateway at gateway:1: reading the answer: invalid character", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := Client{Address: "gateway:1", Do: func(string, string, string, http.Header, io.Reader) (*http.Response, error) { return test.do() }}
			_, err := client.TokenIDs("")
			if err == nil || !strings.HasPrefix(err.Error(), test.says) {
				t.Fatalf("got %v, want %q", err, test.says)
			}
			_, refused := errors.AsType[*RefusedError](err)
			_, unreachable := errors.AsType[*UnreachableError](err)
			if refused != test.refused || unreachable == refused {
				t.Errorf("%T", err)
			}
		})
	}
}
