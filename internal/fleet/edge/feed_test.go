package edge

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// feed is a stream of changes that a test writes. Whoever subscribes gets what is said next;
// the empty text ends the stream.
type feed chan string

func newFeed(texts ...string) feed {
	f := make(feed, 100)
	for _, text := range texts {
		f <- text
	}
	return f
}

func (f feed) serve(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	_ = control.Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case text := <-f:
			if text == "" {
				return
			}
			_, _ = io.WriteString(w, text) // who left needs nothing
			_ = control.Flush()
		}
	}
}

func hello(position wire.Position) string { return eventText(wire.HelloEvent, position, position) }
func reset(position wire.Position) string { return eventText(wire.ResetEvent, position, position) }
func begin(position wire.Position) string { return hello(position) + reset(position) }

func changed(position wire.Position, kind fleet.Kind) string {
	return eventText(wire.ChangeEvent, position, wire.Change{Kind: kind})
}

func eventText(name string, position wire.Position, data any) string {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return "event: " + name + "\nid: " + position.String() + "\ndata: " + string(text) + "\n\n"
}

// streams returns the routes of an authority that tells changes.
func streams(f feed) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"GET changes": f.serve, "POST acks": says(http.StatusNoContent, "")}
}

// acked returns the positions that an authority was told.
func (s *script) acked(t *testing.T) []wire.Position {
	t.Helper()
	var positions []wire.Position
	for _, request := range s.requests("POST acks") {
		var ack wire.Ack
		if err := json.Unmarshal(request.body, &ack); err != nil {
			t.Fatalf("%q: %v", request.body, err)
		}
		positions = append(positions, ack.Position)
	}
	return positions
}

// waitForAck waits until an authority knows that everything up to a position was applied.
func (s *script) waitForAck(t *testing.T, position wire.Position) {
	t.Helper()
	waitFor(t, "ack of "+position.String(), func() bool {
		acks := s.acked(t)
		return len(acks) > 0 && acks[len(acks)-1] == position
	})
}

// subscribes begins to subscribe, although look-ups do not.
func (g *gateway) subscribes() { g.running.Go(g.subscribe) }
