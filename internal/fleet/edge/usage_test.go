package edge

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

// lostUsage counts bytes of usage that could not be handed over.
type lostUsage struct {
	fleet.NoObserver
	bytes atomic.Int64
}

// UsageLost implements [fleet.Observer].
func (l *lostUsage) UsageLost(bytes int) { l.bytes.Add(int64(bytes)) }

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size   int
		answer http.HandlerFunc
		asked  int
		lost   int64
		text   string // of the error
	}{
		"taken":            {10, says(http.StatusNoContent, ""), 1, 0, ""},
		"the largest":      {wire.MaxSnapshot, says(http.StatusNoContent, ""), 1, 0, ""},
		"too large":        {wire.MaxSnapshot + 1, nil, 0, wire.MaxSnapshot + 1, "8 MiB at most"},
		"refused as large": {10, says(413, wire.Problem{Code: wire.TooLargeCode}), 1, 0, "status 413"},
		"unavailable":      {10, nil, 1, 0, "handing usage over"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := newScript(t, map[string]http.HandlerFunc{"PUT usage": c.answer})
			lost := &lostUsage{}
			store := newGateway(t, []*script{authority}, func(o *Options) { o.Observer = lost }).UsageStore()
			err := store.Save(context.Background(), "usage/v1/instance-1.json", []byte(strings.Repeat("1", c.size)))
			if (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %q", err, c.text)
			}
			requests := authority.requests("PUT usage")
			if len(requests) != c.asked || lost.bytes.Load() != c.lost {
				t.Fatalf("asked %d times, lost %d bytes", len(requests), lost.bytes.Load())
			}
			if c.asked > 0 && (requests[0].path != wire.Prefix+"usage/instance-1" || len(requests[0].body) != c.size) {
				t.Errorf("%s with %d bytes", requests[0].path, len(requests[0].body))
			}
		})
	}
}

// TestUsageOfOthers checks that an edge is told nothing.
func TestUsageOfOthers(t *testing.T) {
	t.Parallel()
	store := newGateway(t, []*script{newScript(t, nil)}).UsageStore()
	if _, err := store.Load(context.Background(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if keys, err := store.List(context.Background(), ""); err != nil || len(keys) != 0 {
		t.Errorf("%q, %v", keys, err)
	}
}

func TestOwnerName(t *testing.T) {
	t.Parallel()
	owner := func(id int64, name string) http.HandlerFunc {
		return says(200, wire.OwnerAnswer{Owner: wire.Principal{ID: id, Name: name}})
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
		err    string
	}{
		"known":          {owner(5, "a@example.com"), "a@example.com", ""},
		"not yet":        {owner(5, ""), "", errNotYet.Error()},
		"another owner":  {owner(6, "b@example.com"), "", "cannot be read"},
		"not told of it": {says(404, wire.Problem{Code: wire.UnknownOwnerCode}), "", "status 404"},
		"unavailable":    {nil, "", "no authority could be reached"},
		"no JSON":        {says(200, "<html>"), "", "cannot be read"},
		"an outage":      {says(503, wire.Problem{Code: wire.UnavailableCode, Outage: string(tokens.Throttled)}), "", "429"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := newScript(t, map[string]http.HandlerFunc{"GET owners": c.answer})
			got, err := newGateway(t, []*script{authority}).OwnerName(context.Background(), 5)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if told, _ := got.Name(); told != c.want {
				t.Errorf("%q, want %q", told, c.want)
			}
			if requests := authority.requests("GET owners"); len(requests) != 1 || requests[0].path != wire.Prefix+"owners/5" {
				t.Errorf("%+v", requests)
			}
		})
	}
}
