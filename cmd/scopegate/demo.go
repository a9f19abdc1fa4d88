package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/scopes"
)

// demoListen is where the demo's gateway listens unless told otherwise.
const demoListen = "127.0.0.1:8080"

// demoSecret is the environment variable that carries the embedded workspace's
// admin secret to the gateway, in the way in which the documentation asks
// operators to hand over theirs.
const demoSecret = "SCOPEGATE_DEMO_CLIENT_SECRET"

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "demo",
		Usage: "[--tour | --traffic] [--listen <address>] [--mode enforce|observe]",
		Short: "Shows the gateway at work, in front of an embedded workspace",
		Long: `
Starts a Databricks workspace inside this process and the gateway in front of it,
both on the loopback interface, and prints tokens and curl lines to try. It needs
no account, no network and no configuration, and stays up until interrupted.

--tour drives the gateway with the Databricks SDK for Go and with plain HTTP
  instead, prints what each client saw, and exits with 0 only if every verdict
  was the expected one.
--traffic rehearses a week: it lets the workspace's clients work for seven days
  that pass in seconds, with nothing refused, and prints the report and the
  recommendations that come of it. Then it stays up for the commands it names.
--listen is where the gateway listens. Default: ` + demoListen + `, or any free
  port if that one is taken.
--mode observe decides and records but refuses nothing.
`,
		CobraFunc: func(cmd *cobra.Command) {
			flags := cmd.Flags()
			flags.Bool("tour", false, "drive the gateway, print the verdicts and exit")
			flags.Bool("traffic", false, "simulate a week's traffic and report on it")
			flags.StringP("listen", "l", "", "address of the gateway (default "+demoListen+")")
			flags.String("mode", "enforce", "enforce or observe")
			cmd.RunE = caddycmd.WrapCommandFuncForCobra(runDemo)
		},
	})
}

func runDemo(flags caddycmd.Flags) (int, error) {
	tour, traffic, mode := flags.Bool("tour"), flags.Bool("traffic"), flags.String("mode")
	switch {
	case tour && traffic:
		return caddy.ExitCodeFailedStartup, errors.New("--tour and --traffic are two demonstrations; choose one")
	case tour && mode != "enforce":
		return caddy.ExitCodeFailedStartup, errors.New("the tour shows refusals, which --mode observe does not make; leave out --mode or --tour")
	}
	caddy.TrapSignals()
	if traffic {
		return caddy.ExitCodeFailedStartup, runTraffic(flags.String("listen"))
	}
	demo, err := startDemo(demoOptions{listen: flags.String("listen"), enforce: caddymodule.Handler{Mode: mode}, admin: off, logging: demoLogging(tour)})
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	demo.cast = newCast(demo.workspace)
	if !tour {
		demo.introduce(newPrinter(os.Stdout), mode)
		select {} // Caddy's signal handling ends the process
	}
	ok := demo.tour(newPrinter(os.Stdout))
	if err := demo.stop(); err != nil {
		return caddy.ExitCodeFailedQuit, err
	}
	if !ok {
		return caddy.ExitCodeFailedStartup, errors.New("not every verdict was the expected one")
	}
	return caddy.ExitCodeSuccess, nil
}

// demo is a workspace and a gateway in front of it.
type demo struct {
	workspace *fakeworkspace.Workspace
	url       string // of the gateway
	cast      cast
}

// demoOptions are what the demonstrations differ in.
type demoOptions struct {
	listen  string
	enforce caddymodule.Handler // without the admin credential
	admin   string              // off or an address
	logging *caddy.Logging
	// workspace are options of the embedded workspace.
	workspace []fakeworkspace.Option
	// adminToken signs the gateway in with a personal access token, whose life does
	// not depend on the clock.
	adminToken bool
}

func startDemo(options demoOptions) (*demo, error) {
	workspace := fakeworkspace.New(append(options.workspace, fakeworkspace.WithScopeCheck(workspaceScopes))...)
	if err := workspace.Start(); err != nil {
		return nil, fmt.Errorf("starting the embedded workspace: %w", err)
	}
	address, err := demoAddress(options.listen, demoListen)
	if err != nil {
		workspace.Close()
		return nil, err
	}
	workspaceURL, err := url.Parse(workspace.URL())
	if err != nil {
		workspace.Close()
		return nil, fmt.Errorf("starting the embedded workspace: %w", err)
	}
	clientID, secret := workspace.AdminClient()
	enforce := options.enforce
	enforce.Admin = &caddymodule.Admin{ClientID: clientID, ClientSecret: "{env." + demoSecret + "}"}
	if options.adminToken {
		secret = workspace.AdminToken()
		enforce.Admin = &caddymodule.Admin{Token: "{env." + demoSecret + "}"}
	}
	enforce.Usage = -1 // nothing is left on the disk
	if err := os.Setenv(demoSecret, secret); err != nil {
		workspace.Close()
		return nil, fmt.Errorf("handing over the admin secret: %w", err)
	}
	gateway := gateway{
		listen:    address,
		workspace: workspaceURL,
		enforce:   &enforce,
		admin:     options.admin,
		health:    off,
		logging:   options.logging,
	}
	if err := gateway.run(); err != nil {
		workspace.Close()
		return nil, err
	}
	return &demo{workspace: workspace, url: "http://" + address}, nil
}

func (d *demo) stop() error {
	err := caddy.Stop()
	d.workspace.Close()
	return err
}

