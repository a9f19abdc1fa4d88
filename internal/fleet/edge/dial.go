package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/internal/pemfile"
)

const (
	// dialTimeout bounds one attempt to connect: an authority that is down must not use up the
	// time of a look-up.
	dialTimeout = time.Second
	// quiet is how long an HTTP/2 connection says nothing before it is asked whether it lives,
	// and pong how long that answer may take.
	quiet = 3 * time.Second
	pong  = 2 * time.Second
)

// transport returns what connects to one authority. Files are read for every connection, so
// that what was rotated is picked up.
func (c *Client) transport() *http.Transport {
	dialer := &net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: quiet, Interval: pong, Count: 2},
	}
	return &http.Transport{
		Proxy:       nil, // not through a proxy of the client beside us
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			config, err := c.tlsConfig()
			if err != nil {
				return nil, notConfigured(err)
			}
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			config.ServerName = host
			ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
			defer cancel()
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(conn, config)
			if err := secure.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
				return nil, fmt.Errorf("TLS: %w", err)
			}
			return secure, nil
		},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: quiet, PingTimeout: pong, WriteByteTimeout: quiet + pong},
	}
}

func (c *Client) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if c.options.Trust != "" {
		authorities, err := pemfile.Authorities(c.options.Trust)
		if err != nil {
			return nil, fmt.Errorf("authority trust: %w", err)
		}
		config.RootCAs = authorities
	}
	if c.options.ClientCertificate != "" {
		pair, err := tls.LoadX509KeyPair(c.options.ClientCertificate, c.options.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("authority client_certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
