package fleettest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// Answer is what a client got.
type Answer struct {
	Status int
	Reason string // the gateway's, empty if the workspace answered
	Took   time.Duration
	Body   string
}

func (a Answer) String() string {
	return fmt.Sprintf("%d %s after %v", a.Status, a.Reason, a.Took.Round(time.Millisecond))
}

// Passes reports whether the gateway let the request pass, and the workspace too.
func (a Answer) Passes() bool { return a.Status == http.StatusOK && a.Reason == "" }

// Request sends a request with a token.
func (g *Gateway) Request(method, path, token, body string) (Answer, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, g.URL()+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	began := time.Now()
	response, err := g.client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header.Get("X-Scopegate-Reason"), time.Since(began), string(content)}, err
}

// Use lists jobs with a token.
func (g *Gateway) Use(token string) Answer {
	g.rig.t.Helper()
	got, err := g.Request(http.MethodGet, harness.JobsList, token, "")
	if err != nil {
		g.rig.t.Errorf("%s: %v", g.Name, err)
	}
	return got
}
