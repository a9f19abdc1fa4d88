package proxy

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// directCase is an exchange that is tried with a direct connection to the workspace and
// through the gateway.
type directCase struct {
	name string
	// request is the request line and, optionally, headers and body; Host and
	// Authorization are added.
	request string
	// answer is what the workspace sends once it has the request and its body. It may
	// instead have a script.
	answer string
	script func(*turn)
	// client, if not nil, is what the client does instead of sending the request and
	// reading the answer.
	client func(*rawClient)
	// differs names the differences that must stay, see [differences].
	differs []string
}

// play is what the workspace does.
func (d directCase) play(c *turn) {
	if d.script != nil {
		d.script(c)
		return
	}
	c.body()
	c.send(d.answer)
}

// try returns what both ends saw of the exchange.
func (d directCase) try(t testing.TB, s *scripted, address, host, token string) []string {
	t.Helper()
	s.play(d.play)
	c := dialRaw(t, address, host, token)
	defer c.Close()
	if d.client != nil {
		d.client(c)
	} else {
		c.send(d.request)
		method, _, _ := strings.Cut(d.request, " ")
		c.receiveAll(method)
	}
	c.finish()
	return append(s.request(t), c.lines...)
}

// TestDirect compares each exchange with a direct connection byte by byte, but for the
// differences that are listed.
func TestDirect(t *testing.T) {
	s, w := startScripted(t), harness.StartWorkspace(t)
	g := gatewayTo(t, w, s.address)
	token := harness.LegacyToken(w)
	host := strings.TrimPrefix(w.URL(), "http://")
	used, left := make(map[string]bool), len(directCases())
	for _, tt := range directCases() {
		t.Run(tt.name, func(t *testing.T) {
			left--
			direct, behind := tt.try(t, s, s.address, host, token), tt.try(t, s, g.Listen, g.Listen, token)
			compare(t, direct, behind, used, tt.differs...)
		})
	}
	if t.Failed() || left > 0 { // the flag -run left cases out
		return
	}
	for _, d := range differences {
		if !used[d.name] && d.forget != nil {
			t.Errorf("%q is listed, but occurs nowhere", d.name)
		}
	}
}

// A reverse_proxy of the user's own, with the options that docs/proxying.md gives, does as
// well as databricks_gateway.
func TestDirectOwnProxy(t *testing.T) {
	s, w := startScripted(t), harness.StartWorkspace(t)
	documentation, err := os.ReadFile("../../docs/proxying.md")
	if err != nil {
		t.Fatal(err)
	}
	_, options, _ := strings.Cut(string(documentation), "reverse_proxy https://<name>.cloud.databricks.com {")
	options, _, ok := strings.Cut(options, "```")
	if !ok {
		t.Fatal("docs/proxying.md has no such reverse_proxy")
	}
	host := strings.TrimPrefix(w.URL(), "http://")
	options = strings.Replace(options, "{upstream_hostport}", host, 1)
	g := harness.StartSite(t, w, harness.ScopesBlock(w)+"reverse_proxy http://"+s.address+" {"+options)
	token := harness.LegacyToken(w)
	for _, tt := range directCases() {
		t.Run(tt.name, func(t *testing.T) {
			direct, behind := tt.try(t, s, s.address, host, token), tt.try(t, s, g.Listen, g.Listen, token)
			compare(t, direct, behind, make(map[string]bool), tt.differs...)
		})
	}
}

// compare fails the test unless two transcripts have exactly the differences that are
// named, and those which nearly every exchange has. It notes which it needed.
func compare(t testing.TB, direct, behind []string, used map[string]bool, differs ...string) {
	t.Helper()
	stay := slices.DeleteFunc(slices.Clone(differences), func(d difference) bool {
		return !d.always && !slices.Contains(differs, d.name)
	})
	if diff := cmp.Diff(forget(direct, stay), forget(behind, stay)); diff != "" {
		t.Errorf("(-direct +behind the gateway):\n%s", diff)
		return
	}
	for i, d := range stay {
		others := slices.Delete(slices.Clone(stay), i, i+1)
		if !slices.Equal(forget(direct, others), forget(behind, others)) {
			used[d.name] = true
		} else if !d.always {
			t.Errorf("%q is listed, but does not occur", d.name)
		}
	}
}

// forget makes transcripts equal that have only the given differences.
func forget(lines []string, stay []difference) []string {
	lines = slices.Clone(lines)
	for _, d := range stay {
		if d.forget != nil {
			lines = d.forget(lines)
		}
	}
	return lines
}

// gatewayTo runs databricks_gateway for a workspace, and sends the requests that pass to
// another address.
func gatewayTo(t testing.TB, w *fakeworkspace.Workspace, address string) *harness.Gateway {
	t.Helper()
	g := harness.NewGateway(t, w)
	g.Change = func(config []byte) []byte {
		return redialed(t, config, strings.TrimPrefix(w.URL(), "http://"), address)
	}
	g.Load(t, harness.GatewayBlock(w, ""))
	return g
}

// redialed returns a configuration whose proxy connects to another address.
func redialed(t testing.TB, config []byte, from, to string) []byte {
	t.Helper()
	before, after := fmt.Appendf(nil, `"dial":%q`, from), fmt.Appendf(nil, `"dial":%q`, to)
	if bytes.Count(config, before) != 1 {
		t.Fatalf("no single place for the address in %s", config)
	}
	return bytes.Replace(config, before, after, 1)
}
