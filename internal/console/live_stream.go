package console

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

const (
	// streamPath is where decisions are followed. It is the path of the page with an ending.
	streamPath = "/live/stream"
	// maxStreams bounds how many browsers follow at once.
	maxStreams = 32
	// streamPatience is how long a browser may take to receive an event.
	streamPatience = 10 * time.Second
	// streamRetry is how long a browser waits before it connects again, in milliseconds.
	streamRetry = 2000
)

// stream sends decisions as they happen, as server-sent events whose data are rows of the
// table: snapshot has those that the page shows, decisions has those since, and missed is how
// many were left out because there were too many at once. Both begin with the newest.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "503: too many browsers follow already; close some", http.StatusServiceUnavailable)
		return
	}
	defer s.streams.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	go func() {
		select {
		case <-s.options.Ending: // forever, if it is nil
			end()
		case <-ctx.Done():
		}
	}()
	events := &eventWriter{to: w, control: http.NewResponseController(w)}
	matches := s.about(filterOf(r.URL.Query()))
	following := s.Recent().Follow(ctx) // before the snapshot, so that nothing is between them
	rows, err := s.rows(s.Recent().Latest(liveRows, matches))
	if err != nil || events.begin() != nil || events.send("snapshot", rows) != nil {
		return
	}
	for records, missed := range following {
		if events.sendRecords(s, slices.DeleteFunc(records, func(r *audit.Record) bool { return !matches(r) }), missed) != nil {
			return
		}
	}
}

// sendRecords sends what a follower gets. Without records it sends a comment, to find out
// whether the browser is still there.
func (e *eventWriter) sendRecords(s *server, records []*audit.Record, missed int) error {
	if missed > 0 {
		if err := e.send("missed", []byte(strconv.Itoa(missed))); err != nil {
			return err
		}
	}
	if len(records) == 0 {
		return e.write(": nothing new\n\n")
	}
	slices.Reverse(records)
	rows, err := s.rows(records)
	if err != nil {
		return err
	}
	return e.send("decisions", rows)
}

// rows returns decisions as rows of the table.
func (s *server) rows(records []*audit.Record) ([]byte, error) {
	var out bytes.Buffer
	for _, r := range records {
		if err := s.sets[livePage.template].ExecuteTemplate(&out, "decision", decisionOf(r, s.Now())); err != nil {
			return nil, err
		}
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// eventWriter writes server-sent events.
type eventWriter struct {
	to      io.Writer
	control *http.ResponseController
}

// begin tells the browser how long to wait before it connects again.
func (e *eventWriter) begin() error { return e.write(fmt.Sprintf("retry: %d\n\n", streamRetry)) }

// send sends an event. Its data may have several lines.
func (e *eventWriter) send(name string, data []byte) error {
	var event strings.Builder
	event.WriteString("event: " + name + "\n")
	for line := range bytes.Lines(data) {
		event.WriteString("data: " + strings.TrimRight(string(line), "\r\n") + "\n")
	}
	if len(data) == 0 {
		event.WriteString("data:\n") // an event without data does not happen
	}
	event.WriteString("\n")
	return e.write(event.String())
}

// write writes what the browser must take soon. Not every connection has deadlines.
func (e *eventWriter) write(text string) error {
	_ = e.control.SetWriteDeadline(time.Now().Add(streamPatience))
	if _, err := io.WriteString(e.to, text); err != nil {
		return err
	}
	err := e.control.Flush()
	_ = e.control.SetWriteDeadline(time.Time{})
	return err
}
