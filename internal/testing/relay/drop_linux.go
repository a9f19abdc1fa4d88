package relay

import (
	"net"
	"syscall"
)

// CanDrop reports whether [Relay.Drop] works on this system.
const CanDrop = true

// dropPackets makes the kernel drop all packets that arrive for a socket, before it
// acknowledges them.
func dropPackets(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		keepNothing := []syscall.SockFilter{{Code: syscall.BPF_RET | syscall.BPF_K, K: 0}}
		failed = syscall.AttachLsf(int(fd), keepNothing) //nolint:staticcheck // deprecated for a package that we do not need otherwise
	})
	if err != nil {
		return err
	}
	return failed
}
