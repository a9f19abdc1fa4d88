package tokens

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// pipes is a listener whose connections are pipes in memory. Unlike with sockets, the
// time that a test in a synctest bubble waits for them passes at once.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// startInMemory serves a new workspace in memory, under any URL, and returns its token
// service.
func startInMemory(t *testing.T, url string, timeout time.Duration) (*fakeworkspace.Workspace, Service) {
	t.Helper()
	workspace := fakeworkspace.New()
	t.Cleanup(workspace.Close)
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: workspace}
	go func() { _ = server.Serve(p) }()
	t.Cleanup(func() { _ = server.Close() })
	service := NewService(url, m2m(workspace), timeout)
	t.Cleanup(service.Close)
	service.(*managementService).transport.base.Load().DialContext = p.dial
	return workspace, service
}
