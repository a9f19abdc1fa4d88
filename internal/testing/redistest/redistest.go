// Package redistest starts real Redis servers on loopback for tests, and ends them.
package redistest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server that a test started.
type Server struct {
	Addr string // 127.0.0.1:port
	Dir  string // its working directory
	tb   testing.TB
	args []string
	cmd  *exec.Cmd
}

// Start starts a server with more arguments, such as "--maxmemory", "4mb". It skips the
// test where there is no redis-server. The server ends with the test.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		tb.Skip("skipped: there is no redis-server; install it with apt-get install redis-server")
	}
	s := &Server{tb: tb, args: args, Dir: tb.TempDir()}
	tb.Cleanup(s.Stop)
	for range 5 { // another process may take the port first
		port := freePort(tb)
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if s.start() {
			return s
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	tb.Fatalf("redis-server does not start: %s", log)
	return nil
}

// Restart starts the server again on its address, after Stop or Kill.
func (s *Server) Restart() {
	s.tb.Helper()
	if !s.start() {
		s.tb.Fatal("redis-server does not start again")
	}
}

// Stop ends the server and waits until it has.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server without letting it save anything.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Pause stops the process as a hung server would: connections stay open, nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // a paused process does not end
	_ = s.cmd.Process.Signal(sig)
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *Server) start() bool {
	_, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", s.Dir, "--logfile", filepath.Join(s.Dir, "log"),
		"--save", "", "--appendonly", "no", "--daemonize", "no",
	}, s.args...)
	cmd := exec.Command("redis-server", args...)
	if err := cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.cmd = cmd
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if conn, err := net.DialTimeout("tcp", s.Addr, time.Second); err == nil {
			conn.Close()
			return true
		}
		if cmd.ProcessState == nil && syscall.Kill(cmd.Process.Pid, 0) != nil {
			break
		}
		time.Sleep(10 * time.Millisecond) // until the process listens; there is nothing to wait on
	}
	s.end(syscall.SIGKILL)
	return false
}

func freePort(tb testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
