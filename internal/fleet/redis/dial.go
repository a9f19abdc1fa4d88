package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/scopegate/scopegate/internal/pemfile"
)

// TLS says whom a connection trusts, and what it shows. The files are read at each dial, so
// that they can be replaced.
type TLS struct {
	Trust             string // PEM file. Default: the system's authorities.
	ClientCertificate string // PEM file, with ClientKey
	ClientKey         string
	ServerName        string // Default: the host of the address.
}

// config returns the TLS configuration for a connection to host.
func (t TLS) config(host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.ServerName != "" {
		config.ServerName = t.ServerName
	}
	if t.Trust != "" {
		var err error
		if config.RootCAs, err = pemfile.Authorities(t.Trust); err != nil {
			return nil, fmt.Errorf("tls trust: %w", err)
		}
	}
	if t.ClientCertificate != "" {
		certificate, err := tls.LoadX509KeyPair(t.ClientCertificate, t.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("tls client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// open connects to a server within ctx, and logs in. The connection is closed at the end of life.
func (o Options) open(life, ctx context.Context, address, password string) (redigo.Conn, error) {
	plain, err := o.dial(life, ctx, address)
	if err != nil {
		return nil, err
	}
	conn := redigo.NewConn(plain, 0, writeTimeout)
	patient := context.AfterFunc(ctx, func() { _ = conn.Close() })
	if o.Username != "" || password != "" {
		err = o.login(conn, password)
	}
	if err == nil && o.Database != 0 {
		_, err = redigo.DoWithTimeout(conn, dialTimeout, "SELECT", o.Database)
	}
	if !patient() {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// login names the default user, as a server without a password refuses one alone.
func (o Options) login(conn redigo.Conn, password string) error {
	_, err := redigo.DoWithTimeout(conn, dialTimeout, "AUTH", cmp.Or(o.Username, "default"), password)
	return err
}

// dial connects within ctx, and closes the connection at the end of life.
func (o Options) dial(life, ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	conn, err := o.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	tied := &tiedConn{Conn: conn}
	tied.untie = context.AfterFunc(life, func() { _ = conn.Close() })
	return tied, nil
}

func (o Options) connect(ctx context.Context, address string) (net.Conn, error) {
	dialer := &net.Dialer{}
	if !o.Secure {
		return dialer.DialContext(ctx, "tcp", address)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config, err := o.TLS.config(host)
	if err != nil {
		return nil, err
	}
	plain, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, handshakeError(address, err)
	}
	return conn, nil
}

// handshakeError says what a failed handshake means. A server without TLS waits for the end of
// the line, answers with an error of its own, or closes the connection.
func handshakeError(address string, err error) error {
	if invalid, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("certificate of %s is not trusted: %w", address, invalid.Err)
	}
	what := ""
	_, other := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case other:
		what = "does not answer with TLS"
	case errors.Is(err, context.DeadlineExceeded):
		what = "does not answer the TLS handshake in time"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		what = "closed the connection in the TLS handshake"
	default:
		return err
	}
	return fmt.Errorf("%s %s: it may not speak TLS; then write redis:// instead of rediss://", address, what)
}

// tiedConn is closed with the session that it belongs to.
type tiedConn struct {
	net.Conn
	untie func() bool
	once  sync.Once
	err   error
}

func (c *tiedConn) Close() error {
	c.once.Do(func() {
		c.untie()
		c.err = c.Conn.Close()
	})
	return c.err
}
