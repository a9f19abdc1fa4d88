package redis

import (
	"errors"
	"sync"

	redigo "github.com/gomodule/redigo/redis"
)

// errUnasked says that a server sent what nobody asked for, so that no reply can be trusted to
// belong to its command.
var errUnasked = errors.New("server sends a reply that nobody asked for")

// errAbsurd says that a server announces more than there can be.
var errAbsurd = errors.New("server announces a reply of an absurd length")

// pipe is a connection on which many may ask at a time. Commands are written by one goroutine
// and replies read by another, so that whoever waits for them can leave: its replies are read
// all the same, and dropped.
type pipe struct {
	conn   redigo.Conn
	queue  chan *call // to be written
	sent   chan *call // whose replies are due, in order
	once   sync.Once
	failed chan struct{} // closed at the first failure
	err    error         // of it
}

// call is what is asked in one go.
type call struct {
	commands []Command
	replies  []Reply
	answered chan struct{} // closed when replies are complete
	done     func()        // called then
}

// newPipe returns a pipe with room for a number of calls at a time. It must be served by write
// and by read, which end when conn is closed.
func newPipe(conn redigo.Conn, room int) *pipe {
	return &pipe{conn: conn, queue: make(chan *call, room), sent: make(chan *call, room), failed: make(chan struct{})}
}

// ask has commands written. The caller makes sure that there is room. Done is called once the
// replies were read; after a failure it is not.
func (p *pipe) ask(commands []Command, done func()) *call {
	c := &call{commands: commands, answered: make(chan struct{}), done: done}
	p.queue <- c
	return c
}

// write writes the calls of the queue. What waits in it goes out together.
func (p *pipe) write() {
	for {
		var c *call
		select {
		case c = <-p.queue:
		case <-p.failed:
			return
		}
		p.sent <- c // first: the reply may come at once
		for _, command := range c.commands {
			if err := p.conn.Send(command.name, command.arguments...); err != nil {
				p.fail(err)
				return
			}
		}
		if len(p.queue) > 0 {
			continue
		}
		if err := p.conn.Flush(); err != nil {
			p.fail(err)
			return
		}
	}
}

// read reads replies. It does so even if none is due, and so notices when the server ends the
// connection.
func (p *pipe) read() {
	for {
		first, err := receive(p.conn)
		if err != nil {
			p.fail(err)
			return
		}
		var c *call
		select {
		case c = <-p.sent:
		default:
			p.fail(errUnasked)
			return
		}
		replies := append(make([]Reply, 0, len(c.commands)), first)
		for len(replies) < len(c.commands) {
			next, err := receive(p.conn)
			if err != nil {
				p.fail(err)
				return
			}
			replies = append(replies, next)
		}
		c.replies = replies
		close(c.answered)
		c.done()
	}
}

// fail notes the first failure, and ends the connection.
func (p *pipe) fail(err error) {
	p.once.Do(func() {
		// The side that did not fail first meets a closed connection.
		if first := p.conn.Err(); first != nil {
			err = first
		}
		p.err = err
		close(p.failed)
		_ = p.conn.Close()
	})
}

// usable reports whether the pipe has not failed so far.
func (p *pipe) usable() bool {
	select {
	case <-p.failed:
		return false
	default:
		return true
	}
}

// receive reads a reply. An error of the server is one. redigo makes room for as much as the
// server announces, and panics if that is absurd.
func receive(conn redigo.Conn) (_ Reply, err error) {
	defer func() {
		if recover() != nil {
			err = errAbsurd
		}
	}()
	value, err := conn.Receive()
	if refusal, ok := errors.AsType[redigo.Error](err); ok {
		return Reply{value: refusal}, nil
	}
	return Reply{value: value}, err
}
