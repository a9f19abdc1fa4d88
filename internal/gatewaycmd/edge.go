package gatewaycmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/secretref"
)

// The flags of an edge.
const (
	flagAuthority   = "authority"
	flagTokenFile   = "authority-token-file"
	flagCertificate = "authority-certificate"
	flagKey         = "authority-key"
	flagTrust       = "authority-trust"
	flagEdgeName    = "edge-name"
)

func addEdgeFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSlice(flagAuthority, nil, "URL of an authority to ask about tokens, instead of an admin credential")
	flags.String(flagTokenFile, "", "file with the token that the authorities let in")
	flags.String(flagCertificate, "", "PEM file with the client certificate that the authorities let in")
	flags.String(flagKey, "", "PEM file with its key")
	flags.String(flagTrust, "", "PEM file with the certificate authorities to trust (default: the system's)")
	flags.String(flagEdgeName, "", "what this edge is called (default: the name of the machine)")
	for _, name := range []string{flagTokenFile, flagCertificate, flagKey, flagTrust} {
		if err := cmd.MarkFlagFilename(name); err != nil {
			panic(err) // the flag was just added
		}
	}
	if err := cmd.RegisterFlagCompletionFunc(flagAuthority, cobra.FixedCompletions([]string{"https://"}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)); err != nil {
		panic(err)
	}
}

// sidecarAdmin returns how tokens are looked up: nil for the SDK's unified authentication.
func sidecarAdmin(flags caddycmd.Flags) (*caddymodule.Admin, error) {
	profile := flags.String("profile")
	urls, err := flags.GetStringSlice(flagAuthority)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flagAuthority, err)
	}
	if len(urls) == 0 {
		for _, name := range []string{flagTokenFile, flagCertificate, flagKey, flagTrust, flagEdgeName} {
			if flags.String(name) != "" {
				return nil, fmt.Errorf("--%s goes with --%s <url>", name, flagAuthority)
			}
		}
		if profile == "" {
			return nil, nil
		}
		return &caddymodule.Admin{Profile: profile}, nil
	}
	if profile != "" {
		return nil, errors.New("--profile and --authority exclude each other: an edge signs in to no workspace; omit one of them")
	}
	edge := &caddymodule.AdminAuthority{URLs: urls, Name: flags.String(flagEdgeName)}
	token, certificate, key := flags.String(flagTokenFile), flags.String(flagCertificate), flags.String(flagKey)
	switch {
	case token == "" && certificate == "" && key == "":
		return nil, errors.New("--authority needs what the edge is let in with: --authority-token-file <file>, or --authority-certificate <file> and --authority-key <file>")
	case token != "" && (certificate != "" || key != ""):
		return nil, errors.New("--authority-token-file and --authority-certificate exclude each other; omit one of them")
	case (certificate == "") != (key == ""):
		return nil, errors.New("--authority-certificate and --authority-key go together; pass both files")
	}
	for name, to := range map[string]*string{flagTokenFile: &token, flagCertificate: &edge.ClientCertificate, flagKey: &edge.ClientKey, flagTrust: &edge.Trust} {
		if *to, err = absolute(flags.String(name)); err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
	}
	if token != "" {
		if edge.Token = "{file." + token + "}"; !secretref.IsOne(edge.Token) {
			return nil, fmt.Errorf("--%s: the path must not have braces", flagTokenFile)
		}
	}
	return &caddymodule.Admin{Authority: edge}, nil
}

// absolute is filepath.Abs, but for no path.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// authorities returns those that the gateway asks if it is an edge.
func (g *Gateway) authorities() []string {
	if g.Enforce.Admin == nil || g.Enforce.Admin.Authority == nil {
		return nil
	}
	return g.Enforce.Admin.Authority.URLs
}

// edgeFields say in a log that the gateway is an edge.
func (g *Gateway) edgeFields() []zap.Field {
	if urls := g.authorities(); len(urls) > 0 {
		return []zap.Field{zap.Bool("edge", true), zap.Strings("authorities", urls)}
	}
	return nil
}

// edgeInWords says so on a terminal.
func (g *Gateway) edgeInWords() string {
	if urls := g.authorities(); len(urls) > 0 {
		return ", as an edge of " + strings.Join(urls, " and ")
	}
	return ""
}
