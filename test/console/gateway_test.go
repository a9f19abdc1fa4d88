package console

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// beside runs a gateway with a console beside it, and returns the console's URL.
func beside(t *testing.T) (g *harness.Gateway, console, directives string) {
	t.Helper()
	workspace := harness.StartWorkspace(t)
	g = harness.NewGateway(t, workspace)
	address := harness.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	directives = harness.GatewayBlock(workspace, "") + "\n}\nhttp://:" + port + " {\nbind 127.0.0.1\ndatabricks_console"
	g.Load(t, directives)
	return g, "http://" + address, directives
}

func read(t *testing.T, url string) string {
	t.Helper()
	answer := harness.Do(t, harness.Client(t), harness.NewRequest(t, http.MethodGet, url, "", nil))
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d\n%s", url, answer.StatusCode, answer.Body)
	}
	return answer.Body
}

// TestPages: the pages show what the gateway beside them decided.
func TestPages(t *testing.T) {
	g, console, _ := beside(t)
	refused := g.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(g.Mint("sql").Value))
	if refused.StatusCode != http.StatusForbidden {
		t.Fatalf("%d %s", refused.StatusCode, refused.Body)
	}
	id := refused.Header.Get("X-Request-Id")
	harness.WaitFor(t, "the decision to be recorded", func() bool { return strings.Contains(read(t, console+"/live"), id) })
	for path, has := range map[string]string{
		"/":                     `<dd class="good">kept</dd>`,
		"/live":                 "missing_scope",
		"/why?id=" + id:         "the token lacks the scope that the operation needs",
		"/tokens":               "refused",
		"/live?outcome=refused": id,
	} {
		if body := read(t, console+path); !strings.Contains(body, has) {
			t.Errorf("%s lacks %q:\n%s", path, has, body)
		}
	}
	if body := read(t, console+"/live?outcome=allowed"); strings.Contains(body, id) {
		t.Error("what was refused is among what was allowed")
	}
}

// TestStream: who follows sees a decision, and does not hold up a reload.
func TestStream(t *testing.T) {
	g, console, directives := beside(t)
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, console+"/live/stream?outcome=refused", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := new(http.Transport).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	stream := bufio.NewReader(response.Body)
	until := func(what string) {
		for {
			line, err := stream.ReadString('\n')
			if err != nil {
				t.Fatalf("waiting for %s: %v", what, err)
			}
			if strings.Contains(line, what) {
				return
			}
		}
	}
	until("event: snapshot")
	id := g.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(g.Mint("sql").Value)).Header.Get("X-Request-Id")
	until("event: decisions")
	until(id)
	g.Load(t, directives)
	if _, err := io.Copy(io.Discard, stream); err != nil {
		t.Errorf("the end of the stream: %v", err)
	}
	read(t, console+"/live")
}
