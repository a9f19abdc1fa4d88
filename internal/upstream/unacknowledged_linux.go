package upstream

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is how long bytes may be on their way without a sign of the other side.
// By default Linux tries for a quarter of an hour.
const unacknowledged = 30 * time.Second

// BoundUnacknowledged makes the kernel close a TCP connection whose bytes the other side
// does not acknowledge for 30 seconds. Without it a request that was sent into a network
// that drops packets hangs for a quarter of an hour.
func BoundUnacknowledged(conn net.Conn) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	// It fails for sockets other than TCP's, which need no such bound.
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
	})
}
