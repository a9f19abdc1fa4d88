package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// openClient sends requests when they are due, whether or not earlier ones have been
// answered. All targets have the same client, Go's net/http.
type openClient struct {
	transport *http.Transport
	base      string // URL without a path
	calls     []call
}

// newOpenClient returns a client that trusts the certificates in PEM of ca.
func newOpenClient(base, ca string, calls []call) *openClient {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	return &openClient{
		transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: roots},
			ForceAttemptHTTP2:   true,
			DisableCompression:  true,
			MaxIdleConnsPerHost: mostInFlight,
		},
		base: base, calls: calls,
	}
}

const (
	// mostInFlight ends a slice: what is measured cannot keep up.
	mostInFlight = 2000
	// leadTime is from the start of a slice to its first request.
	leadTime = 10 * time.Millisecond
)

// openSlice is what was measured at one rate for a while.
type openSlice struct {
	// took is from when each request was due to the end of its response; late is from when it
	// was due to when it was sent.
	took, late []time.Duration
	scheduled  int
	overloaded bool
}

// run sends requests at a rate. The n-th is due n intervals after the first, so a slow
// response delays none, and a request that is sent late counts from when it was due.
func (c *openClient) run(ctx context.Context, rate int, wanted time.Duration) (openSlice, error) {
	n := int(wanted.Seconds() * float64(rate))
	s := openSlice{scheduled: n, took: make([]time.Duration, n), late: make([]time.Duration, n)}
	var (
		answering sync.WaitGroup
		inFlight  atomic.Int64
		failure   atomic.Pointer[error]
		expired   atomic.Bool // a request waited longer than requestTimeout
		sent      int
	)
	dispatched := make(chan struct{})
	go func() {
		defer close(dispatched)
		// The thread must outlive the goroutine: the kernel kills a child with the thread that
		// started it, see childAttributes.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		preciseTimer()
		start := time.Now().Add(leadTime)
		for ; sent < n; sent++ {
			if inFlight.Load() >= mostInFlight || expired.Load() {
				s.overloaded = true
				return
			}
			if ctx.Err() != nil || failure.Load() != nil {
				return
			}
			i, due := sent, start.Add(time.Duration(sent)*time.Second/time.Duration(rate))
			sleepUntil(due)
			inFlight.Add(1)
			answering.Go(func() {
				defer inFlight.Add(-1)
				s.late[i] = time.Since(due)
				if err := c.do(ctx, i); errors.Is(err, context.DeadlineExceeded) {
					expired.Store(true)
				} else if err != nil {
					failure.CompareAndSwap(nil, &err)
				}
				s.took[i] = time.Since(due)
			})
		}
	}()
	<-dispatched
	answering.Wait()
	s.overloaded = s.overloaded || expired.Load()
	s.took, s.late = s.took[:sent], s.late[:sent]
	if err := failure.Load(); err != nil {
		return s, fmt.Errorf("%d requests a second to %s: %w", rate, c.base, *err)
	}
	return s, ctx.Err()
}

func (c *openClient) do(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	sent := c.calls[i%len(c.calls)]
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+sent.path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", "Bearer "+sent.token)
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("a request failed: %w", err)
	}
	defer response.Body.Close()
	switch read, err := io.Copy(io.Discard, response.Body); {
	case err != nil:
		return fmt.Errorf("a response broke off: %w", err)
	case response.StatusCode != http.StatusOK:
		return refusal{response.StatusCode, response.Header.Get("X-Scopegate-Reason")}
	case read != answerSize:
		return fmt.Errorf("a response has %d bytes instead of %d", read, answerSize)
	}
	return nil
}
