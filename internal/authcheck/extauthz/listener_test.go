package extauthz_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/authcheck/extauthz"
	"github.com/scopegate/scopegate/internal/exchange"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/refusal"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

// allows and refuses are servers that judge all alike.
func allows() *extauthz.Server {
	return &extauthz.Server{
		Trusts: func(string, *tls.ConnectionState) string { return "" },
		Decide: func(exchange.Question) exchange.Answer {
			return exchange.Answer{Record: &audit.Record{Judgement: judge.Judgement{Decision: judge.Allow, Reason: policy.Permitted}}}
		},
	}
}

func refuses() *extauthz.Server {
	by := allows()
	by.Decide = func(exchange.Question) exchange.Answer {
		j := judge.Judgement{Decision: judge.Deny, Enforced: true, Reason: policy.MalformedPath}
		return exchange.Answer{Record: &audit.Record{Judgement: j}, Refusal: refusal.For(&j, "")}
	}
	return by
}

// open answers on a free port, until the test ends.
func open(t *testing.T, by *extauthz.Server, panicked func(any, []byte)) (l *extauthz.Listener, address string) {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = extauthz.Listen(socket, by, panicked)
	t.Cleanup(func() { l.Close(time.Minute) })
	return l, socket.Addr().String()
}

// dial returns a client. Each has a connection of its own.
func dial(t *testing.T, address string, by credentials.TransportCredentials) authv3.AuthorizationClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(by))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return authv3.NewAuthorizationClient(conn)
}

// question is a check of some request.
func question() *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/a"},
	}}}
}

// ask returns the code in the answer to a check, or that of the error.
func ask(t *testing.T, client authv3.AuthorizationClient) (code codes.Code, answered bool) {
	t.Helper()
	answer, err := client.Check(t.Context(), question())
	if err != nil {
		return status.Code(err), false
	}
	return codes.Code(answer.GetStatus().GetCode()), true
}

// TestEncryption: with a certificate nothing is answered in the clear, and with authorities
// nothing without a client certificate of theirs.
func TestEncryption(t *testing.T) {
	of := fleettest.NewCertificates(t)
	server, serverKey := of.Issue(t, "server")
	proxy, proxyKey := of.Issue(t, "proxy")
	others := fleettest.NewCertificates(t)
	stranger, strangerKey := others.Issue(t, "stranger")
	pair := func(certificate, key string) []tls.Certificate {
		loaded, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{loaded}
	}
	with := func(certificates []tls.Certificate) credentials.TransportCredentials {
		return credentials.NewTLS(&tls.Config{RootCAs: of.Pool(), Certificates: certificates})
	}
	oneWay := &extauthz.Encryption{Certificate: server, Key: serverKey}
	mutual := &extauthz.Encryption{Certificate: server, Key: serverKey, ClientCA: of.RootFile()}
	for _, test := range []struct {
		name    string
		server  *extauthz.Encryption
		client  credentials.TransportCredentials
		passes  bool
		subject string // of the client certificate that trust is asked about
	}{
		{"neither", nil, insecure.NewCredentials(), true, ""},
		{"TLS", oneWay, with(nil), true, ""},
		{"TLS, with a certificate that nobody asks for", oneWay, with(pair(proxy, proxyKey)), true, ""},
		{"the clear against TLS", oneWay, insecure.NewCredentials(), false, ""},
		{"TLS against the clear", nil, with(nil), false, ""},
		{"TLS of another authority", oneWay, credentials.NewTLS(&tls.Config{RootCAs: others.Pool()}), false, ""},
		{"TLS 1.1", oneWay, credentials.NewTLS(&tls.Config{RootCAs: of.Pool(), MaxVersion: tls.VersionTLS11}), false, ""},
		{"a certificate", mutual, with(pair(proxy, proxyKey)), true, "proxy"},
		{"no certificate", mutual, with(nil), false, ""},
		{"a certificate of another authority", mutual, with(pair(stranger, strangerKey)), false, ""},
		{"the clear against a certificate", mutual, insecure.NewCredentials(), false, ""},
		{"files that are not there", &extauthz.Encryption{Certificate: "missing.pem", Key: "missing.key"}, with(nil), false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			by := allows()
			by.Encryption = test.server
			by.Trusts = func(_ string, state *tls.ConnectionState) string {
				if (state != nil) != (test.server != nil) {
					t.Errorf("trust is asked with the state %v", state)
				}
				subject := ""
				if state != nil && len(state.VerifiedChains) > 0 {
					subject = state.VerifiedChains[0][0].Subject.CommonName
				}
				if subject != test.subject {
					t.Errorf("trust is asked about %q, want %q", subject, test.subject)
				}
				return ""
			}
			_, address := open(t, by, nil)
			if code, answered := ask(t, dial(t, address, test.client)); answered != test.passes || !answered && code != codes.Unavailable {
				t.Errorf("answered %v, %s", answered, code)
			}
		})
	}
}

