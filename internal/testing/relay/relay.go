// Package relay is a test double for the network between a gateway and a workspace: a TCP relay on loopback whose
// connections can go silent, be reset or be closed.
//
// A silent connection is what a NAT gateway or a firewall leaves behind when it forgets a connection: both sockets
// stay open, nobody is told, and nothing arrives any more. As with lost packets, what is sent meanwhile is neither
// delivered nor refused; [Relay.Thaw] delivers it.
package relay

import (
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Relay forwards the bytes of TCP connections to one target. All methods may be called at any time.
type Relay struct {
	listener net.Listener
	target   string

	mu        sync.Mutex
	open      map[*connection]struct{}
	accepted  int
	freezeNew bool
	closed    bool
	pumps     sync.WaitGroup
}

// Start relays from a free loopback port to target, which is host:port or a URL, until the test ends.
func Start(t testing.TB, target string) *Relay {
	t.Helper()
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		target = u.Host
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{listener: listener, target: target, open: map[*connection]struct{}{}}
	r.pumps.Go(r.accept)
	t.Cleanup(r.Stop)
	return r
}

// Addr is the relay's host:port. Put the scheme of the target before it.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Freeze silences the connections that are open now. New ones work.
func (r *Relay) Freeze() { r.each((*connection).freeze) }

// FreezeAll silences open connections and every new one: those are accepted, and get no answer to their first byte.
func (r *Relay) FreezeAll() {
	r.mu.Lock()
	r.freezeNew = true
	r.mu.Unlock()
	r.Freeze()
}

// Thaw ends Freeze and FreezeAll. What was sent meanwhile is delivered.
func (r *Relay) Thaw() {
	r.mu.Lock()
	r.freezeNew = false
	r.mu.Unlock()
	r.each((*connection).thaw)
}

// Drop silences the connections that are open now by losing each packet that their
// clients send: unlike with Freeze, nothing is acknowledged, not even a TCP keep-alive
// probe. It is for good, and needs no privileges but Linux, see [CanDrop].
func (r *Relay) Drop() {
	r.each(func(c *connection) {
		c.freeze() // or bytes on their way would still pass
		if err := dropPackets(c.client); err != nil && !errors.Is(err, net.ErrClosed) {
			panic("relay: dropping packets: " + err.Error())
		}
	})
}

// Reset cuts the open connections on both sides with a TCP reset.
func (r *Relay) Reset() { r.each((*connection).reset) }

// Close closes the open connections on both sides in order (FIN).
func (r *Relay) Close() { r.each((*connection).close) }

// Accepted is the number of connections that clients have opened so far.
func (r *Relay) Accepted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

// Stop closes the listener, so that new connections are refused, resets open ones and waits for both to end.
func (r *Relay) Stop() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	_ = r.listener.Close()
	r.Reset()
	r.pumps.Wait()
}

func (r *Relay) each(do func(*connection)) {
	r.mu.Lock()
	connections := make([]*connection, 0, len(r.open))
	for c := range r.open {
		connections = append(connections, c)
	}
	r.mu.Unlock()
	for _, c := range connections {
		do(c)
	}
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.accepted++
		r.mu.Unlock()
		r.pumps.Go(func() { r.serve(client.(*net.TCPConn)) })
	}
}

func (r *Relay) serve(client *net.TCPConn) {
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		// As directly: the client of a target that refuses is reset.
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	c := newConnection(client, server.(*net.TCPConn))
	r.mu.Lock()
	if r.freezeNew {
		c.freeze()
	}
	closed := r.closed
	r.open[c] = struct{}{}
	r.mu.Unlock()
	if closed {
		c.reset()
	}
	c.run()
	r.mu.Lock()
	delete(r.open, c)
	r.mu.Unlock()
}
