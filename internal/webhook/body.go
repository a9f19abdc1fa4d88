package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// maxReview bounds a review. Kubernetes stores no object beyond 1.5 MiB. In the JSON
	// of a review, a byte of it takes up to six (\u003c), and the caller's groups come on
	// top.
	maxReview = 10 << 20
	// smallReview is the most that is read before a review needs a turn as a large one.
	smallReview = 256 << 10
	// maxDrain bounds what is read of a review to throw it away, so that the API server
	// sees the answer. It takes requests of 3 MiB, and a review of an update holds two Pods.
	maxDrain = 64 << 20
	// largeWait is how long a large review waits for its turn: less than timeoutSeconds,
	// after which a failurePolicy of Ignore would let the Pod start without the gateway.
	largeWait = 3 * time.Second
)

var (
	errTooLarge = errors.New("the review is larger than 10 MiB; make the Pod's annotations and variables smaller")
	errBusy     = errors.New("the webhook is busy with other large reviews; try again")
)

// read returns a review, or what was read of it and an error. It bounds how many large ones
// are in memory at a time; the caller calls done once the review is no longer needed.
func (h *handler) read(r *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	if body, err = io.ReadAll(io.LimitReader(r.Body, smallReview)); err != nil || len(body) < smallReview {
		return body, done, err
	}
	wait := time.NewTimer(h.largeWait)
	defer wait.Stop()
	select {
	case h.large <- struct{}{}:
		done = sync.OnceFunc(func() { <-h.large })
	case <-wait.C:
		return body, done, errBusy
	case <-r.Context().Done():
		return body, done, r.Context().Err()
	}
	rest, err := io.ReadAll(io.LimitReader(r.Body, maxReview-smallReview+1))
	body = append(body, rest...)
	if err == nil && len(body) > maxReview {
		err = errTooLarge
	}
	return body, done, err
}

// refuseUnread refuses a review that was not read to its end. A status alone would leave the
// decision to the failurePolicy, and so to who makes a Pod large.
func (h *handler) refuseUnread(w http.ResponseWriter, r *http.Request, start []byte, why error) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain)) // whoever does not send it gets no answer
	uid := uidOf(start)
	if uid == "" {
		h.reject(w, http.StatusRequestEntityTooLarge, why.Error())
		return
	}
	request := &request{UID: uid}
	v := verdict{outcome: outcomeRefused, reason: why.Error()}
	h.record(request, new(pod), v)
	h.send(w, request, v.refusal())
}

// uidOf returns the uid of a review of which only the start is known, or nothing. The API
// server writes it first.
func uidOf(start []byte) (uid string) {
	d := json.NewDecoder(bytes.NewReader(start))
	for _, name := range []string{"request", "uid"} {
		if !enter(d, name) {
			return ""
		}
	}
	if d.Decode(&uid) != nil {
		return ""
	}
	return uid
}

// enter reads the object that comes next up to the value of a member.
func enter(d *json.Decoder, name string) bool {
	if opening, err := d.Token(); err != nil || opening != json.Delim('{') {
		return false
	}
	for d.More() {
		member, err := d.Token()
		if err != nil || member == name {
			return err == nil
		}
		if d.Decode(new(json.RawMessage)) != nil {
			return false
		}
	}
	return false
}
