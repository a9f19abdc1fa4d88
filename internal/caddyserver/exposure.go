package caddyserver

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/trustedpath"
)

// adminWarned are the addresses that were warned about, so that reloads do not repeat it.
var adminWarned sync.Map

// warnOfAdmin warns once if the admin API is open to others than this user.
func warnOfAdmin(ctx caddy.Context, logger *zap.Logger) {
	address, ok := adminAddress(ctx)
	if !ok {
		return
	}
	if who := openTo(address); who != "" {
		if _, warned := adminWarned.LoadOrStore(address.String(), nil); !warned {
			logger.Warn("the admin API is open to others: whoever connects can POST /load a configuration that prints the {env.…} and {file.…} secrets of this process, or that no longer enforces",
				zap.String("address", address.String()),
				zap.String("open_to", who),
				zap.String("instead", "admin unix//run/scopegate/admin.sock|0600, or admin off"))
		}
		return
	}
	if !isFile(address) {
		return
	}
	if err := trustedpath.CheckFolder(filepath.Dir((&listen{address: address}).path())); err != nil {
		if _, warned := adminWarned.LoadOrStore(address.String(), nil); !warned {
			logger.Warn("another user can put a socket in the place of the admin API's, and would get what commands send; use a folder that only this user can write to",
				zap.String("address", address.String()), zap.Error(err))
		}
	}
}

// openTo says who can connect to an address besides this user, an empty string for nobody.
func openTo(address caddy.NetworkAddress) string {
	switch {
	case address.IsFdNetwork():
		return openFile(address.Host)
	case address.IsUnixNetwork() && strings.HasPrefix(address.Host, "@"):
		return "every process in this network namespace, and so every container of the pod: an abstract socket has no permissions"
	case address.IsUnixNetwork():
		_, mode, _ := strings.Cut(address.Host, "|")
		switch bits, err := strconv.ParseUint(mode, 8, 32); {
		case err != nil:
			return ""
		case bits&0o002 != 0:
			return "every user who can reach its path"
		case bits&0o020 != 0:
			return "every user in its group who can reach its path"
		}
		return ""
	}
	host := strings.Trim(address.Host, "[]")
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return "every process on this machine, and every container of the pod"
	}
	return "other machines, every process on this one, and every container of the pod"
}

// openFile says who can connect to a socket that a parent process passed. Of a Unix socket
// that is the parent's affair.
func openFile(descriptor string) string {
	if socketIsUnix(descriptor) {
		return ""
	}
	return fmt.Sprintf("whoever can connect to the socket that was passed as file descriptor %s", descriptor)
}
