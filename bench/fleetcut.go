package main

import (
	"fmt"
	"net"
	"sync"
)

// cut is a network that can go silent: connections stay open and nothing arrives, as when a
// firewall forgets them. New connections are accepted and get no answer.
type cut struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	silence chan struct{} // closed when bytes may pass; nil while they do
	open    map[net.Conn]struct{}
}

func startCut(target string) (*cut, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a network: %w", err)
	}
	c := &cut{listener: listener, target: target, open: make(map[net.Conn]struct{})}
	go c.accept()
	return c, nil
}

func (c *cut) port() int { return c.listener.Addr().(*net.TCPAddr).Port }

// freeze silences everything.
func (c *cut) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silence == nil {
		c.silence = make(chan struct{})
	}
}

// thaw ends freeze. Connections that were open are gone, as they are after minutes of it.
func (c *cut) thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silence != nil {
		for conn := range c.open {
			_ = conn.Close()
		}
		close(c.silence)
		c.silence = nil
	}
}

// stop closes everything.
func (c *cut) stop() {
	_ = c.listener.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Close()
	}
	if c.silence != nil {
		close(c.silence)
		c.silence = nil
	}
}

func (c *cut) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		go c.serve(client)
	}
}

func (c *cut) serve(client net.Conn) {
	c.wait()
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		_ = client.Close() // as directly: nobody answers
		return
	}
	c.mu.Lock()
	c.open[client], c.open[server] = struct{}{}, struct{}{}
	c.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { c.copy(server, client) })
	both.Go(func() { c.copy(client, server) })
	both.Wait()
	c.mu.Lock()
	delete(c.open, client)
	delete(c.open, server)
	c.mu.Unlock()
}

// copy passes bytes on, unless it is silent, and closes both ends when one is.
func (c *cut) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 8<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			c.wait()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (c *cut) wait() {
	c.mu.Lock()
	silence := c.silence
	c.mu.Unlock()
	if silence != nil {
		<-silence
	}
}