// demoAddress returns where to listen. Only the default gives way to another
// program: who names an address wants that one.
func demoAddress(listen, usual string) (string, error) {
	if listen != "" {
		return listen, nil
	}
	for _, address := range []string{usual, "127.0.0.1:0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		return listener.Addr().String(), listener.Close()
	}
	return "", errors.New("no free port on 127.0.0.1; free one, or pass --listen")
}

// workspaceScopes is the embedded workspace's own judgment, which Databricks
// makes after any gateway.
func workspaceScopes(method, path string) (anyOf []string, public bool) {
	readings, err := scopes.Default().Read(method, path, nil)
	if err != nil {
		return []string{scopes.AllAPIs}, false
	}
	operation := readings[0].Operation
	return operation.AnyOf, operation.Access == scopes.Public
}

// demoLogging shows each decision in a short line, from the real audit log, or
// nothing but errors where the output is the tour's table.
func demoLogging(tour bool) *caddy.Logging {
	const auditLogger = "http.handlers.databricks_scopes.audit"
	logging := logLevel(zap.ErrorLevel)
	if tour {
		return logging
	}
	shown := map[string]bool{"decision": true, "reason": true, "method": true, "path": true, "operation": true, "enforced": true, "status": true}
	hidden := map[string]any{}
	for _, field := range audit.FieldNames() {
		if !shown[field] {
			hidden[field] = map[string]any{"filter": "delete"}
		}
	}
	logging.Logs["audit"] = &caddy.CustomLog{
		BaseLog: caddy.BaseLog{EncoderRaw: caddyconfig.JSON(map[string]any{
			"format": "filter",
			"wrap":   map[string]any{"format": "console", "time_format": "15:04:05", "level_format": "upper"},
			"fields": hidden,
		}, nil)},
		Include: []string{auditLogger},
	}
	return logging
}

// introduce prints what there is to try.
func (d *demo) introduce(p *printer, mode string) {
	p.title("scopegate demo")
	p.line("workspace  %s  (in this process; nothing leaves this machine)", d.workspace.URL())
	p.line("gateway    %s  (mode %s)", d.url, mode)
	p.blank()
	p.line("Tokens to try:")
	p.blank()
	rows := [][]cell{}
	for _, member := range d.cast.all() {
		rows = append(rows, []cell{{text: member.name}, {text: member.token.Value, style: bold}, {text: member.about}})
	}
	p.table(nil, rows)
	p.blank()
	p.line("Paste one of these into another terminal:")
	for _, example := range []struct {
		about  string
		member member
		path   string
	}{
		{"allowed: listing jobs asks for the scope jobs", d.cast.jobs, "/api/2.1/jobs/list"},
		{"refused: the sql token does not hold it", d.cast.sql, "/api/2.1/jobs/list"},
		{"refused: its life has ended", d.cast.expired, "/api/2.1/clusters/list"},
		{"refused: it was revoked", d.cast.revoked, "/api/2.1/clusters/list"},
		{"allowed: a token without scopes may do everything, as on Databricks", d.cast.legacy, "/api/2.1/unity-catalog/catalogs"},
		{"refused: no spelling gets around it", d.cast.sql, "/api/2.0/sql/..%2f../2.1/jobs/list"},
	} {
		p.blank()
		p.line("# %s", example.about)
		p.line("curl -i --path-as-is -H 'Authorization: Bearer %s' '%s%s'", example.member.token.Value, d.url, example.path)
	}
	p.blank()
	p.line("Or use a Databricks SDK or CLI: DATABRICKS_HOST=%s DATABRICKS_TOKEN=<token> databricks jobs list", d.url)
	p.line("Each decision is shown below. Press Ctrl-C to stop.")
	p.blank()
}

// cast are the tokens of the demo.
type cast struct {
	sql, jobs, legacy, expired, revoked member
}

type member struct {
	name  string
	about string
	token fakeworkspace.Token
}

func newCast(workspace *fakeworkspace.Workspace) cast {
	const month = 30 * 24 * time.Hour
	play := func(name, about string, spec fakeworkspace.TokenSpec) member {
		spec.Comment = "demo: " + name
		return member{name: name, about: about, token: workspace.Mint(spec)}
	}
	c := cast{
		sql:     play("sql", "holds the scope sql", fakeworkspace.TokenSpec{Owner: "analyst@example.com", Scopes: []string{"sql"}, Lifetime: month}),
		jobs:    play("jobs+clusters", "holds the scopes jobs and clusters", fakeworkspace.TokenSpec{Owner: "etl@example.com", Scopes: []string{"jobs", "clusters"}, Lifetime: month}),
		legacy:  play("legacy", "has no scopes, so it may do everything", fakeworkspace.TokenSpec{Owner: "old-hand@example.com"}),
		expired: play("expired", "its life ended an hour ago", fakeworkspace.TokenSpec{Owner: "analyst@example.com", Scopes: []string{"clusters"}, CreationTime: time.Now().Add(-month), ExpiryTime: time.Now().Add(-time.Hour)}),
		revoked: play("revoked", "was deleted by an admin", fakeworkspace.TokenSpec{Owner: "leaver@example.com", Scopes: []string{"clusters"}, Lifetime: month}),
	}
	workspace.Revoke(c.revoked.token.Info.TokenId)
	return c
}

func (c cast) all() []member { return []member{c.sql, c.jobs, c.legacy, c.expired, c.revoked} }
