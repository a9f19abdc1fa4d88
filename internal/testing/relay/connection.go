package relay

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// A connection is one client's, with the one to the target that goes with it.
type connection struct {
	client, server *net.TCPConn

	mu     sync.Mutex
	passes chan struct{} // closed while bytes pass
	ended  chan struct{}
	end    sync.Once
}

func newConnection(client, server *net.TCPConn) *connection {
	passes := make(chan struct{})
	close(passes)
	return &connection{client: client, server: server, passes: passes, ended: make(chan struct{})}
}

// run returns when both directions have ended.
func (c *connection) run() {
	var pumps sync.WaitGroup
	pumps.Go(func() { c.pump(c.server, c.client) })
	pumps.Go(func() { c.pump(c.client, c.server) })
	pumps.Wait()
	c.close()
}

// pump forwards bytes, and the end of them. While the connection is frozen it holds what it has read and reads no
// more, so the sender's bytes pile up in the kernel as they would if their packets were lost.
func (c *connection) pump(to, from *net.TCPConn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !c.wait() {
			return
		}
		if n > 0 {
			if _, werr := to.Write(buffer[:n]); werr != nil {
				c.reset()
				return
			}
		}
		if err != nil {
			if isReset(err) {
				c.reset()
			}
			_ = to.CloseWrite()
			return
		}
	}
}

// wait returns when bytes may pass, or false when the connection has ended.
func (c *connection) wait() bool {
	c.mu.Lock()
	passes := c.passes
	c.mu.Unlock()
	select {
	case <-passes:
		return true
	case <-c.ended:
		return false
	}
}

func (c *connection) frozen() bool {
	select {
	case <-c.passes:
		return false
	default:
		return true
	}
}

func (c *connection) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen() {
		c.passes = make(chan struct{})
	}
}

func (c *connection) thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen() {
		close(c.passes)
	}
}

func (c *connection) reset() {
	c.finish(func(side *net.TCPConn) { _ = side.SetLinger(0) })
}

func (c *connection) close() { c.finish(func(*net.TCPConn) {}) }

func (c *connection) finish(prepare func(*net.TCPConn)) {
	c.end.Do(func() {
		close(c.ended)
		for _, side := range []*net.TCPConn{c.client, c.server} {
			prepare(side)
			_ = side.Close()
		}
	})
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
