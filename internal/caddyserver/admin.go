package caddyserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// adminTaken is set if another process listens on the default address of Caddy's admin
// API. Configurations are loaded one at a time.
var adminTaken error

// LookAtAdmin is to be called before Caddy opens the endpoint of its admin API. Caddy does
// not tell modules where that will be, so only the default address is looked at.
func LookAtAdmin() { adminTaken = CheckAdminFree(caddy.DefaultAdminListen) }

// confirmAdmin fails if this process shares the admin API's default address.
func confirmAdmin() error {
	address, err := caddy.ParseNetworkAddress(caddy.DefaultAdminListen)
	if err == nil && (&listen{address: address}).used() {
		return adminTaken
	}
	return nil
}

// CheckAdminFree fails if another process serves the admin API on an address. A process
// that is shutting down does so until its end, and may be replaced.
func CheckAdminFree(address string) error {
	err := CheckFree(address)
	if err == nil || stopping(address) {
		return nil
	}
	return err
}

// stopping reports whether the process behind an admin API is shutting down: Caddy
// then shows its configuration no more, and accepts the connection all the same.
func stopping(address string) bool {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil || parsed.IsUnixNetwork() {
		return false // its end would unlink our socket
	}
	client := http.Client{
		Timeout: time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", parsed.JoinHostPort(0))
		}},
	}
	answer, err := client.Get("http://" + parsed.JoinHostPort(0) + "/config/")
	if err != nil {
		netError, ok := errors.AsType[net.Error](err)
		return ok && netError.Timeout()
	}
	_ = answer.Body.Close()
	return false
}
