package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/scopegate/scopegate/internal/workspaceurl"
)

const (
	// timeout is how long an answer may take.
	timeout = 5 * time.Second
	// maxAnswer bounds an answer, in bytes. Three dozen series of 180 values are 200 KiB.
	maxAnswer = 4 << 20
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 64 << 10
	// failureAge is how long a failure is told again, so that a server that does not answer
	// holds up one request in that time, and not each.
	failureAge = 15 * time.Second
	// answerAge is how long an answer is shown again.
	answerAge = 30 * time.Second
)

// Settings say which server to ask, and how.
type Settings struct {
	// URL is that of the server, as [ParseURL] returns it.
	URL *url.URL
	// Token returns the bearer token to send. It is asked for each time. Nil sends none.
	Token func() (string, error)
	// Matches select series; all of them must match.
	Matches []Match
}

// ParseURL reads the URL of a server: http or https, a host and perhaps a path. Over plain
// HTTP, a server must be on this machine or in a private network, unless insecure says that
// the network in between is the operator's.
func ParseURL(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the URL is not one of a Prometheus server; write one such as http://localhost:9090")
	case u.User != nil:
		return nil, errors.New("a user name or password does not belong in the URL, which logs may show; use the option token")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the URL has more than a path; write one such as http://localhost:9090")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme of %s must be http or https", u)
	case u.Scheme == "http" && !insecure && !workspaceurl.IsPrivate(u.Hostname()):
		return nil, fmt.Errorf("%s is not encrypted; write https://%s, or set insecure_http if the network in between is yours", u, u.Host)
	}
	return u, nil
}

// Prometheus is a server. It is safe for concurrent use.
type Prometheus struct {
	settings Settings
	now      func() time.Time
	client   http.Client
	kept     []kept // one for each of Periods
}

// kept is the last answer, or failure, about a period.
type kept struct {
	free      chan struct{} // holds one while no query runs, and guards the rest
	decisions Decisions
	err       error
	at        time.Time
}

// New returns a server. Nothing is asked yet. Call Close when it is not needed any more.
func New(settings Settings, now func() time.Time) *Prometheus {
	p := &Prometheus{settings: settings, now: now, kept: make([]kept, len(Periods)), client: http.Client{
		Timeout: timeout,
		// A redirect could lead the token, or the query, elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns: 2, IdleConnTimeout: time.Minute,
		},
	}}
	for i := range p.kept {
		p.kept[i].free = make(chan struct{}, 1)
		p.kept[i].free <- struct{}{}
	}
	return p
}

// Close closes connections that wait for another query. It works on nil.
func (p *Prometheus) Close() {
	if p != nil {
		p.client.CloseIdleConnections()
	}
}

// Decisions returns what was decided in a period of [Periods], by its index. It takes little
// more than 5 seconds at most. Its errors say in one line what is wrong, and hold no text of
// the server.
//
// Callers that come while a query runs wait for its answer, which is shown for a while.
func (p *Prometheus) Decisions(ctx context.Context, period int) (Decisions, error) {
	k := &p.kept[period]
	select {
	case <-ctx.Done():
		return Decisions{}, ctx.Err()
	case <-k.free:
		defer func() { k.free <- struct{}{} }()
	}
	age := answerAge
	if k.err != nil {
		age = failureAge
	}
	if now := p.now(); k.at.IsZero() || now.Sub(k.at) >= age || now.Before(k.at) {
		k.decisions, k.err = p.ask(context.WithoutCancel(ctx), Periods[period])
		k.at = p.now()
	}
	return k.decisions, k.err
}

// ask does not end when the browser leaves that caused it: others may wait for the answer.
func (p *Prometheus) ask(ctx context.Context, period Period) (Decisions, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	grid := gridOf(period, p.now())
	target := p.settings.URL.JoinPath("api/v1/query_range")
	target.RawQuery = grid.parameters(query(p.settings.Matches, period.Step)).Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return Decisions{}, errors.New("the request cannot be made; check the URL")
	}
	r.Header.Set("Accept", "application/json")
	if p.settings.Token != nil {
		token, err := p.settings.Token()
		if err != nil {
			return Decisions{}, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := p.client.Do(r)
	if err != nil {
		return Decisions{}, reachError(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Decisions{}, reachError(err)
	case len(body) > maxAnswer:
		return Decisions{}, fmt.Errorf("the answer is larger than %d MiB; select the gateways with match", maxAnswer>>20)
	case response.StatusCode != http.StatusOK:
		return Decisions{}, statusError(response.StatusCode, body)
	}
	return read(body, grid)
}

// reachError says why there is no answer. The errors of net/http name the URL with the query.
func reachError(err error) error {
	if timedOut, ok := errors.AsType[net.Error](err); ok && timedOut.Timeout() {
		return fmt.Errorf("it did not answer within %d seconds", timeout/time.Second)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("it cannot be reached: %w", failed)
	}
	return errors.New("it cannot be reached, or did not answer in HTTP; check the URL and its certificate")
}
