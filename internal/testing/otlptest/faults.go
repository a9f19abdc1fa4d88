package otlptest

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// fault is how a receiver misbehaves. The zero value behaves well.
type fault struct {
	hang   bool
	delay  time.Duration
	status int
	reject int
}

// Hang makes the receiver accept calls and never answer them, until the caller gives
// up or the receiver stops.
func (r *Receiver) Hang() { r.set(fault{hang: true}) }

// Slow makes the receiver wait before every answer.
func (r *Receiver) Slow(delay time.Duration) { r.set(fault{delay: delay}) }

// Refuse makes the receiver answer every call with an HTTP status, or over gRPC with
// the matching code. Exporters retry after 429, 502, 503 and 504, and give up after
// any other status.
func (r *Receiver) Refuse(status int) { r.set(fault{status: status}) }

// RejectPart makes the receiver reject the last n spans or log records of every call,
// and report that in its answer.
func (r *Receiver) RejectPart(n int) { r.set(fault{reject: n}) }

// Recover ends every fault. Calls that hang keep hanging.
func (r *Receiver) Recover() { r.set(fault{}) }

func (r *Receiver) set(f fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

// refusal is the error of a call that the receiver refuses.
type refusal struct{ status int }

func (e refusal) Error() string { return http.StatusText(e.status) }

var errStopped = errors.New("receiver stopped")

// begin counts a well-formed call and applies the current fault. It returns how many
// of the call's items to reject.
func (r *Receiver) begin(ctx context.Context, header http.Header) (reject int, err error) {
	r.mu.Lock()
	r.calls++
	r.headers.add(maxHeaders, header)
	f := r.fault
	r.notify()
	r.mu.Unlock()

	var waited <-chan time.Time // nil, and so never ready, for a call that hangs
	if f.delay > 0 {
		timer := time.NewTimer(f.delay)
		defer timer.Stop()
		waited = timer.C
	}
	if f.hang || f.delay > 0 {
		select {
		case <-waited:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-r.stopped:
			return 0, errStopped
		}
	}
	if f.status != 0 {
		return 0, refusal{f.status}
	}
	return f.reject, nil
}

// enter reports whether the receiver still accepts calls. [Receiver.Stop] waits for
// the calls that entered.
func (r *Receiver) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.stopped:
		return false
	default:
		r.calling.Add(1)
		return true
	}
}

func (r *Receiver) leave() { r.calling.Done() }
