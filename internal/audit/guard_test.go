package audit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const hush = "hush-hush"

func TestFailuresAreToldInOurWords(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"status", fmt.Errorf("traces export: failed to send to http://u:%s@x/v1/traces: 401 Unauthorized (body: bad key %s)", hush, hush), "status 401"},
		{"gRPC", fmt.Errorf("traces export: %w", status.Error(codes.Unauthenticated, hush)), "gRPC status Unauthenticated"},
		{"no connection", &url.Error{Op: "Post", URL: "http://u:" + hush + "@x", Err: &net.OpError{Op: "dial", Err: errors.New(hush)}}, "unreachable"},
		{"timeout", fmt.Errorf("%s: %w", hush, context.DeadlineExceeded), "timeout"},
		{"anything", errors.New(hush), "other"},
		{"nothing", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := failureOf(test.err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestGuardTellsLittleAndSeldom(t *testing.T) {
	var (
		mu   sync.Mutex
		told []string
	)
	now := time.Unix(1e9, 0)
	g := &otelGuard{
		now:  func() time.Time { return now },
		told: make(map[string]time.Time),
		report: func(problem, detail string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, problem+": "+detail)
		},
	}
	for range 1000 {
		g.Handle(errors.New(hush))
		g.Handle(nil)
		g.Error(errors.New(hush), "parse headers", "input", hush)
		g.WithName(hush).WithValues("key", hush).Info(1, "slow")
	}
	now = now.Add(repeatAfter)
	g.Handle(errors.New(hush))
	want := []string{
		"OpenTelemetry failed: other", "an OTEL_ environment variable cannot be used: parse headers", "OpenTelemetry warns: slow", "OpenTelemetry failed: other",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s", strings.Join(told, "\n"))
	}
	for i := range 10 * maxTold {
		g.Info(1, fmt.Sprint("message ", i))
	}
	if len(g.told) > maxTold {
		t.Errorf("%d messages are remembered", len(g.told))
	}
	if g.Enabled(4) {
		t.Error("information about OpenTelemetry's inner life is not wanted")
	}
}
