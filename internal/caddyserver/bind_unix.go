//go:build unix

package caddyserver

import (
	"errors"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// tryBind reports whether an address can be bound without SO_REUSEPORT. It does not
// listen: a client that connects at this moment would be reset.
func tryBind(network, address string) error {
	resolved, err := net.ResolveTCPAddr(network, address)
	if err != nil || resolved.Zone != "" {
		return nil //nolint:nilerr // listening will say so
	}
	if ip := resolved.IP.To4(); ip != nil || network == "tcp4" {
		return bindTo(unix.AF_INET, &unix.SockaddrInet4{Port: resolved.Port, Addr: [4]byte(append(ip, make([]byte, 4)...)[:4])})
	}
	all := &unix.SockaddrInet6{Port: resolved.Port}
	copy(all.Addr[:], resolved.IP)
	err = bindTo(unix.AF_INET6, all)
	if all.Addr == [16]byte{} && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		return bindTo(unix.AF_INET, &unix.SockaddrInet4{Port: resolved.Port}) // there is no IPv6
	}
	return err
}

func bindTo(family int, address unix.Sockaddr) error {
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	unix.CloseOnExec(fd)
	// As net.Listen does: connections of a process that has ended do not matter, and an
	// IPv6 wildcard includes IPv4.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if family == unix.AF_INET6 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	return unix.Bind(fd, address)
}

// socketIsUnix reports whether a file descriptor is that of a Unix socket.
func socketIsUnix(descriptor string) bool {
	fd, err := strconv.Atoi(descriptor)
	if err != nil {
		return false
	}
	address, err := unix.Getsockname(fd)
	_, ok := address.(*unix.SockaddrUnix)
	return err == nil && ok
}
