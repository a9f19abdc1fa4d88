package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a child process of the benchmark.
type process struct {
	name    string
	cmd     *exec.Cmd
	began   time.Time
	exited  chan struct{}
	err     error // once exited is closed
	logPath string
}

// startTimeout bounds how long a process may take to listen, and stopTimeout how long
// it may take to exit.
const (
	startTimeout = 20 * time.Second
	stopTimeout  = 5 * time.Second
)

// spawn starts a program whose output goes to a file in dir.
func spawn(dir, name string, env []string, program string, args ...string) (*process, error) {
	logPath := filepath.Join(dir, name+".log")
	output, err := os.Create(logPath)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer output.Close() // the child has a duplicate
	// What processes keep is their own: a gateway adds up what others have left in its storage.
	data, err := os.MkdirTemp(dir, name+"-data-")
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data), env...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = childAttributes()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := watch(name, logPath, cmd)
	p.began = began
	return p, nil
}

func watch(name, logPath string, cmd *exec.Cmd) *process {
	p := &process{name: name, cmd: cmd, exited: make(chan struct{}), logPath: logPath}
	go func() {
		defer close(p.exited)
		p.err = cmd.Wait()
	}()
	return p
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the process to exit, and kills it if it does not.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has exited already
	select {
	case <-p.exited:
		return
	case <-time.After(stopTimeout):
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// awaitListening waits until the process accepts connections.
func (p *process) awaitListening(ctx context.Context, addresses ...string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, address := range addresses {
		for {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case <-p.exited:
				return fmt.Errorf("%s exited at start (%w): %s", p.name, errors.Join(p.err), p.lastWords())
			case <-ctx.Done():
				return fmt.Errorf("%s does not listen on %s: %w: %s", p.name, address, ctx.Err(), p.lastWords())
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}

// lastWords returns the end of the process's output.
func (p *process) lastWords() string {
	file, err := os.Open(p.logPath)
	if err != nil {
		return ""
	}
	defer file.Close()
	const most = 2000
	if info, err := file.Stat(); err == nil && info.Size() > most {
		_, _ = file.Seek(-most, io.SeekEnd) // a shorter file is read from the start
	}
	said, _ := io.ReadAll(io.LimitReader(file, most))
	return string(said)
}

// freeAddresses returns different free addresses on the loopback interface. It holds
// all of them until it has found the last.
func freeAddresses(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for free ports: %w", err)
		}
		defer listener.Close()
		addresses[i] = listener.Addr().String()
	}
	return addresses, nil
}
