package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/authcheck/extauthz"
	"github.com/scopegate/scopegate/internal/caddyserver"
)

// DecisionGRPC is where Envoy's checks over gRPC are answered. That is not Caddy's server: it
// would cost more than the decision.
type DecisionGRPC struct {
	// Address to listen on, such as `127.0.0.1:9191` or `unix//run/scopegate/decision.sock`.
	Listen string `json:"listen,omitempty"`

	// PEM files of the certificate and its key, for TLS. They are read for each connection.
	// Default: no TLS.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`

	// PEM file with the authorities of client certificates, which proxies must have then.
	// `client_certificate` says which of them are believed. Default: none is asked for.
	ClientCA string `json:"client_ca,omitempty"`
}

func (g *DecisionGRPC) validate() error {
	if g == nil {
		return nil
	}
	address, err := caddy.ParseNetworkAddress(g.Listen)
	switch {
	case err != nil || g.Listen == "" || !slices.Contains([]string{"tcp", "tcp4", "tcp6", "unix"}, address.Network) || address.Network != "unix" && address.StartPort == 0:
		return fmt.Errorf("grpc needs an address to listen on, such as 127.0.0.1:9191 or unix//run/scopegate/decision.sock, not %q", g.Listen)
	case address.PortRangeSize() > 1:
		return fmt.Errorf("grpc listens on one address, not on the range %s", g.Listen)
	case (g.Certificate == "") != (g.Key == ""):
		return errors.New("grpc certificate needs two PEM files, the certificate and its key")
	case g.ClientCA != "" && g.Certificate == "":
		return errors.New("grpc client_ca needs TLS; set certificate too")
	}
	return nil
}

// unmarshal reads the option grpc.
func (g *DecisionGRPC) unmarshal(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("grpc needs an address to listen on, such as 127.0.0.1:9191")
	}
	g.Listen = d.Val()
	if err := eachOption(d, g.options(d)); err != nil {
		return err
	}
	return at(d, g.validate())
}

func (g *DecisionGRPC) options(d *caddyfile.Dispenser) options {
	return options{
		"certificate": func() error { return certificateArgs(d, &g.Certificate, &g.Key) },
		"client_ca":   func() error { return oneArg(d, &g.ClientCA) },
	}
}

// encryption is nil for none.
func (g *DecisionGRPC) encryption() *extauthz.Encryption {
	if g.Certificate == "" {
		return nil
	}
	return &extauthz.Encryption{Certificate: g.Certificate, Key: g.Key, ClientCA: g.ClientCA}
}

// checkListeners answer checks on their addresses, for all configurations: proxies keep their
// connections when one replaces another.
var checkListeners = caddy.NewUsagePool()

// checkEndTime is how long checks may take to end when no configuration listens for them any more.
const checkEndTime = 5 * time.Second

// checkListener is one of them.
type checkListener struct{ *extauthz.Listener }

// Destruct implements [caddy.Destructor].
func (l *checkListener) Destruct() error {
	l.Close(checkEndTime)
	return nil
}

// address is where it listens, the same for all spellings.
func (g *DecisionGRPC) address() caddy.NetworkAddress {
	address, _ := caddy.ParseNetworkAddress(g.Listen) // was validated
	return address
}

// listen begins to answer checks over gRPC.
func (d *Decision) listen() error {
	if d.GRPC == nil {
		return nil
	}
	address := d.GRPC.address()
	if e := d.GRPC.encryption(); e != nil {
		if _, err := e.Config(); err != nil {
			return fmt.Errorf("databricks_decision grpc: %w", err)
		}
	} else if !address.IsUnixNetwork() && !caddyserver.IsLoopback(address) {
		d.logger.Warn("proxies send tokens to this address without TLS; set grpc certificate, or make sure that nobody can read along", zap.String("address", d.GRPC.Listen))
	}
	opened, _, err := checkListeners.LoadOrNew(address.String(), func() (caddy.Destructor, error) {
		l, err := openListener(d.app.ctx, address)
		if err != nil {
			return nil, err
		}
		return &checkListener{extauthz.Listen(l, d.checks(), panicked)}, nil
	})
	if err != nil {
		return fmt.Errorf("databricks_decision grpc: %w", err)
	}
	d.listening = opened.(*checkListener)
	return nil
}

// openListener listens on an address. For TCP it does so without Caddy, which would share the
// port with another process that listens there.
func openListener(ctx caddy.Context, address caddy.NetworkAddress) (net.Listener, error) {
	if !address.IsUnixNetwork() {
		return net.Listen(address.Network, address.JoinHostPort(0))
	}
	l, err := address.Listen(ctx, 0, net.ListenConfig{})
	if err != nil {
		return nil, err
	}
	return l.(net.Listener), nil
}

// checks answers for this configuration.
func (d *Decision) checks() *extauthz.Server {
	return &extauthz.Server{Decide: d.decide, Trusts: d.distrust, Encryption: d.GRPC.encryption()}
}

// apply makes this configuration answer, and not one that it replaced or that did not start.
func (d *Decision) apply() {
	if d.listening != nil {
		d.listening.Use(d.checks())
	}
}

func panicked(reason any, stack []byte) {
	handlerLogger().Error("a check panicked, and was refused; please report it", zap.String("panic", fmt.Sprintf("%T", reason)), zap.ByteString("stack", stack))
}

// Cleanup releases what is shared.
func (d *Decision) Cleanup() error {
	err := d.Handler.Cleanup()
	if d.listening != nil {
		_, failed := checkListeners.Delete(d.GRPC.address().String())
		err = errors.Join(err, failed)
	}
	return err
}