// TestCertificateIsReplaced: the next connection gets the new files, and one that exists goes
// on.
func TestCertificateIsReplaced(t *testing.T) {
	before, after := fleettest.NewCertificates(t), fleettest.NewCertificates(t)
	certificate, key := before.Issue(t, "server")
	by := allows()
	by.Encryption = &extauthz.Encryption{Certificate: certificate, Key: key}
	_, address := open(t, by, nil)
	trusting := func(of *fleettest.Certificates) credentials.TransportCredentials {
		return credentials.NewTLS(&tls.Config{RootCAs: of.Pool()})
	}
	old := dial(t, address, trusting(before))
	if _, answered := ask(t, old); !answered {
		t.Fatal("the first connection is refused")
	}
	newCertificate, newKey := after.Issue(t, "server")
	for from, to := range map[string]string{newCertificate: certificate, newKey: key} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, answered := ask(t, dial(t, address, trusting(after))); !answered {
		t.Error("the next connection does not get the new certificate")
	}
	if _, answered := ask(t, dial(t, address, trusting(before))); answered {
		t.Error("the next connection gets the old certificate")
	}
	if _, answered := ask(t, old); !answered {
		t.Error("the connection that exists ended")
	}
}

// TestEncryptionConfig: what is wrong with the files is named, before anything is answered.
func TestEncryptionConfig(t *testing.T) {
	of := fleettest.NewCertificates(t)
	certificate, key := of.Issue(t, "server")
	_, otherKey := of.Issue(t, "other")
	for name, e := range map[string]*extauthz.Encryption{
		"certificate: open missing.pem: no such file or directory": {Certificate: "missing.pem", Key: key},
		"certificate: tls: private key does not match public key":  {Certificate: certificate, Key: otherKey},
		"client_ca: open missing.pem: no such file or directory":   {Certificate: certificate, Key: key, ClientCA: "missing.pem"},
		"client_ca: " + key + " has no certificate in PEM":         {Certificate: certificate, Key: key, ClientCA: key},
	} {
		if _, err := e.Config(); err == nil || err.Error() != name {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

// TestMetadata: who connects cannot make the listener hold large headers of calls.
func TestMetadata(t *testing.T) {
	_, address := open(t, allows(), nil)
	client := dial(t, address, insecure.NewCredentials())
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("x", 64<<10))
	if _, err := client.Check(ctx, question()); err == nil {
		t.Error("answered")
	}
	if code, _ := ask(t, client); code != codes.OK {
		t.Errorf("answered %s", code)
	}
}

// TestPanic: a check that panics is an error for Envoy, which refuses the request then, and
// the process lives.
func TestPanic(t *testing.T) {
	by := allows()
	var broken atomic.Bool
	broken.Store(true)
	decide := by.Decide
	by.Decide = func(q exchange.Question) exchange.Answer {
		if broken.Load() {
			panic("hush")
		}
		return decide(q)
	}
	var told atomic.Int32
	_, address := open(t, by, func(reason any, stack []byte) {
		if reason != "hush" || len(stack) == 0 {
			t.Errorf("told %v", reason)
		}
		told.Add(1)
	})
	client := dial(t, address, insecure.NewCredentials())
	_, err := client.Check(t.Context(), question())
	if got := status.Convert(err); got.Code() != codes.Internal || got.Message() != "the check failed" || told.Load() != 1 {
		t.Errorf("%v, told %d times", err, told.Load())
	}
	broken.Store(false)
	if code, answered := ask(t, client); !answered || code != codes.OK {
		t.Errorf("the next check: %s", code)
	}
}

// TestUse: another server answers from the next check on, on the connections that exist.
func TestUse(t *testing.T) {
	l, address := open(t, allows(), nil)
	accepted := 0
	counted, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) {
			accepted++
			return new(net.Dialer).DialContext(ctx, "tcp", to)
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer counted.Close()
	client := authv3.NewAuthorizationClient(counted)
	for i, by := range []*extauthz.Server{allows(), refuses(), allows()} {
		l.Use(by)
		want := codes.OK
		if i == 1 {
			want = codes.PermissionDenied
		}
		if code, answered := ask(t, client); !answered || code != want {
			t.Errorf("server %d: %s", i, code)
		}
	}
	if accepted != 1 {
		t.Errorf("%d connections", accepted)
	}
}

// TestClose: a check that runs is answered, and one that hangs does not hold the process.
func TestClose(t *testing.T) {
	for _, test := range []struct {
		name   string
		within time.Duration
		ends   bool // by an answer
	}{
		{"a check that ends", time.Hour, true},
		{"a check that hangs", time.Millisecond, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			by := allows()
			decide, running, end := by.Decide, make(chan struct{}), make(chan struct{})
			by.Decide = func(q exchange.Question) exchange.Answer {
				close(running)
				<-end // as what does not heed its context does
				return decide(q)
			}
			socket, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l := extauthz.Listen(socket, by, func(any, []byte) {})
			client := dial(t, socket.Addr().String(), insecure.NewCredentials())
			answered := make(chan bool)
			go func() {
				_, got := ask(t, client)
				answered <- got
			}()
			<-running
			closed := make(chan struct{})
			go func() {
				l.Close(test.within)
				close(closed)
			}()
			if test.ends {
				close(end)
			} else {
				defer close(end)
			}
			if got := <-answered; got != test.ends {
				t.Errorf("answered %v", got)
			}
			<-closed
		})
	}
}
