package fakeworkspace

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// listener is one listening socket of the workspace.
type listener struct {
	url    string
	server *http.Server
	done   chan struct{}
	ca     *authority
}

// Start serves plain HTTP on a free port of 127.0.0.1: HTTP/1.1, and HTTP/2 with prior knowledge (h2c).
func (w *Workspace) Start() error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	l, err := w.listen(&http.Server{Protocols: &protocols}, nil)
	if err != nil {
		return err
	}
	return w.keep(&w.plain, l)
}

// StartTLS serves HTTP/1.1 and HTTP/2 over TLS on another free port of 127.0.0.1, with a certificate
// for localhost and the loopback addresses. [Workspace.CAPool] and [Workspace.CAPEM] return its CA.
func (w *Workspace) StartTLS() error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	l, err := w.listen(&http.Server{
		Protocols: &protocols,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{ca.leaf}, MinVersion: tls.VersionTLS12},
	}, ca)
	if err != nil {
		return err
	}
	return w.keep(&w.secure, l)
}

func (w *Workspace) listen(server *http.Server, ca *authority) (*listener, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting workspace: %w", err)
	}
	server.Handler = w
	server.ReadHeaderTimeout = 30 * time.Second
	server.BaseContext = func(net.Listener) context.Context { return w.ctx }
	server.ErrorLog = log.New(io.Discard, "", 0) // tests cause resets and bad handshakes on purpose
	l := &listener{server: server, done: make(chan struct{}), ca: ca, url: "http://" + socket.Addr().String()}
	if ca != nil {
		l.url = "https://" + socket.Addr().String()
	}
	go func() {
		defer close(l.done)
		if ca != nil {
			_ = server.ServeTLS(socket, "", "")
		} else {
			_ = server.Serve(socket)
		}
	}()
	return l, nil
}

// keep stores the listener, or stops it if one is running or the workspace is closed.
func (w *Workspace) keep(slot **listener, l *listener) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || *slot != nil {
		_ = l.server.Close()
		<-l.done
		if w.closed {
			return errors.New("starting workspace: already closed")
		}
		return errors.New("starting workspace: already started")
	}
	*slot = l
	return nil
}

// URL returns the base URL of the workspace, without a trailing slash: plain HTTP if that was started,
// or else TLS, or empty if neither was.
func (w *Workspace) URL() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.plain != nil:
		return w.plain.url
	case w.secure != nil:
		return w.secure.url
	default:
		return ""
	}
}

// TLSURL returns the base URL over TLS, empty before [Workspace.StartTLS].
func (w *Workspace) TLSURL() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.secure == nil {
		return ""
	}
	return w.secure.url
}

// CAPEM returns the CA certificate in PEM, nil before [Workspace.StartTLS].
func (w *Workspace) CAPEM() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.secure == nil {
		return nil
	}
	return w.secure.ca.pem
}

// CAPool returns a pool that holds only the CA certificate.
func (w *Workspace) CAPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.CAPEM())
	return pool
}

// base returns the base URL for clients: the workspace's, or the request's if another server serves the
// workspace.
func (w *Workspace) base(r *http.Request) string {
	url := w.URL()
	if r.TLS != nil { // a workspace never names an address without it
		url = w.TLSURL()
	}
	if url := cmp.Or(w.advertised, url); url != "" {
		return url
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Close stops the sockets, ends every request and stream, and waits for them. It may be called twice.
func (w *Workspace) Close() {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.closed = true
	open := []*listener{w.plain, w.secure}
	w.mu.Unlock()

	w.cancel()
	w.faults.Clear()
	for _, l := range open {
		if l != nil {
			_ = l.server.Close()
			<-l.done
		}
	}
	w.spark.Stop()
	w.waitForRequests(10 * time.Second)
	w.keys.release()
}

// waitForRequests is bounded because a test's server may hold a request body open.
func (w *Workspace) waitForRequests(limit time.Duration) {
	done := make(chan struct{})
	go func() {
		w.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
