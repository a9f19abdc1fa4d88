package history

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/recent"
)

// matrix returns an answer with series.
func matrix(series ...string) string {
	return `{"status":"success","data":{"resultType":"matrix","result":[` + strings.Join(series, ",") + `]}}`
}

// last and before are times of the grid of these tests.
const (
	last   = "1772627400"
	before = "1772627100"
)

func TestClasses(t *testing.T) {
	t.Parallel()
	at := func(labels, value string) string {
		return `{"metric":{` + labels + `},"values":[[` + last + `,"` + value + `"]]}`
	}
	for _, test := range []struct {
		name   string
		series []string
		want   recent.Classes
	}{
		{"none", nil, recent.Classes{}},
		{"allowed", []string{at(`"decision":"allow","reason":"permitted","mode":"enforce"`, "2.4")}, recent.Classes{Allowed: 2}},
		{"public, in mode observe", []string{at(`"decision":"public","reason":"public_route","mode":"observe"`, "2.5")}, recent.Classes{Allowed: 3}},
		{"refused", []string{at(`"decision":"deny","reason":"missing_scope","mode":"enforce"`, "1"), at(`"decision":"deny","reason":"unknown_token","mode":"enforce"`, "2")}, recent.Classes{Refused: 3}},
		{"would be refused", []string{at(`"decision":"deny","reason":"missing_scope","mode":"observe"`, "4")}, recent.Classes{WouldRefuse: 4}},
		{"unavailable", []string{at(`"decision":"deny","reason":"directory_unavailable","mode":"observe"`, "1"), at(`"decision":"deny","reason":"audit_unavailable","mode":"enforce"`, "1")}, recent.Classes{Unavailable: 2}},
		{"optional", []string{at(`"mode":"enforce"`, "1"), at(`"mode":"observe"`, "2")}, recent.Classes{Refused: 1, WouldRefuse: 2}},
		{"not answered by the workspace", []string{at(`"decision":"allow","reason":"permitted","mode":"enforce"`, "5"), at(`"outcome":"upstream_reset"`, "2")}, recent.Classes{Allowed: 3, Unavailable: 2}},
		{"not answered, of an earlier bin", []string{at(`"outcome":"upstream_timeout"`, "2")}, recent.Classes{Unavailable: 2}},
		{"not asked for", []string{at(`"job":"x"`, "7"), at(``, "7")}, recent.Classes{}},
		{"no numbers", []string{at(`"decision":"allow"`, "NaN"), at(`"decision":"allow"`, "+Inf"), at(`"decision":"allow"`, "-3"), at(`"decision":"allow"`, "1")}, recent.Classes{Allowed: 1}},
		{"too much", []string{at(`"decision":"allow"`, "1e300")}, recent.Classes{Allowed: 1 << 50}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, err := read([]byte(matrix(test.series...)), gridOf(Periods[0], now))
			if err != nil || len(d.Bins) != 72 {
				t.Fatalf("%d bins: %v", len(d.Bins), err)
			}
			if got := d.Bins[71].Classes; got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	g := gridOf(Periods[0], now)
	d, err := read([]byte(matrix(`{"metric":{"decision":"allow"},"values":[[1,"1"],[`+before+`,"0"],[`+last+`,"1"],[9e99,"1"]]}`)), g)
	if want := time.Date(2026, 3, 4, 12, 20, 0, 0, time.UTC); err != nil || !d.Since.Equal(want) || d.Bins[70].Begins != want {
		t.Errorf("since %s, %v", d.Since, err)
	}
	if d, err := read([]byte(matrix()), g); err != nil || !d.Since.IsZero() {
		t.Errorf("since %s, %v", d.Since, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body, says string }{
		{"nothing", "", "not one of Prometheus"},
		{"a page", "<html>", "not one of Prometheus"},
		{"other JSON", `{"message":"hush"}`, "not one of Prometheus"},
		{"an error", `{"status":"error","errorType":"execution","error":"hush"}`, "the query failed there"},
		{"an unknown error", `{"status":"error","errorType":"hush","error":"hush"}`, "it answered with an error"},
		{"an unknown status", `{"status":"hush"}`, "it answered with an error"},
		{"a vector", `{"status":"success","data":{"resultType":"vector","result":[]}}`, "not one to a range query"},
		{"half a sample", matrix(`{"metric":{},"values":[[1]]}`), "not one of Prometheus"},
		{"no sample", matrix(`{"metric":{},"values":[null]}`), "not one of Prometheus"},
		{"three values", matrix(`{"metric":{},"values":[[1,"1",1]]}`), "not one of Prometheus"},
		{"a word", matrix(`{"metric":{},"values":[[1,"hush"]]}`), "not one of Prometheus"},
		{"a number", matrix(`{"metric":{},"values":[[1,1]]}`), "not one of Prometheus"},
		{"deep", strings.Repeat("[", 1<<20), "not one of Prometheus"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := read([]byte(test.body), gridOf(Periods[0], now))
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

// FuzzRead: an answer cannot do more than be refused, and counts are never negative.
func FuzzRead(f *testing.F) {
	f.Add([]byte(matrix(`{"metric":{"decision":"allow"},"values":[[` + last + `,"1"]]}`)))
	f.Add([]byte(matrix(`{"metric":{"outcome":"x"},"values":[[1e999,"-0x1p-3"],[-1,"NaN"]]}`)))
	f.Add([]byte(`{"status":"error","errorType":"timeout"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		g := gridOf(Periods[1], now)
		d, err := read(body, g)
		if err != nil {
			return
		}
		if len(d.Bins) != g.bins {
			t.Fatalf("%d bins", len(d.Bins))
		}
		for _, bin := range d.Bins {
			if bin.Allowed < 0 || bin.Refused < 0 || bin.WouldRefuse < 0 || bin.Unavailable < 0 {
				t.Errorf("%+v", bin)
			}
		}
	})
}
