package tokens

import (
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/relay"
)

// relayed returns a workspace behind a relay, and its URL. Over TLS it speaks HTTP/2.
func relayed(t *testing.T, secure bool) (*fakeworkspace.Workspace, *relay.Relay, string) {
	t.Helper()
	workspace := fakeworkspace.New()
	start, scheme := workspace.Start, "http://"
	if secure {
		start, scheme = workspace.StartTLS, "https://"
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	r := relay.Start(t, workspace.URL())
	return workspace, r, scheme + r.Addr()
}

// relayedService returns the token service of a relayed workspace, which trusts its certificate.
func relayedService(t *testing.T, workspace *fakeworkspace.Workspace, url string, timeout time.Duration, live liveness) *managementService {
	t.Helper()
	s := NewService(url, Admin{Token: given(workspace.AdminToken())}, timeout).(*managementService)
	s.transport = newTransport(timeout, live)
	if workspace.CAPEM() != nil {
		s.transport.base.Load().TLSClientConfig = &tls.Config{RootCAs: workspace.CAPool(), NextProtos: []string{"h2", "http/1.1"}}
	}
	t.Cleanup(s.Close)
	return s
}

var protocols = []struct {
	name   string
	secure bool
	proto  string
}{
	{"HTTP/1.1", false, "HTTP/1.1"},
	{"HTTP/2 over TLS", true, "HTTP/2.0"},
}

// TestSilentConnections: after the connections in use have gone silent, one look-up fails
// and the next is made on a new connection, however many idle ones there were.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	for _, test := range protocols {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			workspace, network, url := relayed(t, test.secure)
			s := relayedService(t, workspace, url, time.Second, liveness{time.Hour, time.Hour})
			token := IDOf(workspace.Mint(fakeworkspace.TokenSpec{}).Value)

			// Several idle connections, with HTTP/1.1.
			busy := workspace.Faults().Set(managementAPI, fakeworkspace.Latency(100*time.Millisecond))
			errs := make(chan error)
			for range 4 {
				go func() { _, err := s.Lookup(t.Context(), Query{ID: token}); errs <- err }()
			}
			for range 4 {
				if err := <-errs; err != nil {
					t.Fatal(err)
				}
			}
			busy.Remove()
			if requests := workspace.Requests(); requests[len(requests)-1].Proto != test.proto {
				t.Fatalf("look-ups use %s", requests[len(requests)-1].Proto)
			}

			network.Freeze()
			before := network.Accepted()
			var outage *UnavailableError
			if _, err := s.Lookup(t.Context(), Query{ID: token}); !errors.As(err, &outage) || outage.Outage != TimedOut {
				t.Fatalf("on a silent connection: %v", err)
			}
			if _, err := s.Lookup(t.Context(), Query{ID: token}); err != nil {
				t.Errorf("after one failure: %v", err)
			}
			if network.Accepted() == before {
				t.Error("no new connection")
			}
		})
	}
}

// TestPings: an HTTP/2 connection that goes silent under a request that may take long, as
// for the list of all tokens, is given up because a ping is not answered.
func TestPings(t *testing.T) {
	t.Parallel()
	workspace, network, url := relayed(t, true)
	s := relayedService(t, workspace, url, time.Minute, liveness{200 * time.Millisecond, 200 * time.Millisecond})
	if _, _, err := s.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if relay.CanDrop {
		network.Drop()
	} else {
		network.Freeze()
	}
	started := time.Now()
	var outage *UnavailableError
	if _, _, err := s.List(t.Context()); !errors.As(err, &outage) {
		t.Fatalf("on a silent connection: %v", err)
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("it took %s to notice", took)
	}
	if _, _, err := s.List(t.Context()); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// TestUsualLiveness: the pings of a transport as it is used are set, and the time they
// take keeps what the documentation promises.
func TestUsualLiveness(t *testing.T) {
	t.Parallel()
	transport := NewTransport(time.Second)
	defer transport.Close()
	h2 := transport.base.Load().HTTP2
	if h2 == nil || h2.SendPingTimeout == 0 || h2.SendPingTimeout+h2.PingTimeout > 30*time.Second {
		t.Errorf("HTTP/2 settings %+v", h2)
	}
	if !transport.base.Load().ForceAttemptHTTP2 {
		t.Error("no HTTP/2")
	}
}
