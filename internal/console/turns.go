package console

import (
	"context"
	"net/http"
	"time"
)

const (
	// maxTurns bounds how many answers are made at once that look at all tokens: of ten
	// thousand, each takes some megabytes, and the gateway beside needs its memory.
	maxTurns = 8
	// turnPatience is how long a browser waits for its turn.
	turnPatience = 30 * time.Second
	// answerPatience is how long a browser may take to receive an answer.
	answerPatience = time.Minute
)

// inTurn makes requests wait for each other.
func (s *server) inTurn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), turnPatience)
		defer cancel()
		select {
		case s.turns <- struct{}{}:
			defer func() { <-s.turns }()
			next(w, r)
		case <-ctx.Done():
			w.Header().Set("Retry-After", "10")
			http.Error(w, "503: too many browsers ask for tokens at once; try again", http.StatusServiceUnavailable)
		}
	}
}

// hurry ends the connection of a browser that does not soon receive what is written until sent
// is called. Not every connection has deadlines.
func hurry(w http.ResponseWriter) (sent func()) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(answerPatience))
	return func() {
		_ = control.Flush()
		_ = control.SetWriteDeadline(time.Time{}) // the next request on the connection has its own
	}
}
