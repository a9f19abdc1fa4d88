package fakeworkspace

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
)

// maxEvents is the largest number of events in one stream.
const maxEvents = 1000

func (w *Workspace) registerServing() {
	w.on(func(rw http.ResponseWriter, _ *http.Request) {
		ok(rw, map[string]any{"endpoints": []any{map[string]any{
			"name": "chat", "creator": adminUser, "state": map[string]string{"ready": "READY", "config_update": "NOT_UPDATING"},
		}}})
	}, "GET /api/2.0/serving-endpoints")
	w.on(w.invoke,
		"POST /serving-endpoints/{name}/invocations", "POST /serving-endpoints/chat/completions",
		"POST /ai-gateway/mlflow/v1/chat/completions")
}

// invocation holds the fields of a model's input that matter here.
type invocation struct {
	Model     string            `json:"model"`
	Messages  []json.RawMessage `json:"messages"`
	MaxTokens int               `json:"max_tokens"`
	Stream    bool              `json:"stream"`
}

// invoke answers for any model name. A stream has max_tokens events; the default is 3.
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

// stream sends server-sent events and flushes each of them.
func (w *Workspace) stream(rw http.ResponseWriter, r *http.Request, model string, events int) {
	if events <= 0 {
		events = 3
	}
	rw.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-cache")
	rw.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(rw).Flush
	_ = flush() // send the headers before the first event
	id := newUUID()
	for i := range min(events, maxEvents) + 1 {
		if w.events.wait(r.Context()) != nil {
			panic(http.ErrAbortHandler) // a cut stream must not look complete
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

// EventGate lets a test decide when server-sent events are sent.
type EventGate struct {
	step chan struct{}
	open chan struct{}
	once sync.Once
}

// eventGate holds the current gate, nil most of the time.
type eventGate struct {
	mu      sync.Mutex
	current *EventGate
}

// HoldEvents stops every event stream before its next event, "[DONE]" included, until the gate releases
// it. It replaces an earlier gate and opens that one.
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

// Next releases one event. It waits until a stream sends it.
func (g *EventGate) Next(ctx context.Context) error {
	select {
	case g.step <- struct{}{}:
		return nil
	case <-g.open:
		return errors.New("releasing an event: the gate is open")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Open releases all events from now on. It may be called twice.
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
