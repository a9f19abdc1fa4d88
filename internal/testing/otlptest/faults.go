package otlptest

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// fault is what is wrong with a receiver. The zero value is a good one.
type fault struct {
	hang   bool
	delay  time.Duration
	status int
	reject int
}

// Hang lets the receiver take calls and never answer them, until their callers give
// up or it is stopped.
func (r *Receiver) Hang() { r.set(fault{hang: true}) }

// Slow lets the receiver take its time before every answer.
func (r *Receiver) Slow(delay time.Duration) { r.set(fault{delay: delay}) }

// Refuse lets the receiver answer every call with an HTTP status, or over gRPC with
// the code that OTLP has for it: with 429, 502, 503 and 504 exporters try again, with
// others they give up.
func (r *Receiver) Refuse(status int) { r.set(fault{status: status}) }

// RejectPart lets the receiver take calls but for their last n spans or log records,
// and say so in its answer.
func (r *Receiver) RejectPart(n int) { r.set(fault{reject: n}) }

// Recover makes the receiver a good one again. Calls left hanging stay so.
func (r *Receiver) Recover() { r.set(fault{}) }

func (r *Receiver) set(f fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

// refusal is a call's end other than success.
type refusal struct{ status int }

func (e refusal) Error() string { return http.StatusText(e.status) }

var errStopped = errors.New("receiver stopped")

// begin counts a well-formed call and suffers the fault that is on. It returns how
// many of the call's items to reject.
func (r *Receiver) begin(ctx context.Context, header http.Header) (reject int, err error) {
	r.mu.Lock()
	r.calls++
	r.headers.add(maxHeaders, header)
	f := r.fault
	r.notify()
	r.mu.Unlock()

	var waited <-chan time.Time // never comes for a call that hangs
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

// enter tells whether there is still someone to serve a call; [Receiver.Stop] waits
// for those that entered to leave.
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
