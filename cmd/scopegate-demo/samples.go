package main

import (
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// sample is a token to try.
type sample struct {
	name  string
	about string
	token fakeworkspace.Token
}

// samples are the tokens of the demo and the tour.
type samples struct {
	sql, jobs, legacy, expired, revoked sample
}

func mintSamples(workspace *fakeworkspace.Workspace) samples {
	const month = 30 * day
	mint := func(name, about string, spec fakeworkspace.TokenSpec) sample {
		spec.Comment = "demo: " + name
		return sample{name: name, about: about, token: workspace.Mint(spec)}
	}
	s := samples{
		sql:     mint("sql", "has the scope sql", fakeworkspace.TokenSpec{Owner: "analyst@example.com", Scopes: []string{"sql"}, Lifetime: month}),
		jobs:    mint("jobs+clusters", "has the scopes jobs and clusters", fakeworkspace.TokenSpec{Owner: "etl@example.com", Scopes: []string{"jobs", "clusters"}, Lifetime: month}),
		legacy:  mint("legacy", "has no scopes, so it may do everything", fakeworkspace.TokenSpec{Owner: "old-hand@example.com"}),
		expired: mint("expired", "expired an hour ago", fakeworkspace.TokenSpec{Owner: "analyst@example.com", Scopes: []string{"clusters"}, CreationTime: time.Now().Add(-month), ExpiryTime: time.Now().Add(-time.Hour)}),
		revoked: mint("revoked", "was revoked by an admin", fakeworkspace.TokenSpec{Owner: "leaver@example.com", Scopes: []string{"clusters"}, Lifetime: month}),
	}
	workspace.Revoke(s.revoked.token.Info.TokenId)
	return s
}

func (s samples) all() []sample { return []sample{s.sql, s.jobs, s.legacy, s.expired, s.revoked} }

// introduce prints what the user can try.
func (d *demo) introduce(p *printer, mode string, s samples) error {
	sidecar, err := addressAfter(strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		return err
	}
	p.title("scopegate demo")
	p.line("workspace  %s  (a fake one in this process; nothing leaves this machine)", d.workspace.URL())
	p.line("gateway    %s  (mode %s)", d.url, mode)
	p.line("console    %s  (a page: open it in a browser)", d.console)
	if d.admin != gatewaycmd.Off {
		p.line("admin API  %s", d.admin)
	}
	p.blank()
	p.line("Tokens to try:")
	p.blank()
	rows := [][]cell{}
	for _, sample := range s.all() {
		rows = append(rows, []cell{{text: sample.name}, {text: sample.token.Value, style: bold}, {text: sample.about}})
	}
	p.table(nil, rows)
	p.blank()
	p.line("Paste one of these commands into another terminal:")
	for _, example := range []struct {
		about  string
		sample sample
		path   string
	}{
		{"allowed: listing jobs needs the scope jobs", s.jobs, "/api/2.1/jobs/list"},
		{"refused: the sql token does not have that scope", s.sql, "/api/2.1/jobs/list"},
		{"refused: the token has expired", s.expired, "/api/2.1/clusters/list"},
		{"refused: the token was revoked", s.revoked, "/api/2.1/clusters/list"},
		{"allowed: a token without scopes may do everything, as on Databricks", s.legacy, "/api/2.1/unity-catalog/catalogs"},
		{"refused: an encoded path does not get around the check", s.sql, "/api/2.0/sql/..%2f../2.1/jobs/list"},
	} {
		p.blank()
		p.line("# %s", example.about)
		p.line("%s", curl(example.sample.token.Value, d.url+example.path))
	}
	p.blank()
	p.line("Or use a Databricks SDK or the CLI: DATABRICKS_HOST=%s DATABRICKS_TOKEN=<token> databricks jobs list", d.url)
	p.blank()
	p.line("To run a sidecar in front of the same workspace (after go install ./cmd/scopegate):")
	p.blank()
	id, secret := d.workspace.AdminClient()
	p.line("export DATABRICKS_CLIENT_ID=%s", id)
	p.line("export DATABRICKS_CLIENT_SECRET=%s", secret)
	p.line("scopegate sidecar --workspace %s --listen %s", d.workspace.URL(), sidecar)
	p.blank()
	p.line("It accepts the same tokens, at http://%s.", sidecar)
	p.line("The gateway's decisions appear below. Press Ctrl-C to stop.")
	p.blank()
	return nil
}

// curl returns a curl command that sends the path unchanged.
func curl(token, url string) string {
	return "curl -i --path-as-is -H 'Authorization: Bearer " + token + "' '" + url + "'"
}
