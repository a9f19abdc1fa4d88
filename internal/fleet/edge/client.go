package edge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Options say which authorities a [Client] asks, and with what. All but the ways to be let in
// must be set.
type Options struct {
	// URLs of the authorities: scheme, host and port. They are tried in turn.
	URLs         []string
	WorkspaceURL string
	// Token returns what the authorities let in; nil with a client certificate. It is called
	// for every request.
	Token func() (string, error)
	// ClientCertificate, ClientKey and Trust are paths of PEM files, read for every connection.
	// Without Trust, the system's roots are trusted.
	ClientCertificate, ClientKey, Trust string
	// Name and Version are what this edge calls itself.
	Name, Version string
	// Timeout bounds one look-up.
	Timeout time.Duration
	// Apply forgets what a change concerns. Reset doubts everything that is known, because
	// changes may have been missed.
	Apply func(fleet.Change)
	Reset func()
	// Observer is told of changes, and Upstream whether there is a subscription.
	Observer fleet.Observer
	Upstream func(error)
	Logger   func() *zap.Logger
	Now      func() time.Time
}

// Client asks authorities. It is a [tokens.Service]. It is safe for concurrent use.
type Client struct {
	options     Options
	authorities []*authority
	preferred   atomic.Int32 // the authority that answered last

	subscription subscription
	reports      reports
	workspaceID  atomic.Int64
	silence      time.Duration // see the constant; tests are less patient

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	start   sync.Once
}

// authority is one of those that are asked.
type authority struct {
	url  string
	http *http.Client
}

// Open returns a client. It does not use the network before the first look-up or
// [Client.Start]. Close it.
func Open(options Options) *Client {
	c := &Client{options: options, silence: silence}
	c.subscription.since, c.subscription.told = options.Now(), make(map[string]string)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.reports.more = make(chan struct{}, 1)
	c.reports.ctx, c.reports.end = context.WithCancel(c.ctx)
	for _, url := range options.URLs {
		c.authorities = append(c.authorities, &authority{url, &http.Client{
			Transport:     c.transport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}})
	}
	return c
}

// Start subscribes to changes, and begins to report. It does nothing the second time.
func (c *Client) Start() {
	c.start.Do(func() {
		c.running.Go(c.subscribe)
		c.reports.running.Go(func() { c.report(c.reports.ctx) })
	})
}

// Close ends everything that is under way, and waits for it. Reports that were not handed over
// are tried once more.
func (c *Client) Close() {
	c.start.Do(func() {}) // too late for it
	c.lastReport()
	c.cancel()
	c.running.Wait()
	for _, a := range c.authorities {
		a.http.CloseIdleConnections()
	}
}

// WorkspaceID returns the id that the workspace gives itself, 0 before an authority has told
// it.
func (c *Client) WorkspaceID() int64 { return c.workspaceID.Load() }

// request is one request to whichever authority answers.
type request struct {
	method, path string
	body         []byte
	limit        int64 // of the answer's body
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
	asked  time.Time // before it was asked
}

// says reports whether another authority would hardly say anything else.
func (a answer) says() bool {
	switch a.status {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent, http.StatusBadRequest, http.StatusNotFound,
		http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return true
	}
	return false
}

// ask asks one authority after the other, beginning with the one that answered last, until one
// can say something. Each gets its share of the time that is left.
func (c *Client) ask(ctx context.Context, r request) (answer, error) {
	first := int(c.preferred.Load())
	var failed error
	for i := range c.authorities {
		n := (first + i) % len(c.authorities)
		found, err := c.askOne(ctx, c.authorities[n], r, len(c.authorities)-i)
		if err == nil && found.says() {
			c.preferred.Store(int32(n))
			return found, nil
		}
		if err == nil {
			err = c.problemOf(found)
		}
		if failed == nil || !isUnreachable(err) {
			failed = err // what an authority says tells more than that another one is silent
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failed == nil {
		failed = errors.New("no authority is configured")
	}
	return answer{}, failed
}

// askOne asks one authority. It may take its share of the time: as others are to be asked after
// it, half of what is left.
func (c *Client) askOne(ctx context.Context, a *authority, r request, left int) (answer, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	asked := c.options.Now()
	resp, err := c.send(ctx, a, r, nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.limit+1))
	switch {
	case err != nil:
		return answer{}, unreachable(ctx, err)
	case int64(len(body)) > r.limit:
		return answer{}, badAnswer("it is too long")
	}
	return answer{resp.StatusCode, resp.Header, body, asked}, nil
}

// send sends a request with what every request has.
func (c *Client) send(ctx context.Context, a *authority, r request, more http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, a.url+wire.Prefix+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, notConfigured(errors.New("the URL of an authority is not one"))
	}
	for name, values := range more {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "scopegate")
	req.Header.Set(wire.WorkspaceHeader, wire.Workspace(c.options.WorkspaceURL))
	req.Header.Set(wire.NameHeader, c.options.Name)
	req.Header.Set(wire.VersionHeader, c.options.Version)
	if len(r.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.options.Token != nil {
		token, err := c.options.Token()
		if err != nil {
			return nil, notConfigured(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	return resp, nil
}

// Interface guard
var _ tokens.Service = (*Client)(nil)
