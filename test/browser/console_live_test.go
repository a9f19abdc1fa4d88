package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

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
