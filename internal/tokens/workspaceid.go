package tokens

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// workspaceHeader carries the workspace's own ID. The SDK relies on it too.
const workspaceHeader = "X-Databricks-Org-Id"

// wholeList stands for the list of all tokens where a token's ID tells what was asked.
var wholeList = IDOf(listPath)

// workspaceID is the ID that a workspace gives itself. Every token of another workspace is
// refused by it, so one odd answer must not change it: it takes two different questions in
// a row whose answers agree. Clients choose which tokens are looked up, so only an answer
// that could be used counts, and only if its facts and its header name the same workspace.
// The first one counts alone: usually it is about the neutral token, or the list.
type workspaceID struct {
	current atomic.Int64 // 0 while it is not known

	mu       sync.Mutex
	proposed int64 // by the last answer that counts, if that differs from current
	by       ID    // what that answer was about
}

func (w *workspaceID) load() int64 { return w.current.Load() }

// answered takes note of a workspace's answer about a token, the neutral one, or [wholeList].
func (w *workspaceID) answered(about ID, id int64) {
	if id <= 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch current := w.current.Load(); {
	case current == id:
		w.proposed = 0
	case current == 0, w.proposed == id && w.by != about:
		w.current.Store(id)
		w.proposed = 0
	case w.proposed != id:
		w.proposed, w.by = id, about
	}
}

// noted is what a [Transport] notes of the last answer to a request for tokens, beside the
// body, which is all that the SDK returns.
type noted struct{ workspace atomic.Int64 }

type notedKey struct{}

// noting returns a context for requests whose answers are noted.
func noting(ctx context.Context) (context.Context, *noted) {
	to := new(noted)
	return context.WithValue(ctx, notedKey{}, to), to
}

func note(req *http.Request, resp *http.Response) {
	to, ok := req.Context().Value(notedKey{}).(*noted)
	if !ok {
		return
	}
	id, err := strconv.ParseInt(resp.Header.Get(workspaceHeader), 10, 64)
	if err != nil {
		id = 0
	}
	to.workspace.Store(id)
}
