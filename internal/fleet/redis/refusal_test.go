package redis

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// logs collects what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
	log *zap.Logger
}

func newLogs() *logs {
	l := &logs{}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	l.log = zap.New(zapcore.NewCore(encoder, zapcore.AddSync(l), zap.DebugLevel))
	return l
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) logger() *zap.Logger { return l.log }

func (l *logs) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// counts counts what an observer is told.
type counts struct {
	fleet.NoObserver
	mu    sync.Mutex
	asked map[string]int
}

func (c *counts) StoreAsked(operation, result string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[operation+" "+result]++
}

func (c *counts) get(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[key]
}

func TestOutOfMemory(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	logs, observer := newLogs(), &counts{}
	c := open(t, Options{Addresses: []string{server.Addr}, Logger: logs.logger, Observer: observer})
	waitUp(t, c)
	large := strings.Repeat("x", 512<<10)
	refused := 0
	for i := range 40 {
		results, err := set(c, "k"+string(rune('A'+i)), large)
		if err != nil {
			waitUp(t, c) // a busy machine took too long
			continue
		}
		if k := kind(results[0].Err()); k == "OOM" {
			refused++
		} else if k != "" {
			t.Fatal(results[0].Err())
		}
	}
	if refused < 2 {
		t.Fatalf("%d writes were refused", refused)
	}
	if got := observer.get("share error"); got < refused {
		t.Errorf("%d errors counted, want %d", got, refused)
	}
	if up, _, reason := c.Up(); !up {
		t.Errorf("a full server marked it as down: %v", reason)
	}
	if got := strings.Count(logs.text(), "store refuses an operation"); got != 1 {
		t.Errorf("logged %d times: %s", got, logs.text())
	}
	server.Kill() // forgets everything
	server.Restart()
	waitSet(t, c)
	if !strings.Contains(logs.text(), "store accepts operations again") {
		t.Errorf("the end is not logged: %s", logs.text())
	}
}

// TestRefused: what reads goes well on a server that is full, and hides nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitSet(t, c)
	if err := c.Refused(); err != nil {
		t.Errorf("at first: %v", err)
	}
	limit := func(bytes string) {
		t.Helper()
		eventually(t, "a limit", func() bool {
			results, err := c.Do(t.Context(), "usage", Cmd("CONFIG", "SET", "maxmemory", bytes))
			return err == nil && results[0].Err() == nil
		})
	}
	limit("1")
	eventually(t, "a refusal", func() bool { _, _ = set(c, "k", "v"); return c.Refused() != nil })
	eventually(t, "a read", func() bool {
		_, err := c.Do(t.Context(), "share", Cmd("GET", "k"))
		return err == nil
	})
	if err := c.Refused(); err == nil || !strings.HasPrefix(err.Error(), "share SET: server says: OOM ") {
		t.Errorf("while it is full: %v", err)
	}
	limit("0")
	waitSet(t, c)
	if err := c.Refused(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestRefusedForget: nobody may ask again for what a full server refused.
func TestRefusedForget(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, kind string
		after      time.Duration
		want       bool
	}{
		{"full", "OOM", believed, true},
		{"was full", "OOM", believed + 1, false},
		{"cannot save", "MISCONF", believed + 1, false},
		{"not allowed", "NOPERM", time.Hour, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr := trouble{logger: zap.NewNop}
				tr.begin("lease SET", test.kind, errReplica)
				time.Sleep(test.after)
				if got := tr.refused(); (got != nil) != test.want {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

func TestTrouble(t *testing.T) {
	logs := newLogs()
	tr := trouble{logger: logs.logger}
	count := func(begun, over int) {
		t.Helper()
		text := logs.text()
		if b, o := strings.Count(text, "refuses"), strings.Count(text, "accepts"); b != begun || o != over {
			t.Errorf("begun %d, over %d; want %d, %d", b, o, begun, over)
		}
	}
	tr.begin("share", "OOM", errReplica)
	tr.begin("share", "OOM", errReplica)
	tr.begin("lease", "OOM", errReplica)
	count(1, 0)
	tr.end("find")
	tr.end("share")
	count(1, 0)
	tr.end("lease")
	count(1, 1)
	tr.begin("share", "OOM", errReplica)
	count(2, 1)
	for i := range 2 * maxKinds {
		tr.begin("share", "K"+strings.Repeat("X", i), errReplica)
	}
	count(maxKinds+1, 1)
}

func FuzzReply(f *testing.F) {
	for _, text := range []string{
		"OOM command not allowed when used memory > 'maxmemory'.", "WRONGPASS invalid username-password pair",
		"ERR unknown command 'X', with args beginning with: 'hush-hush'", "", " ", "user_script:1: oops", strings.Repeat("é", 200),
		"ERR hush-hush",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if word := firstWord(text); word == "" || len(word) > 20 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Errorf("firstWord(%q) = %q", text, word)
		}
		got := clean(text, "hush-hush")
		if len(got) > maxReply || !utf8.ValidString(got) || strings.Contains(got, "hush-hush") || strings.Contains(got, ", with args") {
			t.Errorf("clean(%q) = %q", text, got)
		}
	})
}
