package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/history"
)

// prometheusOf returns a Prometheus server that answers so.
func prometheusOf(t *testing.T, answer http.HandlerFunc) *history.Prometheus {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := history.New(history.Settings{URL: address}, new(source).Now)
	t.Cleanup(p.Close)
	return p
}

// getFrom asks for a page of a source with a history.
func getFrom(t *testing.T, s console.Source, past *history.Prometheus, path string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Host = "localhost:2020"
	w := httptest.NewRecorder()
	console.New(s, console.Options{Loopback: true, History: past}).ServeHTTP(w, r)
	return w
}

// say answers with a text.
func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	at := now.Unix()
	counted := fmt.Sprintf(`{"status":"success","data":{"resultType":"matrix","result":[
		{"metric":{"decision":"allow","mode":"enforce"},"values":[[%d,"70"],[%d,"7"]]},
		{"metric":{"decision":"deny","reason":"missing_scope","mode":"observe","job":"\"><script>alert(1)</script>"},"values":[[%d,"NaN"],[%d,"3"]]}]}}`,
		at-600, at, at-600, at)
	const (
		none = `{"status":"success","data":{"resultType":"matrix","result":[]}}`
		hour = "Decisions in the last hour"
		help = "This is the last hour of this gateway."
	)
	for _, test := range []struct {
		name, path, answer string
		has                []string
	}{
		{"the last hour", "/", counted, []string{hour, `<a href="/" aria-current="true">1 hour</a>`, `<a href="/?period=7d">7 days</a>`, `hx-get="/"`, "Decisions per minute<"}},
		{"a period that is none", "/?period=%22%3E%3Cscript%3Ealert(1)", counted, []string{hour, `<a href="/" aria-current="true">`}},
		{"6 hours", "/?period=6h", counted, []string{
			"Decisions in the last 6 hours", `<a href="/?period=6h" aria-current="true">6 hours</a>`, `hx-get="/?period=6h"`, "allowed</a></dt><dd>77</dd>",
			"would be refused</a></dt><dd>3</dd>", "Decisions per 5 minutes, of all gateways that Prometheus scrapes, until 12:30. It knows nothing from before 2026-03-04 12:15",
			`>2026-03-04 12:25</time></th><td class="number">7</td><td class="number">0</td><td class="number">3</td>`, "Top refusals in the last hour", "missing_scope",
		}},
		{"7 days", "/?period=7d", none, []string{"Decisions in the last 7 days", "Prometheus counted no request in the last 7 days."}},
		{"wrong", "/?period=24h", "<script>alert(1)</script>", []string{hour, "Prometheus: the answer is not one of Prometheus; check the URL. " + help, `hx-get="/?period=24h"`, `aria-current="true">24 hours`}},
		{"hostile", "/?period=24h", `{"status":"error","errorType":"<script>alert(1)","error":"` + secret + `"}`, []string{hour, "it answered with an error", help, "Decisions per minute<"}},
		{"huge", "/?period=24h", strings.Repeat(" ", 5<<20), []string{hour, "larger than 4 MiB", help}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := getFrom(t, full(t, "analyst@example.com"), prometheusOf(t, say(test.answer)), test.path)
			body := w.Body.String()
			if w.Code != http.StatusOK || !complete(body) {
				t.Fatalf("%d\n%s", w.Code, body)
			}
			for _, has := range test.has {
				if !strings.Contains(body, has) {
					t.Errorf("it lacks %s\n%s", has, body)
				}
			}
			for _, never := range []string{"<script>alert", secret, "ZgotmplZ", " style="} {
				if strings.Contains(body, never) {
					t.Errorf("it has %q", never)
				}
			}
		})
	}
}

// TestNoPrometheus: without one there is nothing to choose.
func TestNoPrometheus(t *testing.T) {
	t.Parallel()
	body := get(t, full(t, "analyst@example.com"), "/?period=6h").Body.String()
	if strings.Contains(body, "period=") || !strings.Contains(body, "Decisions in the last hour") {
		t.Errorf("%s", body)
	}
}
