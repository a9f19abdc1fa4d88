package fleettest

import (
	"fmt"
	"net"
	"strings"
)

// Setting is the configuration of one process. Its zero value is a single gateway.
type Setting struct {
	// Redis is host:port of the server to share by, empty for none. Keys are the files with
	// the fleet's keys.
	Redis string
	Keys  []string
	// Authorities are the URLs that an edge asks; it has no admin credential then.
	Authorities []string
	// Certificate makes an edge show a client certificate instead of the rig's token: a file
	// without its ending .pem, beside one that ends in .key.
	Certificate string
	// Answers makes the process an authority. LetsIn is who it lets in, the rig's token
	// without it.
	Answers bool
	LetsIn  string
	// Grace is how long requests may go on after the process was told to end, a second
	// without it.
	Grace string
	// Options are more options of the workspace.
	Options string
	// Cache and Lookup replace what is in these blocks.
	Cache, Lookup string
}

// Blocks without [Setting.Cache] and [Setting.Lookup]: nothing is asked for twice, so that
// what holds at once does so because it was told.
const (
	longCache  = "ttl 1h\nmax_stale 1h\nnegative_ttl 1h"
	fastLookup = "rate 1000\nconcurrency 64\ntimeout 5s"
)

// Caddyfile returns the configuration of the process.
func (g *Gateway) Caddyfile() string {
	s, r := g.Setting, g.rig
	var b strings.Builder
	_, port, _ := net.SplitHostPort(g.Listen)
	fmt.Fprintf(&b, `{
	admin unix/%s
	persist_config off
	auto_https off
	storage file_system %s
	grace_period %s
	log default {
		level WARN
	}
	databricks {
		workspace prod %s {
`, g.socket, g.storage, or(s.Grace, "1s"), r.Workspace.URL())
	if len(s.Authorities) > 0 {
		fmt.Fprintf(&b, "admin {\nauthority %s {\ntrust %s\nname %s\n", strings.Join(s.Authorities, " "), r.CA.RootFile(), g.Name)
		if s.Certificate != "" {
			fmt.Fprintf(&b, "client_certificate %s.pem %[1]s.key\n", s.Certificate)
		} else {
			fmt.Fprintf(&b, "token {file.%s}\n", r.EdgeToken)
		}
		b.WriteString("}\n}\n")
	} else {
		fmt.Fprintf(&b, "admin {\ntoken {file.%s}\n}\n", r.AdminToken)
	}
	if s.Redis != "" {
		fmt.Fprintf(&b, "fleet redis://%s/0 {\nname %s\nkey", s.Redis, g.Name)
		for _, file := range s.Keys {
			fmt.Fprintf(&b, " {file.%s}", file)
		}
		b.WriteString("\n}\n")
	}
	fmt.Fprintf(&b, "cache {\n%s\n}\nlookup {\n%s\n}\n%s\n}\n}\n}\n", or(s.Cache, longCache), or(s.Lookup, fastLookup), s.Options)
	fmt.Fprintf(&b, "http://:%s {\nbind 127.0.0.1\ndatabricks_gateway prod\n}\n", port)
	if s.Answers {
		_, port, _ := net.SplitHostPort(g.AnswersAt)
		fmt.Fprintf(&b, `https://:%s {
	bind 127.0.0.1
	tls %s %s {
		client_auth {
			mode verify_if_given
			trust_pool file %s
		}
	}
	databricks_authority {
		workspace prod
		%s
	}
}
`, port, g.certificate, g.key, r.CA.RootFile(), or(s.LetsIn, "token {file."+r.EdgeToken+"}"))
	}
	return b.String()
}

func or(value, fallback string) string {
	if value != "" {
		return value
	}
	return fallback
}
