package fakeworkspace

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// registerAnthropic serves the serving endpoints' imitation of Anthropic's API.
func (w *Workspace) registerAnthropic() {
	w.on(w.messages, "POST /serving-endpoints/anthropic/v1/messages")
}

// messages answers with one word, or with a stream of three, which [Workspace.HoldEvents]
// holds.
func (w *Workspace) messages(rw http.ResponseWriter, r *http.Request) {
	var req invocation
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	message := map[string]any{
		"id": "msg_" + newUUID(), "type": "message", "role": "assistant", "model": clip(req.Model), "content": []any{},
		"stop_reason": nil, "stop_sequence": nil, "usage": map[string]int{"input_tokens": 1, "output_tokens": 1},
	}
	if !req.Stream {
		message["content"] = []any{map[string]string{"type": "text", "text": "Hello."}}
		message["stop_reason"] = "end_turn"
		ok(rw, message)
		return
	}
	rw.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-cache")
	rw.WriteHeader(http.StatusOK)
	send := func(kind string, fields map[string]any) {
		fields["type"] = kind
		data, _ := json.Marshal(fields)
		_, _ = fmt.Fprintf(rw, "event: %s\ndata: %s\n\n", kind, data)
		_ = http.NewResponseController(rw).Flush()
	}
	send("message_start", map[string]any{"message": message})
	send("content_block_start", map[string]any{"index": 0, "content_block": map[string]string{"type": "text", "text": ""}})
	for i := range 3 {
		if w.events.wait(r.Context()) != nil {
			panic(http.ErrAbortHandler) // a cut stream must not look complete
		}
		send("content_block_delta", map[string]any{
			"index": 0, "delta": map[string]string{"type": "text_delta", "text": fmt.Sprintf("word%d ", i+1)},
		})
	}
	send("content_block_stop", map[string]any{"index": 0})
	send("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": "end_turn", "stop_sequence": nil}, "usage": map[string]int{"output_tokens": 3},
	})
	send("message_stop", map[string]any{})
}
