package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestConsoleLive: the page Live shows decisions as they happen, and then those of
// a pause.
func TestConsoleLive(t *testing.T) {
	b := Start(t)
	c := startConsole(t, "")
	p := b.Open(t, c.Page+"/live?outcome=refused")
	says := func(text string) {
		t.Helper()
		harness.WaitFor(t, text, func() bool {
			return strings.Contains(Eval[string](t, p, `document.getElementById("live-status").textContent`), text)
		})
	}
	refuse := func() string {
		t.Helper()
		answer := c.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(c.Mint("sql").Value))
		if answer.StatusCode != http.StatusForbidden {
			t.Fatalf("%d %s", answer.StatusCode, answer.Body)
		}
		return answer.Header.Get("X-Request-Id")
	}
	shown := func(id string) bool {
		return Eval[bool](t, p, fmt.Sprintf(`!!document.getElementById("d-%s")`, id))
	}
	says("Following")
	first := refuse()
	harness.WaitFor(t, "the first decision", func() bool { return shown(first) })
	if !Eval[bool](t, p, `document.getElementById("live-none").hidden`) {
		t.Error("it says that there is none")
	}

	Eval[bool](t, p, `document.getElementById("live-pause").click(), true`)
	says("Paused")
	second := refuse()
	c.Send(t, http.MethodGet, harness.ClustersList, harness.Bearer(c.Mint("clusters").Value)) // filtered out
	if shown(second) {
		t.Error("it goes on while it is paused")
	}
	Eval[bool](t, p, `document.getElementById("live-pause").click(), true`)
	harness.WaitFor(t, "what happened meanwhile", func() bool { return shown(second) })
	if rows := Eval[int](t, p, `document.querySelectorAll("#live-rows tr").length`); rows != 2 {
		t.Errorf("it shows %d rows, want 2", rows)
	}
	if forbidden := p.Forbidden(t); len(forbidden) > 0 {
		t.Errorf("the policy forbade %s", strings.Join(forbidden, "\n"))
	}
}

// TestConsoleLiveSameID: a client that chooses one id for all of its requests cannot hide any, and
// of a request that goes on, the page shows only how it ended.
func TestConsoleLiveSameID(t *testing.T) {
	b := Start(t)
	c := startConsole(t, "audit {\nopen_after 100ms\n}")
	p := b.Open(t, c.Page+"/live?operation=list")
	rows := func(selector string, n int) func() bool {
		return func() bool {
			return Eval[int](t, p, fmt.Sprintf(`document.querySelectorAll("#live-rows tr%s").length`, selector)) == n
		}
	}
	following := `document.getElementById("live-status").textContent.startsWith("Following")`
	harness.WaitFor(t, "the stream", func() bool { return Eval[bool](t, p, following) })
	before := Eval[int](t, p, `document.querySelectorAll("#live-rows tr").length`) // all gateways of a process have one ring
	token := c.Mint("jobs").Value
	c.Workspace.Faults().Set(harness.JobsList, fakeworkspace.EchoRequestID())
	const id = "11111111-0000-4000-8000-000000000000"
	for n := range 3 {
		answer := c.Send(t, http.MethodGet, harness.JobsList, func(r *http.Request) {
			harness.Bearer(token)(r)
			r.Header.Set("X-Request-Id", id)
		})
		if got := answer.Header.Get("X-Request-Id"); got != id {
			t.Fatalf("%d, id %q", answer.StatusCode, got)
		}
		harness.WaitFor(t, "a row of its own", rows("", before+n+1))
	}
	c.Workspace.Faults().Clear()
	hang := c.Workspace.Faults().Set(harness.JobsList, fakeworkspace.Hang())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(token))
	}()
	harness.WaitFor(t, "the request that goes on", rows("[data-open]", 1))
	hang.Remove()
	<-ended
	harness.WaitFor(t, "its end", rows("[data-open]", 0))
	if !rows("", before+4)() {
		t.Error("it is shown twice")
	}
}

// TestConsoleOverview: the Overview brings itself up to date, with its chart. It is told to by an
// event, so that the test need not wait.
func TestConsoleOverview(t *testing.T) {
	b := Start(t)
	c := startConsole(t, "")
	refuse := func() { c.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(c.Mint("sql").Value)) }
	refuse()
	const refused = `Number(document.querySelector("#overview .outcome-refused dd").innerText)`
	p := b.Open(t, c.Page+"/")
	before := Eval[int](t, p, refused) // all gateways of a process count together
	Eval[bool](t, p, `window.same = true`)
	refuse()
	harness.WaitFor(t, "the decision", func() bool {
		Eval[bool](t, p, `document.getElementById("overview").dispatchEvent(new Event("refresh"))`)
		return Eval[int](t, p, refused) > before
	})
	if !Eval[bool](t, p, `window.same && document.querySelectorAll("#overview .uplot").length === 1`) {
		t.Error("the chart is gone, or the page was loaded again")
	}
	if forbidden := p.Forbidden(t); len(forbidden) > 0 {
		t.Errorf("the policy forbade %s", strings.Join(forbidden, "\n"))
	}
}
