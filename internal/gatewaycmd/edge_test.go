package gatewaycmd

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/caddymodule"
)

func TestSidecarAdmin(t *testing.T) {
	t.Parallel()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	const one = "--authority https://a.example.com"
	for _, test := range []struct {
		name, args string
		want       *caddymodule.Admin
		err        string
	}{
		{name: "nothing"},
		{name: "profile", args: "--profile p", want: &caddymodule.Admin{Profile: "p"}},
		{name: "token", args: one + " --authority-token-file /run/token", want: &caddymodule.Admin{Authority: &caddymodule.AdminAuthority{URLs: []string{"https://a.example.com"}, Token: "{file./run/token}"}}},
		{name: "all", args: one + ",https://b.example.com --authority https://c.example.com --authority-certificate c.pem --authority-key /k.pem --authority-trust ca.pem --edge-name e",
			want: &caddymodule.Admin{Authority: &caddymodule.AdminAuthority{
				URLs:              []string{"https://a.example.com", "https://b.example.com", "https://c.example.com"},
				ClientCertificate: filepath.Join(folder, "c.pem"), ClientKey: "/k.pem", Trust: filepath.Join(folder, "ca.pem"), Name: "e",
			}}},
		{name: "and a profile", args: one + " --authority-token-file /t --profile p", err: "--profile and --authority exclude each other"},
		{name: "no credential", args: one, err: "--authority needs what the edge is let in with"},
		{name: "two credentials", args: one + " --authority-token-file /t --authority-certificate c --authority-key k", err: "exclude each other"},
		{name: "half a certificate", args: one + " --authority-certificate c", err: "go together"},
		{name: "half a key", args: one + " --authority-key k", err: "go together"},
		{name: "token alone", args: "--authority-token-file /t", err: "--authority-token-file goes with --authority <url>"},
		{name: "name alone", args: "--edge-name e --profile p", err: "--edge-name goes with --authority <url>"},
		{name: "braces", args: one + " --authority-token-file /{t}", err: "must not have braces"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := new(cobra.Command)
			sidecarCommand().CobraFunc(cmd)
			if err := cmd.ParseFlags(strings.Fields(test.args)); err != nil {
				t.Fatal(err)
			}
			got, err := sidecarAdmin(caddycmd.Flags{FlagSet: cmd.Flags()})
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, want %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSidecarSaysEdge: who reads the first lines knows that the gateway has no credential.
func TestSidecarSaysEdge(t *testing.T) {
	t.Parallel()
	at, err := parseListen("127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	g := Gateway{Workspace: &url.URL{Scheme: "https", Host: "w.example.com"}, Enforce: new(caddymodule.Handler), at: at}
	g.Enforce.Mode = "enforce"
	var out strings.Builder
	g.introduce(&out)
	if strings.Contains(out.String(), "edge") || g.edgeFields() != nil {
		t.Error(out.String())
	}
	g.Enforce.Admin = &caddymodule.Admin{Authority: &caddymodule.AdminAuthority{URLs: []string{"https://a", "https://b"}}}
	out.Reset()
	g.introduce(&out)
	if want := "The gateway to https://w.example.com enforces scopes, as an edge of https://a and https://b. Ctrl-C ends it.\n"; !strings.HasPrefix(out.String(), want) {
		t.Error(out.String())
	}
	if fields := g.edgeFields(); len(fields) != 2 || fields[0].Key != "edge" {
		t.Errorf("%v", fields)
	}
}
