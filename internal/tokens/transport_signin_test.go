package tokens

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// listenAt429 listens at a port whose number holds 429.
func listenAt429(t *testing.T) net.Listener {
	t.Helper()
	for _, begin := range []int{14290, 24290, 34290, 44290, 42900, 42910, 42920} {
		for port := begin; port < begin+10; port++ {
			if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				return listener
			}
		}
	}
	t.Fatal("no port with 429 in its number is free")
	return nil
}

// TestOutageOfAWorkspaceWithAFatefulName holds that outages are told as such, and not
// after a minute of retries, where the SDK finds 429 in a workspace's URL.
func TestOutageOfAWorkspaceWithAFatefulName(t *testing.T) {
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
			workspace := fakeworkspace.New()
			t.Cleanup(workspace.Close)
			listener := listenAt429(t)
			server := &http.Server{Handler: workspace}
			go func() { _ = server.Serve(listener) }()
			t.Cleanup(func() { _ = server.Close() })
			workspace.Faults().Set(test.prefix, test.fault)

			c := newClock()
			r := newTestResolver(t, NewService("http://"+listener.Addr().String(), m2m(workspace), quick.Timeout), c)
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
