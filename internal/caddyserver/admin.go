package caddyserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// adminTaken is set if another process listens on the address of the admin API that is
// about to be opened. Configurations are loaded one at a time.
var adminTaken error

// PrepareAdmin is to be called before Caddy opens the endpoint of its admin API. It looks
// whether another process has the address. A socket in the file system it opens itself, see
// [claimSocket].
func PrepareAdmin(ctx caddy.Context) error {
	adminTaken = nil
	address, ok := adminAddress(ctx)
	if !ok {
		return nil
	}
	if isFile(address) {
		hold, err := claimSocket(address)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = hold.Close() })
		return nil
	}
	l := &listen{address: address}
	if l.used() {
		return nil
	}
	if strings.HasPrefix(address.Network, "tcp") {
		go unlockAdmin(lockStart(address.StartPort), l)
	}
	adminTaken = checkAdminFree(l)
	return nil
}

// unlockAdmin unlocks the port of the admin API once Caddy listens on it, or does not come
// to that.
func unlockAdmin(lock io.Closer, l *listen) {
	for deadline := time.Now().Add(lockPatience); !l.used() && time.Now().Before(deadline); {
		time.Sleep(lockRetry)
	}
	_ = lock.Close() // of a socket that nobody connects to
}

// confirmAdmin fails if this process shares the admin API's address with another one.
func confirmAdmin(ctx caddy.Context) error {
	if address, ok := adminAddress(ctx); ok && (&listen{address: address}).used() {
		return adminTaken
	}
	return nil
}

// adminAddress returns where the admin API of a configuration listens. It is false where it
// is off, or nowhere that Caddy could listen.
//
// Caddy keeps these settings from modules. Reading them by reflection, if they are where they
// are today, is the only way to know them before it listens: reading them with a request
// takes an address, and the configuration cannot be read while it is loaded.
func adminAddress(ctx caddy.Context) (caddy.NetworkAddress, bool) {
	listen := ""
	if config := reflect.ValueOf(ctx).FieldByName("cfg"); config.Kind() == reflect.Pointer && !config.IsNil() {
		admin := config.Elem().FieldByName("Admin")
		if admin.Kind() == reflect.Pointer && !admin.IsNil() {
			if disabled := admin.Elem().FieldByName("Disabled"); disabled.Kind() == reflect.Bool && disabled.Bool() {
				return caddy.NetworkAddress{}, false
			}
			if field := admin.Elem().FieldByName("Listen"); field.Kind() == reflect.String {
				listen = field.String()
			}
		}
	}
	return parseAdmin(listen)
}

// parseAdmin reads an address as Caddy does.
func parseAdmin(listen string) (caddy.NetworkAddress, bool) {
	listen, err := caddy.NewReplacer().ReplaceOrErr(listen, true, true)
	if err != nil {
		return caddy.NetworkAddress{}, false
	}
	if listen == "" {
		listen = caddy.DefaultAdminListen
	}
	address, err := caddy.ParseNetworkAddress(listen)
	return address, err == nil && address.PortRangeSize() == 1
}

// CheckAdminFree fails if another process serves the admin API on an address. A process
// that is shutting down does so until its end, and may be replaced.
func CheckAdminFree(address string) error {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return err
	}
	return checkAdminFree(&listen{address: parsed})
}

func checkAdminFree(l *listen) error {
	err := l.look()
	if err == nil || stopping(l.address) {
		return nil
	}
	return err
}

// stopping reports whether the process behind an admin API is shutting down. One of ours says
// so. Of another Caddy it is known by its configuration, which it shows no more, though it
// accepts the connection; but that is also how one looks that takes long to start.
func stopping(address caddy.NetworkAddress) bool {
	if address.IsUnixNetwork() {
		return false // its end would unlink our socket
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address.JoinHostPort(0))
	}}}
	client.Timeout = 5 * time.Second // it may be busy with its start
	answer, err := client.Get("http://" + address.JoinHostPort(0) + healthPath)
	if err == nil {
		defer answer.Body.Close()
		var ours struct{ Live, Stopping bool }
		if json.NewDecoder(io.LimitReader(answer.Body, 1<<10)).Decode(&ours) == nil && ours.Live {
			return ours.Stopping
		}
	}
	client.Timeout = time.Second
	if answer, err = client.Get("http://" + address.JoinHostPort(0) + "/config/"); err != nil {
		netError, ok := errors.AsType[net.Error](err)
		return ok && netError.Timeout()
	}
	_ = answer.Body.Close()
	return false
}

// healthPath is the route of the admin API that says whether a gateway is live, and whether it
// is shutting down.
const healthPath = "/databricks_scopes/health"

type nothing struct{}

func (nothing) Close() error { return nil }

var _ io.Closer = nothing{}
