package adminsocket

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf returns the user who listens at the other end of a connection.
func peerOf(connection net.Conn) (user int, known bool) {
	socket, ok := connection.(*net.UnixConn)
	if !ok {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	var peer *unix.Ucred
	if raw.Control(func(descriptor uintptr) {
		peer, err = unix.GetsockoptUcred(int(descriptor), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}) != nil || err != nil {
		return 0, false
	}
	return int(peer.Uid), true
}
