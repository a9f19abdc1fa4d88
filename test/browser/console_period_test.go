package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestConsolePeriods: the Overview of a longer time keeps to the same rules, with its chart.
func TestConsolePeriods(t *testing.T) {
	b := Start(t)
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		start, _ := strconv.Atoi(q.Get("start"))
		end, _ := strconv.Atoi(q.Get("end"))
		step, _ := strconv.Atoi(q.Get("step"))
		if step == 0 || step == 600 { // 24 hours fail
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var values []string
		for at := start; at <= end; at += step {
			values = append(values, fmt.Sprintf(`[%d,"%d"]`, at, at/step%97))
		}
		all := strings.Join(values, ",")
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"decision":"allow"},"values":[%s]},
			{"metric":{"decision":"deny","mode":"enforce","reason":"<img src=x onerror=attacked=1>"},"values":[%s]}]}}`, all, all)
	}))
	t.Cleanup(prometheus.Close)
	g := harness.NewGateway(t, harness.StartWorkspace(t))
	address := harness.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	g.Load(t, harness.GatewayBlock(g.Workspace, "")+"\n}\nhttp://localhost:"+port+" {\nbind 127.0.0.1\ndatabricks_console {\nprometheus "+prometheus.URL+"\n}\n")
	c := &console{Gateway: g, Page: "http://localhost:" + port, http: harness.Client(t)}
	token := g.Mint("sql")
	for range 3 {
		g.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(token.Value))
	}
	for _, path := range []string{"/?period=6h", "/?period=24h", "/?period=7d", "/tokens/" + token.Info.TokenId} {
		t.Run(path, func(t *testing.T) { c.look(t, b, path, true) })
	}
	p := b.Open(t, c.Page+"/?period=7d")
	if !Eval[bool](t, p, `document.querySelectorAll("#overview .uplot").length === 1 && document.querySelectorAll("#overview figure tbody tr").length > 160`) {
		t.Error("there is no chart of 7 days")
	}
	const shown = `document.querySelector("#hour").innerText`
	Eval[bool](t, p, `window.same = true, document.getElementById("overview").dispatchEvent(new Event("refresh"))`)
	if got := Eval[string](t, p, shown); got != "Decisions in the last 7 days" {
		t.Errorf("brought up to date, it shows %q", got)
	}
}
