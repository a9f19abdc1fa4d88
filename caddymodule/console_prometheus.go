package caddymodule

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/internal/history"
)

// ConsolePrometheus is a Prometheus server that scrapes the gateways. With it, the page shows
// decisions of the last 6 hours, 24 hours and 7 days, of all gateways together.
type ConsolePrometheus struct {
	// URL of the server, such as `http://localhost:9090`. The path of its API is added.
	URL string `json:"url,omitempty"`

	// Bearer token to send, as a placeholder: `{file./path}` or `{env.NAME}`. The file is read
	// again for each query. Default: none.
	Token string `json:"token,omitempty"`

	// Permits `http://` to a server outside private networks: the token and the counts cross
	// the network in the clear.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	// Labels that select the gateways, as `<label>=<value>`; all of them must match. Default:
	// all series of the metrics.
	Match []string `json:"match,omitempty"`
}

// maxConsoleMatches limits the labels.
const maxConsoleMatches = 16

// unmarshal reads the option prometheus.
func (p *ConsolePrometheus) unmarshal(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() != 1 {
		return d.Err("prometheus needs one URL, such as http://localhost:9090")
	}
	d.NextArg()
	p.URL = d.Val()
	if err := eachOption(d, p.options(d), "match"); err != nil {
		return err
	}
	_, err := p.settings()
	return at(d, err)
}

func (p *ConsolePrometheus) options(d *caddyfile.Dispenser) options {
	return options{
		"token":         func() error { return secretArg(d, "prometheus", &p.Token) },
		"insecure_http": func() error { return flag(d, &p.InsecureHTTP) },
		"match": func() error {
			var match string
			if err := oneArg(d, &match); err != nil {
				return err
			}
			p.Match = append(p.Match, match)
			return nil
		},
	}
}

// settings returns what the server is asked with, or all that is wrong. It reads no secret. It
// works on nil.
func (p *ConsolePrometheus) settings() (*history.Settings, error) {
	if p == nil {
		return nil, nil
	}
	problems := []error{secretPlaceholder("token", p.Token)}
	wrong := func(err error) { problems = append(problems, err) }
	var address *url.URL
	if p.URL == "" {
		wrong(errors.New("the URL is missing; write one such as http://localhost:9090"))
	} else {
		var err error
		address, err = history.ParseURL(p.URL, p.InsecureHTTP)
		wrong(err)
	}
	s := &history.Settings{URL: address}
	if len(p.Match) > maxConsoleMatches {
		wrong(fmt.Errorf("there are %d labels to match, and at most %d are possible", len(p.Match), maxConsoleMatches))
	}
	for _, text := range p.Match {
		match, err := history.ParseMatch(text)
		wrong(err)
		s.Matches = append(s.Matches, match)
	}
	if p.Token != "" {
		s.Token = func() (string, error) { return readSecret("token", p.Token) }
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	return s, nil
}

// history returns the server, or nil if there is none.
func (c *Console) history() (*history.Prometheus, error) {
	settings, err := c.Prometheus.settings()
	if err != nil || settings == nil {
		return nil, err
	}
	return history.New(*settings, c.app.now), nil
}
