//go:build !unix

package caddyserver

import "net"

// tryBind reports whether an address can be bound.
func tryBind(network, address string) error {
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	return listener.Close()
}

// socketIsUnix is false: nobody passes sockets on this system.
func socketIsUnix(string) bool { return false }
