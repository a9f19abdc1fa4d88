package exchange

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/caddyserver"
)

const (
	// changeTime is how long the workspace's answer to a change is awaited after the client
	// has left.
	changeTime = 30 * time.Second
	// doubtTime is after how much of that the change may have been made for all we know. It
	// is more than a workspace takes to refuse.
	doubtTime = time.Second
	// maxAbandoned is how many answers are awaited at once whose clients have left. The
	// others end with their clients, as other requests do, and put facts in doubt.
	maxAbandoned = 100
)

// abandoned counts the answers that are awaited although their clients have left.
var abandoned atomic.Int64

// watchChange makes a change of tokens take effect here at once. Its answer is what tells
// whether the change was made, so the request goes on when its client leaves: one that
// hangs up learns nothing else, and causes nothing else, than one that stays. Call done
// when the next handlers have returned.
func (x *exchange) watchChange() (done func()) {
	changed := x.rec.WatchChange(x.r, x.e.Tokens())
	if changed == nil {
		return func() {}
	}
	var sent atomic.Int32
	answered := func(status int) {
		if sent.Load() > 1 && status >= http.StatusMultipleChoices {
			// net/http, or a proxy, has sent it again after a broken connection: the first may
			// have been the one that deleted what the second did not find.
			status = 0
		}
		changed(status)
	}
	left := x.r.Context()
	x.w.onHead = func(status int) {
		if left.Err() != nil {
			x.life.end(audit.ClientLeft, "") // nobody gets the answer
		}
		answered(status)
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(left))
	x.onward = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Add(1) }})
	stopAtExit := context.AfterFunc(caddyserver.Requests(), func() { cancel(caddyserver.ErrExit) })
	stopAfter := context.AfterFunc(left, func() {
		if abandoned.Add(1) > maxAbandoned {
			cancel(context.Canceled)
		}
		doubt := time.AfterFunc(doubtTime, func() {
			if x.w.answered().status == 0 {
				answered(0)
			}
		})
		end := time.AfterFunc(changeTime, func() { cancel(context.Canceled) })
		context.AfterFunc(ctx, func() {
			doubt.Stop()
			end.Stop()
			abandoned.Add(-1)
		})
	})
	return func() {
		stopAtExit()
		stopAfter()
		cancel(nil)
		answered(x.upstreamStatus())
	}
}
