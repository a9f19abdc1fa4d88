package fakeworkspace

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
)

// maxEvents bounds one stream.
const maxEvents = 1000

func (w *Workspace) registerServing() {
	w.on(func(rw http.ResponseWriter, _ *http.Request) {
		ok(rw, map[string]any{"endpoints": []any{map[string]any{
			"name": "chat", "creator": adminUser, "state": map[string]string{"ready": "READY", "config_update": "NOT_UPDATING"},
		}}})
	}, "GET /api/2.0/serving-endpoints")
	w.on(w.invoke, "POST /serving-endpoints/{name}/invocations", "POST /serving-endpoints/chat/completions")
}

// invocation is what a model is asked; the rest of the body is not looked at.
type invocation struct {
	Model     string            `json:"model"`
	Messages  []json.RawMessage `json:"messages"`
	MaxTokens int               `json:"max_tokens"`
	Stream    bool              `json:"stream"`
}

// invoke answers any model name. A stream has max_tokens events, 3 if that is not given.
func (w *Workspace) invoke(rw http.ResponseWriter, r *http.Request) {
	var req invocation
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	model := r.PathValue("name")
	if model == "" {
		model = req.Model
	}
	rw.Header().Set("Served-Model-Name", clip(model))
	switch {
	case req.Stream:
		w.stream(rw, r, model, req.MaxTokens)
	case req.Messages != nil:
		ok(rw, map[string]any{
			"id": newUUID(), "object": "chat.completion", "created": w.now().Unix(), "model": model,
			"choices": []any{map[string]any{
				"index": 0, "finish_reason": "stop", "message": map[string]string{"role": "assistant", "content": "Hello."},
			}},
			"usage": map[string]int{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
		})
	default:
		ok(rw, map[string]any{"predictions": []any{1}})
	}
}

// stream sends server-sent events, each flushed on its own.
func (w *Workspace) stream(rw http.ResponseWriter, r *http.Request, model string, events int) {
	if events <= 0 {
		events = 3
	}
	rw.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-cache")
	rw.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(rw).Flush
	_ = flush() // the headers go out before the first event
	id := newUUID()
	for i := range min(events, maxEvents) + 1 {
		if w.events.wait(r.Context()) != nil {
			panic(http.ErrAbortHandler) // half a stream must not look like a whole one
		}
		data := []byte("[DONE]")
		if i < min(events, maxEvents) {
			data, _ = json.Marshal(map[string]any{
				"id": id, "object": "chat.completion.chunk", "created": w.now().Unix(), "model": model,
				"choices": []any{map[string]any{"index": 0, "delta": map[string]string{"content": "word" + strconv.Itoa(i+1) + " "}}},
			})
		}
		if _, err := rw.Write([]byte("data: " + string(data) + "\n\n")); err != nil {
			return
		}
		if flush() != nil {
			return
		}
	}
}

// EventGate lets a test decide when server-sent events go out.
type EventGate struct {
	step chan struct{}
	open chan struct{}
	once sync.Once
}

// eventGate is the gate in force, none most of the time.
type eventGate struct {
	mu      sync.Mutex
	current *EventGate
}

// HoldEvents stops every event stream before its next event, "[DONE]" included, until the gate says so.
// It takes the place of an earlier gate, which opens.
func (w *Workspace) HoldEvents() *EventGate {
	g := &EventGate{step: make(chan struct{}), open: make(chan struct{})}
	context.AfterFunc(w.ctx, g.Open)
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	if w.events.current != nil {
		w.events.current.Open()
	}
	w.events.current = g
	return g
}

// Next lets one event out. It waits until a stream takes it.
func (g *EventGate) Next(ctx context.Context) error {
	select {
	case g.step <- struct{}{}:
		return nil
	case <-g.open:
		return errors.New("letting an event out: the gate is open")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Open lets everything out from now on. It may be called twice.
func (g *EventGate) Open() { g.once.Do(func() { close(g.open) }) }

func (e *eventGate) wait(ctx context.Context) error {
	e.mu.Lock()
	g := e.current
	e.mu.Unlock()
	if g == nil {
		return ctx.Err()
	}
	select {
	case <-g.step:
		return nil
	case <-g.open:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
