package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"time"
)

// Path is where the webhook answers reviews.
const Path = "/mutate"

// handler answers reviews.
type handler struct {
	config func() *Config
	policy ErrorPolicy
	log    *slog.Logger
	turns  chan struct{} // one for each review that is judged at a time
	large  chan struct{} // one for each large review that is in memory
	// largeWait is how long a large review waits for one of them.
	largeWait time.Duration
}

// maxTurns and maxLarge bound the memory of reviews. A large one may take 120 MB while it is
// judged.
const (
	maxTurns = 2
	maxLarge = 1
)

func newHandler(config func() *Config, policy ErrorPolicy, log *slog.Logger) *handler {
	return &handler{config: config, policy: policy, log: log, turns: make(chan struct{}, maxTurns), large: make(chan struct{}, maxLarge), largeWait: largeWait}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send an AdmissionReview with POST", http.StatusMethodNotAllowed)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "send an AdmissionReview as application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, done, err := h.read(r)
	defer done()
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errBusy):
		start := bytes.Clone(body[:smallReview])
		done() // before the rest comes in
		h.refuseUnread(w, r, start, err)
		return
	case err != nil:
		h.reject(w, http.StatusBadRequest, "the body could not be read")
		return
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-r.Context().Done():
		return // the API server has gone
	}
	request, err := readReview(body)
	if err != nil {
		h.reject(w, http.StatusBadRequest, err.Error())
		return
	}
	answer, err := h.answer(request)
	if err != nil {
		h.reject(w, http.StatusBadRequest, err.Error())
		return
	}
	h.send(w, request, answer)
}

// send writes the answer to a request.
func (h *handler) send(w http.ResponseWriter, request *request, answer response) {
	encoded, err := json.Marshal(request.answer(answer))
	if err != nil {
		h.reject(w, http.StatusInternalServerError, "the response could not be encoded")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encoded) // fails only if the API server has gone
}

// reject answers what is no proper review. The API server then does as the
// failurePolicy says.
func (h *handler) reject(w http.ResponseWriter, status int, why string) {
	h.log.Warn("a request was rejected", "status", status, "error", why)
	http.Error(w, why, status)
}

// answer decides about a request. An error says that it is malformed.
func (h *handler) answer(r *request) (response, error) {
	if !r.createsPod() && !r.addsEphemeral() {
		return response{Allowed: true}, nil
	}
	p, err := readPod(r.Object)
	var v verdict
	switch {
	case errors.Is(err, errTooLong):
		p, v = new(pod), verdict{outcome: outcomeRefused, reason: err.Error()}
	case err != nil:
		return response{}, err
	case r.addsEphemeral():
		v = decideEphemeral(h.config(), p)
	default:
		v = decide(h.config(), h.policy, p)
	}
	h.record(r, p, v)
	if v.outcome == outcomeRefused {
		return v.refusal(), nil
	}
	answer := response{Allowed: true, Warnings: v.warnings}
	if answer.Patch, err = encode(v.patch); err != nil {
		return response{}, err
	}
	if answer.Patch != nil {
		answer.PatchType = "JSONPatch"
	}
	return answer, nil
}

// refusal returns the answer to what is refused.
func (v verdict) refusal() response {
	return response{
		Status:   &status{Code: http.StatusForbidden, Reason: "Forbidden", Message: "scopegate: " + v.reason},
		Warnings: v.warnings,
	}
}

// record logs a decision, without the Pod: its variables may hold secrets.
func (h *handler) record(r *request, p *pod, v verdict) {
	level := slog.LevelInfo
	if v.outcome == outcomeRefused || v.outcome == outcomeWithout {
		level = slog.LevelWarn
	}
	attributes := []any{"outcome", v.outcome, "namespace", r.Namespace, "pod", p.title(), "uid", r.UID}
	if v.reason != "" {
		attributes = append(attributes, "reason", v.reason)
	}
	h.log.Log(context.Background(), level, "review", attributes...)
}
