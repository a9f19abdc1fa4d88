package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Options are those of the command.
type Options struct {
	Listen      string // address for reviews
	Certificate string // PEM files
	Key         string
	Config      string // YAML file
	Health      string // address for /livez and /readyz, or empty
	OnError     ErrorPolicy
	Log         *slog.Logger
}

// Timing of the server. The API server waits for at most 30 s.
const (
	reloadEvery    = 2 * time.Second
	requestTimeout = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	gracePeriod    = 10 * time.Second
)

// Server is a webhook that has read its files and listens.
type Server struct {
	options     Options
	certificate *watched[*tls.Certificate]
	config      *watched[*Config]
	reviews     net.Listener
	health      net.Listener // nil if off
}

// New reads the files and listens.
func New(options Options) (*Server, error) {
	if options.OnError != Deny && options.OnError != Allow {
		return nil, fmt.Errorf("--on-error must be allow or deny, not %q", options.OnError)
	}
	for _, file := range []struct{ flag, path string }{{"certificate", options.Certificate}, {"key", options.Key}, {"config", options.Config}} {
		if file.path == "" {
			return nil, fmt.Errorf("--%s <file> is missing", file.flag)
		}
	}
	s := &Server{options: options}
	var err error
	if s.config, err = watch(options.Log, "configuration", []string{options.Config}, func(contents [][]byte) (*Config, error) {
		return parseConfig(contents[0])
	}); err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	if s.certificate, err = watch(options.Log, "certificate", []string{options.Certificate, options.Key}, parseCertificate); err != nil {
		return nil, fmt.Errorf("--certificate, --key: %w", err)
	}
	if s.reviews, err = net.Listen("tcp", options.Listen); err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	if options.Health != "" {
		if s.health, err = net.Listen("tcp", options.Health); err != nil {
			_ = s.reviews.Close() // nothing was served
			return nil, fmt.Errorf("--health: %w", err)
		}
	}
	return s, nil
}

// Addr is where the server takes reviews.
func (s *Server) Addr() net.Addr { return s.reviews.Addr() }

// HealthAddr is where it answers probes, or nil.
func (s *Server) HealthAddr() net.Addr {
	if s.health == nil {
		return nil
	}
	return s.health.Addr()
}

// Serve answers until the context is done, then lets reviews end.
func (s *Server) Serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle(Path, newHandler(s.config.get, s.options.OnError, s.options.Log))
	reviews := s.server(mux)
	reviews.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.certificate.get(), nil
		},
	}
	servers := []*http.Server{reviews}
	ended := make(chan error, 2)
	go func() { ended <- reviews.ServeTLS(s.reviews, "", "") }()
	if s.health != nil {
		probes := s.server(s.probes())
		servers = append(servers, probes)
		go func() { ended <- probes.Serve(s.health) }()
	}
	s.options.Log.Info("the webhook listens", "address", s.reviews.Addr().String(), "path", Path, "on-error", string(s.options.OnError))
	err := s.wait(ctx, ended)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), gracePeriod)
	defer cancel()
	for _, server := range servers {
		if failed := server.Shutdown(grace); failed != nil && err == nil {
			err = fmt.Errorf("some reviews were cut off: %w", failed)
		}
	}
	return err
}

// wait reads files again now and then, until the context is done or a server fails.
func (s *Server) wait(ctx context.Context, ended <-chan error) error {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.options.Log.Info("the webhook ends")
			return nil
		case err := <-ended:
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		case <-tick.C:
			s.config.reload()
			s.certificate.reload()
		}
	}
}

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.options.Log.Handler(), slog.LevelWarn),
	}
}
