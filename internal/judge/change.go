package judge

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
)

// changesTokens are the operations after which what is known about tokens may be
// wrong.
var changesTokens = map[string]bool{
	"settings.TokenManagement.CreateOboToken":        true,
	"settings.TokenManagement.Delete":                true,
	"settings.TokenManagement.UpdateTokenManagement": true,
	"settings.Tokens.Create":                         true,
	"settings.Tokens.Delete":                         true,
	"settings.Tokens.Update":                         true,
}

// maxWatchedBody bounds what is kept of the body of token/delete, which is a small
// JSON object.
const maxWatchedBody = 4 << 10

// Forgetter forgets facts about tokens.
type Forgetter interface {
	// Purge forgets one token.
	Purge(id tokens.ID) bool
	// ForgetUnknown forgets which tokens are unknown.
	ForgetUnknown()
}

// WatchChange looks at a request that changes tokens as it passes, so that the change
// takes effect here at once and not after a ttl. It returns what to call with the
// status once the answer has passed, or nil for all other requests.
func (j *Judgement) WatchChange(r *http.Request, known Forgetter) func(status int) {
	if j.Operation == nil || !changesTokens[j.Operation.Name] {
		return nil
	}
	var body *prefix
	if j.Operation.Name == "settings.Tokens.Delete" && r.Body != nil {
		body = &prefix{source: r.Body}
		r.Body = body
	}
	path := r.URL.Path
	return func(status int) {
		// A lost answer may have followed a change that was made.
		if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
			return
		}
		// A new token may have been asked for before it existed.
		known.ForgetUnknown()
		id := path[strings.LastIndexByte(path, '/')+1:]
		if body != nil {
			id = body.tokenID()
		}
		if parsed, err := tokens.ParseID(id); err == nil {
			known.Purge(parsed)
		}
	}
}

// prefix is a body that keeps its beginning while it is read.
type prefix struct {
	source io.ReadCloser
	kept   []byte
}

func (p *prefix) Read(b []byte) (int, error) {
	n, err := p.source.Read(b)
	if room := maxWatchedBody - len(p.kept); room > 0 {
		p.kept = append(p.kept, b[:min(n, room)]...)
	}
	return n, err
}

func (p *prefix) Close() error { return p.source.Close() }

func (p *prefix) tokenID() string {
	var request struct {
		TokenID string `json:"token_id"`
	}
	if err := json.Unmarshal(p.kept, &request); err != nil {
		return ""
	}
	return request.TokenID
}
