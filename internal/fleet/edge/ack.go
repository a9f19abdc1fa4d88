package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// ackTimeout bounds one ack. The next one says what a lost one did.
const ackTimeout = 5 * time.Second

// acks acknowledge what was applied, one at a time: while one is under way, only the latest
// position waits.
type acks struct {
	client *Client
	to     *authority
	stream http.Header // names the stream
	latest chan wire.Position
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newAcks(c *Client, to *authority, stream string) *acks {
	a := &acks{client: c, to: to, stream: http.Header{wire.StreamHeader: {stream}}, latest: make(chan wire.Position, 1)}
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(c.ctx)
	a.done.Go(func() { a.run(ctx) })
	return a
}

// put is called by one goroutine.
func (a *acks) put(position wire.Position) {
	select {
	case <-a.latest: // it is older
	default:
	}
	a.latest <- position
}

func (a *acks) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case position := <-a.latest:
			a.send(ctx, position)
		}
	}
}

// send sends one. A failure needs nothing: what is wrong with the connection ends the stream too.
func (a *acks) send(ctx context.Context, position wire.Position) {
	body, err := json.Marshal(wire.Ack{Position: position})
	if err != nil {
		return // it is a text and a number
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	resp, err := a.client.send(ctx, a.to, request{method: http.MethodPost, path: "acks", body: body}, a.stream)
	if err == nil {
		_ = resp.Body.Close()
	}
}

func (a *acks) stop() {
	a.cancel()
	a.done.Wait()
}
