package caddyserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"syscall"
	"time"
)

const (
	// lockPatience bounds how long a process waits for another one to start. Whoever
	// holds a lock for longer is up to no good.
	lockPatience = 3 * time.Second

	lockRetry = 10 * time.Millisecond
)

// lockStart keeps other gateways on this machine from starting on a port until the lock
// is closed. Otherwise two that start at the same moment, as at boot, would both find it
// free. It has no effect where sockets without a file do not exist.
func lockStart(port uint) io.Closer {
	if runtime.GOOS != "linux" {
		return noLock{}
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockRetry) {
		lock, err := net.Listen("unix", fmt.Sprintf("@scopegate/start/%d", port))
		switch {
		case err == nil:
			return lock
		case !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline):
			return noLock{}
		}
	}
}

type noLock struct{}

func (noLock) Close() error { return nil }

// lock locks the ports of listeners that this process does not have yet.
func (s *Servers) lock(listens []*listen) {
	for _, l := range listens {
		if port := l.address.StartPort; port != 0 && !l.used() && s.locks[port] == nil {
			if s.locks == nil {
				s.locks = make(map[uint]io.Closer)
			}
			s.locks[port] = lockStart(port)
		}
	}
}

// unlockWhenListening unlocks the ports once the servers listen. Caddy starts them before
// or after the app that calls this.
func (s *Servers) unlockWhenListening() {
	for deadline := time.Now().Add(lockPatience); time.Now().Before(deadline); time.Sleep(lockRetry) {
		if s.listening() {
			break
		}
	}
	s.unlock()
}

func (s *Servers) listening() bool {
	for _, c := range s.carriers {
		for _, l := range c.listens {
			if l.address.StartPort != 0 && !l.used() {
				return false
			}
		}
	}
	return true
}

// Close lets go of everything, once the servers are not used any more.
func (s *Servers) Close() {
	running.Delete(s)
	s.unlock()
}

func (s *Servers) unlock() {
	for _, lock := range s.locks {
		_ = lock.Close() // of a socket that nobody connects to
	}
}
