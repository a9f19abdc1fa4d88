package audit

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// zapsLine returns the line that zap's JSON encoder makes of a record. Caddy uses the
// same encoder.
func zapsLine(t *testing.T, r *Record) string {
	t.Helper()
	line, err := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()).EncodeEntry(zapcore.Entry{
		Level: zap.InfoLevel, Time: r.Time.Add(r.Duration), LoggerName: LoggerName, Message: Message,
	}, []zapcore.Field{zap.Inline(r)})
	if err != nil {
		t.Fatal(err)
	}
	return line.String()
}

func TestLinesAreZaps(t *testing.T) {
	t.Parallel()
	odd := typicalRecord()
	odd.Path, odd.UserAgent = "/\"quoted\\\n\r\t\x00\x1f\x7f", "é世界\u2028\xff\xfe<&>"
	odd.FactsAge, odd.BytesSent, odd.Facts.Info.Owner = -time.Nanosecond, math.MaxInt64, tokens.NewPrincipal(math.MinInt64, "")
	odd.Held, odd.Dropped = []string{}, []string{"\x01", ""}
	for _, test := range []struct {
		name   string
		record *Record
	}{
		{"allowed", typicalRecord()},
		{"refused, with a caller's trace", deniedRecord()},
		{"empty", &Record{Time: time.Unix(0, 0)}},
		{"before 1970", &Record{Time: time.Unix(-5, 7)}},
		{"everything that is escaped", odd},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, want := string(appendLine(nil, test.record)), zapsLine(t, test.record); got != want {
				t.Errorf("got\n%s\nzap has\n%s", got, want)
			}
		})
	}
}

// TestStringsAreZaps puts every byte at every place of a word, and behind one.
func TestStringsAreZaps(t *testing.T) {
	t.Parallel()
	const text = "0123456789abcdefghi"
	for c := range 256 {
		for at := range len(text) {
			s := text[:at] + string([]byte{byte(c)}) + text[at+1:]
			r := &Record{Time: time.Unix(0, 0), Path: s, Creator: s[:at+1], Owner: s[at:]}
			if got, want := string(appendLine(nil, r)), zapsLine(t, r); got != want {
				t.Fatalf("got\n%s\nzap has\n%s", got, want)
			}
		}
	}
}

func TestSecondsAreZaps(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{
		math.MinInt64, -1, 0, 1, 9, 10, 99, 100, 1001, 12_345, 123_456_789, 100_000_000, 999_999_999, time.Second, time.Second + 1, 12_345_678_912, math.MaxInt64,
	} {
		if got, want := string(appendSeconds(nil, d)), string(appendFloat(nil, d.Seconds())); got != want {
			t.Errorf("%d ns became %s, want %s", d, got, want)
		}
	}
}

// FuzzLine: whatever clients and workspaces send, a line is the one that zap makes, and
// a single line of valid JSON.
func FuzzLine(f *testing.F) {
	f.Add("GET", "/api/2.1/jobs/list", "agent", "jobs", int64(200), int64(1))
	f.Add("FROB", "/%ff\"\\", "\xff\xfe\u2028", "\x00", int64(-1), int64(1e15+1))
	f.Fuzz(func(t *testing.T, method, path, agent, scope string, status, nanoseconds int64) {
		r := typicalRecord()
		r.Method, r.Path, r.UserAgent, r.Creator = method, path, agent, scope
		r.Held = []string{scope, "", agent}
		r.Status, r.BytesSent, r.FactsAge, r.Duration = int(status), status, time.Duration(nanoseconds), time.Duration(nanoseconds)
		r.Time = time.Unix(0, nanoseconds)
		r.Operation = &scopes.Operation{Name: agent, Template: path, AnyOf: []string{scope}}
		r.Facts.Source = tokens.Source(method)
		line := appendLine(nil, r)
		if want := zapsLine(t, r); string(line) != want {
			t.Errorf("got\n%s\nzap has\n%s", line, want)
		}
		if !json.Valid(line) || line[len(line)-1] != '\n' {
			t.Errorf("not one line of JSON: %q", line)
		}
	})
}
