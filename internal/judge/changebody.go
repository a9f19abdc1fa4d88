package judge

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
)

// maxWatchedBody bounds what is kept of a body that names a token, a small JSON object.
const maxWatchedBody = 16 << 10

// watchedBody is a body that keeps what is read of it. The proxy may go on reading after
// it has answered.
type watchedBody struct {
	source  io.ReadCloser
	encoded bool  // so that what is kept is not what the workspace reads
	length  int64 // of the whole body; below 1 if it is not known

	mu       sync.Mutex
	kept     []byte
	overflow bool
	ended    bool
}

// watchBody begins to keep the body of a request. It is nil where there is none.
func watchBody(r *http.Request) *watchedBody {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	w := &watchedBody{source: r.Body, length: r.ContentLength}
	for _, value := range r.Header["Content-Encoding"] {
		w.encoded = w.encoded || !strings.EqualFold(strings.TrimSpace(value), "identity")
	}
	r.Body = w
	return w
}

func (w *watchedBody) Read(b []byte) (int, error) {
	n, err := w.source.Read(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	room := min(n, maxWatchedBody-len(w.kept))
	w.kept = append(w.kept, b[:room]...)
	w.overflow = w.overflow || room < n
	w.ended = w.ended || err == io.EOF
	return n, err
}

func (w *watchedBody) Close() error { return w.source.Close() }

// tokenID returns the token that the body names. It is false if the body does not name
// one and nothing else, or was not read to its end.
func (w *watchedBody) tokenID() (tokens.ID, bool) {
	if w == nil || w.encoded {
		return tokens.ID{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.overflow || !w.ended && int64(len(w.kept)) != w.length {
		return tokens.ID{}, false
	}
	return tokenInBody(w.kept)
}

// tokenInBody returns the token of {"token_id": "..."}. Servers differ in what they make
// of anything else: a name twice, in another case or as tokenId, or more after it.
func tokenInBody(body []byte) (id tokens.ID, ok bool) {
	if strictjson.Check(body) != nil {
		return tokens.ID{}, false
	}
	for name, value := range strictjson.Members(body) {
		var text string
		if ok || name != "token_id" || json.Unmarshal(value, &text) != nil {
			return tokens.ID{}, false
		}
		var err error
		if id, err = tokens.ParseID(text); err != nil {
			return tokens.ID{}, false
		}
		ok = true
	}
	return id, ok
}
