package audit

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const hush = "hush-hush"

func TestFailuresAreReportedInOurWords(t *testing.T) {
	t.Parallel()
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

func TestGuardReportsLittleAndSeldom(t *testing.T) {
	t.Parallel()
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
		t.Error("OpenTelemetry's own information is logged")
	}
}

// TestGuardsOverlap must not run in parallel, because it changes what is global.
func TestGuardsOverlap(t *testing.T) {
	var before, first, second int
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { before++ }))
	check := func(when string, want ...int) {
		t.Helper()
		otel.Handle(errors.New(hush))
		if got := []int{before, first, second}; !slices.Equal(got, want) {
			t.Errorf("%s: %v errors were handled, want %v", when, got, want)
		}
	}
	count := func(n *int) (restore func()) { return GuardOpenTelemetry(func(_, _ string) { *n++ }) }
	check("without a guard", 1, 0, 0)
	restoreFirst := count(&first)
	check("one guard", 1, 1, 0)
	restoreSecond := count(&second) // a reload starts before it stops
	check("two guards", 1, 1, 1)
	restoreFirst()
	restoreFirst()
	check("the older one restored", 1, 1, 1) // the newer one has reported it less than a minute ago
	restoreSecond()
	check("both restored", 2, 1, 1)
	again := count(&first)
	check("a later one", 2, 2, 1)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { second++ }))
	again()
	check("replaced by another package", 2, 2, 2)
}

// TestNoGuards: handlers obtained before the first guard forward to the guards for ever,
// and without one do what OpenTelemetry does. It must not run in parallel, because it
// changes the standard logger.
func TestNoGuards(t *testing.T) {
	var output strings.Builder
	log.SetOutput(&output)
	defer log.SetOutput(os.Stderr)
	new(guardStack).Handle(errors.New("not sent"))
	if !strings.Contains(output.String(), "not sent") {
		t.Errorf("logged %q", output.String())
	}
}
