//go:build !linux

package relay

import (
	"errors"
	"net"
)

// CanDrop reports whether [Relay.Drop] works on this system.
const CanDrop = false

func dropPackets(*net.TCPConn) error { return errors.ErrUnsupported }
