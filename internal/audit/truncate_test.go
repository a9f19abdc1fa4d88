package audit

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClientsChooseNoLength(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	for name, got := range map[string]string{"path": TruncatePath(long, long), "user agent": TruncateUserAgent(long)} {
		if len(got) > maxPath || !strings.HasSuffix(got, "…") {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
	if got := TruncatePath("/short", "/short"); got != "/short" {
		t.Errorf("a short path became %q", got)
	}
	names := TruncateNames(slices.Repeat([]string{long}, 1000))
	if len(names) != 17 || len(names[0]) > 64 || names[16] != "…" {
		t.Errorf("%d names of %d bytes", len(names), len(names[0]))
	}
}

// TestRecordsKeepNoRequest: what a record takes of a request line must not keep the
// rest of it in memory while the record waits. It must not run in parallel, because it
// measures the heap.
func TestRecordsKeepNoRequest(t *testing.T) {
	const records, query = 200, 1 << 20
	kept := make([]*Record, records)
	for i := range kept {
		line := "PATCH /api/2.0/jobs?" + strings.Repeat("x", query)
		kept[i] = &Record{Method: TruncateMethod(line[:5]), Path: TruncatePath(line[6:19], line[6:])}
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > records*query/10 {
		t.Errorf("%d records keep %d MiB", records, memory.HeapAlloc>>20)
	}
	if kept[0].Method != "PATCH" || kept[0].Path != "/api/2.0/jobs" {
		t.Errorf("%q %q", kept[0].Method, kept[0].Path)
	}
}

func TestTokensAreHidden(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 2)
	for _, test := range []struct{ name, in, want string }{
		{"nothing", "/api/2.1/jobs/list", "/api/2.1/jobs/list"},
		{"a token", "/api/2.0/dapi" + hex, "/api/2.0/dapi…"},
		{"a token with a suffix", "/dapi" + hex + "-3/x", "/dapi…/x"},
		{"two", "dapi" + hex + "/dapi" + hex, "dapi…/dapi…"},
		{"a client secret", "dose" + hex, "dose…"},
		{"a JWT", "/eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "/eyJ…"},
		{"a word that begins so", "/api/2.0/dapifications/doses", "/api/2.0/dapifications/doses"},
		{"escaped separators", "/a%2Fdapi" + hex + "%2Fb", "/a%2Fdapi…%2Fb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := TruncatePath(test.in, test.in); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := TruncateNames([]string{"Cookie", "Dapi" + hex}); !slices.Equal(got, []string{"Cookie", "Dapi…"}) {
		t.Errorf("header names: %q", got)
	}
	if got := TruncateMethod("DAPI" + strings.Repeat("x", 100)); len(got) > maxMethod {
		t.Errorf("method: %q", got)
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, comment string
		mode          CommentMode
		want          string
	}{
		{"hashed", "nightly export", CommentHash, "sha256:d7fdb5293230158b"},
		{"plain", "nightly export", CommentPlain, "nightly export"},
		{"off", "nightly export", CommentOff, ""},
		{"none", "", CommentHash, ""},
		{"an unknown mode", "nightly export", "", "sha256:d7fdb5293230158b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Comment(test.comment, test.mode); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if got := Comment(strings.Repeat("é", 1000), CommentPlain); len(got) > maxComment || !utf8.ValidString(got) {
		t.Errorf("a long comment: %q", got)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for id, kept := range map[string]bool{
		"6f1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c11":  true,
		"6F1C3E0A-3B1F-4D9E-8A43-6A2F0D6B7C11":  true,
		"{6f1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c1}": false,
		"6f1c3e0a3b1f4d9e8a436a2f0d6b7c11":      false,
		"dapi6f1c3e0a3b1f4d9e8a436a2f0d6b7c11":  false,
		"zf1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c11":  false,
		"":                                      false,
	} {
		if got := SafeRequestID(id) != ""; got != kept {
			t.Errorf("%q: kept %v", id, got)
		}
	}
}
