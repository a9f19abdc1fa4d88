package tokens

import (
	"errors"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// TestOutageOfAWorkspaceWith429InItsURL checks that outages are reported as such, and not
// after a minute of retries, if the SDK finds 429 in a workspace's URL.
func TestOutageOfAWorkspaceWith429InItsURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, prefix string
		fault        fakeworkspace.Kind
		want         Outage
	}{
		{"discovery fails", "/oidc/.well-known/", fakeworkspace.Unavailable(""), ServerError},
		{"discovery throttled", "/oidc/.well-known/", fakeworkspace.TooManyRequests("4"), Throttled},
		{"sign-in fails", "/oidc/v1/token", fakeworkspace.InternalError(), ServerError},
		{"sign-in throttled", "/oidc/v1/token", fakeworkspace.TooManyRequests("4"), Throttled},
		{"look-up throttled", "/api/2.0/token-management/", fakeworkspace.TooManyRequests("4"), Throttled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			workspace, service := startInMemory(t, "http://127.0.0.1:14290", 30*time.Second)
			workspace.Faults().Set(test.prefix, test.fault)

			c := newClock()
			r := newTestResolver(t, service, c)
			_, err := r.Resolve(t.Context(), IDOf(somePAT), fresh)
			var outage *UnavailableError
			if !errors.As(err, &outage) || outage.Outage != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			workspace.Faults().Clear()
			c.advance(time.Minute)
			if _, err := r.Resolve(t.Context(), IDOf(somePAT), fresh); !errors.Is(err, ErrUnknownToken) {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}
