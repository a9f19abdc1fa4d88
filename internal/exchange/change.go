package exchange

import (
	"context"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/caddyserver"
)

// changeTime is how long the workspace's answer to a change is awaited after the client has
// left.
const changeTime = 30 * time.Second

// watchChange makes a change of tokens take effect here at once. Its answer is what tells
// whether the change was made, so the request goes on when its client leaves: one that
// hangs up learns nothing else, and causes nothing else, than one that stays. Call done
// when the next handlers have returned.
func (x *exchange) watchChange() (done func()) {
	changed := x.rec.WatchChange(x.r, x.e.Tokens())
	if changed == nil {
		return func() {}
	}
	keepFromRepeating(x.r.Header)
	left := x.r.Context()
	x.w.onHead = func(status int) {
		if left.Err() != nil {
			x.life.end(audit.ClientLeft, "") // nobody gets the answer
		}
		changed(status)
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(left))
	x.onward = ctx
	stopAtExit := context.AfterFunc(caddyserver.Requests(), func() { cancel(caddyserver.ErrExit) })
	stopAfter := context.AfterFunc(left, func() {
		timer := time.AfterFunc(changeTime, func() { cancel(context.Canceled) })
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	return func() {
		stopAtExit()
		stopAfter()
		cancel(nil)
		changed(x.upstreamStatus())
	}
}

// keepFromRepeating keeps net/http from sending a request once more when its connection
// breaks, as it does with one that has such a header: the first may have changed a token,
// and the answer to the second would say that there is none. The names are spelled as in
// HTTP/2, in which they mean the same.
func keepFromRepeating(h http.Header) {
	for name, plain := range map[string]string{"Idempotency-Key": "idempotency-key", "X-Idempotency-Key": "x-idempotency-key"} {
		if values, ok := h[name]; ok {
			delete(h, name)
			h[plain] = values
		}
	}
}
