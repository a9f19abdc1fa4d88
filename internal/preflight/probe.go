package preflight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Probe asks the health listener of a gateway. The zero value of Live asks whether it is
// ready, and not only whether it runs.
type Probe struct {
	Network string // tcp or unix
	Address string // host:port, or the path of a socket
	Live    bool
}

// maxProbe bounds how much of an answer is read.
const maxProbe = 64 << 10

// Ask returns what the gateway answered, or an error that says what to do. A 200 of anything
// but the health handler fails: Caddy answers an empty one where no site has the address.
func (p Probe) Ask(ctx context.Context) (string, error) {
	client := &http.Client{
		Transport: &http.Transport{ // no proxy: the listener is on this machine or near
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, p.Network, p.Address)
			},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	host := p.Address
	if p.Network == "unix" {
		host = "localhost"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+p.path(), nil)
	if err != nil {
		return "", fmt.Errorf("--address: %w", err)
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", p.unanswered(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxProbe))
	if err != nil {
		return "", p.unanswered(err)
	}
	return p.read(answer, body)
}

func (p Probe) path() string {
	if p.Live {
		return "/livez"
	}
	return "/readyz"
}

// read judges an answer.
func (p Probe) read(answer *http.Response, body []byte) (string, error) {
	if p.Live {
		if answer.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != "ok" {
			return "", p.stranger(answer)
		}
		return "the gateway at " + p.Address + " runs", nil
	}
	var report struct {
		Ready           *bool
		Reason, Message string
		Workspaces      []struct {
			Workspace, Reason, Message string
			Ready                      bool
		}
	}
	if json.Unmarshal(body, &report) != nil || report.Ready == nil {
		return "", p.stranger(answer)
	}
	if *report.Ready && answer.StatusCode == http.StatusOK {
		return fmt.Sprintf("the gateway at %s is ready (workspaces: %d)", p.Address, len(report.Workspaces)), nil
	}
	var problems []string
	if report.Reason != "" {
		problems = append(problems, report.Reason+": "+report.Message)
	}
	for _, w := range report.Workspaces {
		if !w.Ready {
			problems = append(problems, fmt.Sprintf("%s: %s: %s", w.Workspace, w.Reason, w.Message))
		}
	}
	return "", fmt.Errorf("the gateway at %s is not ready (%d): %s", p.Address, answer.StatusCode, strings.Join(problems, "; "))
}

// stranger says that what answered is not the health handler.
func (p Probe) stranger(answer *http.Response) error {
	what := fmt.Sprint(answer.StatusCode)
	if server := answer.Header.Get("Server"); server != "" {
		what += " from " + server
	}
	return fmt.Errorf("%s%s was answered by something other than databricks_scopes_health (%s); pass the address of the health listener as the configuration has it: --health of sidecar, or the site with databricks_scopes_health", p.Address, p.path(), what)
}

// unanswered says why there was no answer.
func (p Probe) unanswered(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("nothing answered %s at %s in time; see the log of the gateway, or raise --timeout", p.path(), p.Address)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("nothing listens on %s; start the gateway with a health listener (--health %s of sidecar, or a site with databricks_scopes_health in the Caddyfile), or pass its address with --address", p.Address, p.flag())
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("this user may not connect to %s; run the probe as the gateway's user", p.Address)
	}
	return fmt.Errorf("%s did not answer %s over HTTP: %w; pass the address of the health listener, which is without TLS", p.Address, p.path(), err)
}

// flag returns the address as the flag --health takes it.
func (p Probe) flag() string {
	if p.Network == "unix" {
		return "unix/" + p.Address
	}
	return p.Address
}
