package why

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/scopes"
)

func compressed(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// another returns the record of another request.
func another(id string) *audit.Record {
	r := refusedFor(policy.MissingScope, 403)
	r.RequestID = id
	return r
}

func TestSearch(t *testing.T) {
	t.Parallel()
	open, last := records["open"](), records["permitted"]()
	other := another("6d41402a-bc4b-4a76-b971-9d911017c592")
	first, second := logOf(t, open, other), logOf(t, last)
	for name, test := range map[string]struct {
		logs    [][]byte
		prefix  string
		outcome audit.Outcome
		same    int
		found   int
	}{
		"in two files":            {[][]byte{first, second}, "5d41402a", audit.Answered, 0, 1},
		"in the other order":      {[][]byte{second, first}, "5d41402a", audit.Answered, 0, 1},
		"rotated":                 {[][]byte{compressed(t, first), second}, "5d41402a", audit.Answered, 0, 1},
		"still open":              {[][]byte{first}, "5d41402a", audit.Open, 0, 1},
		"the same file twice":     {[][]byte{second, second}, "5d41402a", audit.Answered, 0, 1},
		"several":                 {[][]byte{first}, "", audit.Open, 0, 2},
		"none":                    {[][]byte{first}, "5d41402b", "", 0, 0},
		"a file that begins late": {[][]byte{first[20:], second}, "5d41402a", audit.Answered, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			search := NewSearch(test.prefix)
			for _, log := range test.logs {
				if err := search.Read(iotest.HalfReader(bytes.NewReader(log))); err != nil {
					t.Fatal(err)
				}
			}
			found := search.Found()
			if len(found) != test.found {
				t.Fatalf("found %d, want %d", len(found), test.found)
			}
			if test.found == 1 && (found[0].record.Outcome != test.outcome || found[0].Same() != test.same || found[0].RequestID() != requestID) {
				t.Errorf("found %+v", found[0].record)
			}
		})
	}
}

// TestRepeatedID finds the newest of several requests with one id.
func TestRepeatedID(t *testing.T) {
	t.Parallel()
	older, newer := another(requestID), another(strings.ToUpper(requestID))
	newer.Time = newer.Time.Add(time.Hour)
	for _, all := range [][]*audit.Record{{older, newer}, {newer, older}} {
		search := NewSearch("5d41402a")
		if err := search.Read(bytes.NewReader(logOf(t, all...))); err != nil {
			t.Fatal(err)
		}
		found := search.Found()
		if len(found) != 1 || found[0].Same() != 1 || !found[0].record.Time.Equal(newer.Time) {
			t.Errorf("found %+v", found)
		}
	}
}

func TestReadProblems(t *testing.T) {
	t.Parallel()
	good := logOf(t, another(requestID))
	search := NewSearch("5d41402a")
	long := strings.Repeat("x", 1<<20+1) + "5d41402a\n"
	if err := search.Read(io.MultiReader(strings.NewReader("\nnot JSON 5d41402a\n{}\n"+long), bytes.NewReader(good))); err != nil {
		t.Fatal(err)
	}
	if len(search.Found()) != 1 || search.TooLong != 1 || search.Lines != 4 {
		t.Errorf("found %d in %d lines, %d too long", len(search.Found()), search.Lines, search.TooLong)
	}
	broken := errors.New("the disk is broken")
	if err := search.Read(io.MultiReader(bytes.NewReader(good), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	cut := compressed(t, good)
	if err := search.Read(bytes.NewReader(cut[:len(cut)-10])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that was cut: %v", err)
	}
	if err := search.Read(bytes.NewReader(cut[:5])); err == nil {
		t.Error("a file without a header")
	}
}

// FuzzSearch reads what may be in a file. Nothing in it may end the command, and only a
// request with the id may be found.
func FuzzSearch(f *testing.F) {
	for _, record := range records {
		line := logOf(f, record())
		f.Add(line)
		f.Add(compressed(f, line))
		f.Add(bytes.ReplaceAll(line, []byte(`"jobs"`), []byte(`"sql+jobs"`)))
	}
	f.Add([]byte(`{"request_id":"5d41402a","decision":"deny","reason":"missing_scope","arrived":"2026-03-01T12:00:00Z","facts_source":"token","operation":"x"}`))
	f.Add([]byte(`{"request_id":"5d41402a","decision":"deny","enforced":true,"reason":"policy_denied","arrived":1e300,"duration":-1,"facts_age":1e300}`))
	f.Fuzz(func(t *testing.T, log []byte) {
		search := NewSearch("5d41402a")
		_ = search.Read(bytes.NewReader(log)) // it may be no log
		for _, e := range search.Found() {
			if !strings.HasPrefix(strings.ToLower(e.RequestID()), "5d41402a") {
				t.Fatalf("found %q", e.RequestID())
			}
			for _, maps := range []Maps{{}, {[]*scopes.Catalog{catalog}, "the map in force"}} {
				var out strings.Builder
				if err := e.Tell(maps).WriteText(&out); err != nil {
					t.Fatal(err)
				}
				if strings.ContainsAny(out.String(), "\x00\x1b\r") {
					t.Errorf("a control character is shown: %q", out.String())
				}
			}
		}
	})
}
