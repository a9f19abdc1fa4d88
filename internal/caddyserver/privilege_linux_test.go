package caddyserver

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPrivilegedPort: without the right to listen on a port, the error says how to get it.
func TestPrivilegedPort(t *testing.T) {
	t.Parallel()
	if limit, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil || strings.TrimSpace(string(limit)) == "0" {
		t.Skip("no port needs a right here")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock it: the thread ends with this goroutine
		header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var sets [2]unix.CapUserData
		if err := unix.Capget(header, &sets[0]); err == nil {
			sets[0].Effective &^= 1 << unix.CAP_NET_BIND_SERVICE
			err = unix.Capset(header, &sets[0])
			if err != nil {
				t.Error(err)
			}
		}
		done <- CheckFree("127.0.0.1:1")
	}()
	err := <-done
	if !errors.Is(err, syscall.EACCES) {
		t.Fatal(err)
	}
	for _, says := range []string{"port 1", "8443", "sysctl net.ipv4.ip_unprivileged_port_start=1", "setcap cap_net_bind_service=+ep /"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q does not say %q", err, says)
		}
	}
}
