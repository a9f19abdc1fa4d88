package extauthz

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/scopegate/scopegate/internal/pemfile"
)

const (
	// maxCheck bounds a check, in bytes: the headers of a request, of which Envoy takes 60 KiB.
	maxCheck = 256 << 10
	// maxMetadata bounds the headers of the call itself, in bytes, which anyone can send.
	maxMetadata = 16 << 10
	// maxChecks bounds the checks that wait on one connection. Envoy has one for each of its
	// threads. Any client can open that many and send nothing.
	maxChecks = 1_000
	// handshakeTime is how long a connection may take to be set up.
	handshakeTime = 10 * time.Second
)

// Listener answers checks on an address of its own, without an HTTP server in between. It
// outlives the servers that answer, so that Envoy's connections survive a change of them.
type Listener struct {
	grpc   *grpc.Server
	server atomic.Pointer[Server]
	// Panicked is told when a check panics, which is answered by an error.
	panicked func(reason any, stack []byte)
}

// Listen begins to answer on a listener, by a server. Panicked is called for a check that
// panics.
func Listen(l net.Listener, by *Server, panicked func(reason any, stack []byte)) *Listener {
	answering := &Listener{panicked: panicked}
	answering.server.Store(by)
	answering.grpc = grpc.NewServer(
		grpc.Creds(&encryption{insecure.NewCredentials(), answering}),
		grpc.MaxRecvMsgSize(maxCheck),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.MaxConcurrentStreams(maxChecks),
		grpc.ConnectionTimeout(handshakeTime),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: time.Hour}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: handshakeTime, PermitWithoutStream: true}),
	)
	authv3.RegisterAuthorizationServer(answering.grpc, &current{of: answering})
	go func() { _ = answering.grpc.Serve(l) }() // it ends when it is closed
	return answering
}

// Use makes another server answer from now on.
func (l *Listener) Use(by *Server) { l.server.Store(by) }

// Close lets checks end, for some time at most, and cuts the others. It does not wait for one that
// hangs, as both ways to stop a gRPC server could.
func (l *Listener) Close(within time.Duration) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.grpc.GracefulStop()
	}()
	patience := time.NewTimer(within)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
		go l.grpc.Stop()
	}
}

// current is the server that answers now.
type current struct {
	authv3.UnimplementedAuthorizationServer
	of *Listener
}

// Check implements [authv3.AuthorizationServer].
func (c *current) Check(ctx context.Context, check *authv3.CheckRequest) (response *authv3.CheckResponse, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			c.of.panicked(reason, debug.Stack())
			response, err = nil, status.Error(codes.Internal, "the check failed")
		}
	}()
	return c.of.server.Load().Check(ctx, check)
}

// Encryption is how connections of proxies are secured. The files are PEM, and read for each
// connection, so that changed ones need no reload.
type Encryption struct {
	Certificate, Key string
	// ClientCA has the authorities of the certificates that proxies must have. Empty if they
	// need none.
	ClientCA string
}

// Config returns the settings for a connection, or what is wrong with the files.
func (e *Encryption) Config() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(e.Certificate, e.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}}
	if e.ClientCA == "" {
		return config, nil
	}
	if config.ClientCAs, err = pemfile.Authorities(e.ClientCA); err != nil {
		return nil, fmt.Errorf("client_ca: %w", err)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

// encryption secures connections as the server that answers now says. What it embeds is for
// clients, of which there are none.
type encryption struct {
	credentials.TransportCredentials
	of *Listener
}

var errNoTLS = errors.New("this connection cannot be secured")

// ServerHandshake implements [credentials.TransportCredentials].
func (e *encryption) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	by := e.of.server.Load()
	if by.Encryption == nil {
		return e.TransportCredentials.ServerHandshake(conn)
	}
	config, err := by.Encryption.Config()
	if err != nil {
		return nil, nil, errNoTLS // start has checked the files; it is not for strangers
	}
	return credentials.NewTLS(config).ServerHandshake(conn)
}

// Clone implements [credentials.TransportCredentials].
func (e *encryption) Clone() credentials.TransportCredentials {
	return &encryption{e.TransportCredentials.Clone(), e.of}
}
