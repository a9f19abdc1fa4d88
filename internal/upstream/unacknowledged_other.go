//go:build !linux

package upstream

import "net"

// BoundUnacknowledged does nothing where the system has no such option.
func BoundUnacknowledged(net.Conn) {}
