package sanitize

import (
	"strings"
	"testing"
	"time"
)

const (
	long = 400 << 10
	// logged is the limit of a path in a record.
	logged = 1024
)

func fill(part string, size int) string { return strings.Repeat(part, size/len(part)+1)[:size] }

// soups are texts that take long to look at.
var soups = map[string]string{
	"tokens":       "dapiaaaaaaaaaaaaaaaa/",
	"prefixes":     "dapi",
	"short tokens": "dapiaaaaaaaaaaaaaaa/",
	"percent":      "%25",
	"percent of d": "%64%61%70%69",
	"percent half": "%2",
	"base64":       "ZGFwaTAxMjM0NTY3ODlhYmNkZWY",
	"base64 deep":  "VVVV",
	"hexadecimal":  "5655",
	"backslashes":  `\`,
	"JSON":         `\u0025`,
	"entities":     "&amp;",
	"numbers":      "&#37;",
	"printable":    "=3D",
	"bearer":       "bearer+",
	"basic":        "basic ",
	"URLs":         "://a:b",
	"directions":   "\u202e",
	"broken":       "\x80",
	"mixed":        `%25\u0025&#37;=25VVVVdapi`,
}

const honest = "/api/2.0/fs/files/Volumes/main/sales/landing/year=2024/part-00000-9a1b2c3d.snappy.parquet"

func measure(text string, limit int) time.Duration {
	best := time.Duration(1 << 62)
	for range 5 {
		start := time.Now()
		String(text, limit)
		best = min(best, time.Since(start))
	}
	return best
}

// TestLinear: four times the text takes not much more than four times as long. The test
// counts bytes that were looked at, as times vary.
func TestLinear(t *testing.T) {
	t.Parallel()
	work := func(text string) int {
		s := new(scanner)
		s.run(text, false, NoLimit)
		return maxWork*max(len(text), MaxText) - s.work
	}
	for name, part := range soups {
		one, four := work(fill(part, long/4)), work(fill(part, long))
		if four > 5*one || four > (maxWork+2)*long {
			t.Errorf("%s: %d bytes looked at, and %d of four times the text", name, one, four)
		}
	}
}

// TestBounded: what is cut costs nothing.
func TestBounded(t *testing.T) {
	for name, part := range soups {
		if took := measure(fill(part, long), logged); took > 100*time.Millisecond {
			t.Errorf("%s: %v", name, took)
		}
	}
}

func BenchmarkString(b *testing.B) {
	for _, text := range ordinaryTexts[1:7] {
		b.Run("ordinary", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				String(text, logged)
			}
		})
	}
	b.Run("long honest", func(b *testing.B) {
		text := fill(honest, long)
		for b.Loop() {
			String(text, logged)
		}
	})
	for name, part := range soups {
		b.Run("long "+name, func(b *testing.B) {
			text := fill(part, long)
			for b.Loop() {
				String(text, logged)
			}
		})
	}
}
