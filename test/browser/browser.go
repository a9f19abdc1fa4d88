// Package browser drives a real Chromium in tests, without a window. It is a module of its
// own, so that the gateway does not require what only these tests need.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a running Chromium with a profile of its own.
type Browser struct{ ctx context.Context }

// programs are the names under which Chromium is installed.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "chrome"}

// Start starts Chromium, which ends with the test. Where it is not installed the test is
// skipped, unless the environment variable CI is "true". Extra flags are names or name=value,
// without dashes.
func Start(t testing.TB, flags ...string) *Browser {
	t.Helper()
	program := find(t)
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.NoSandbox, // it needs privileges that containers lack; all pages are the tests' own
	}
	// Nothing but the tests' pages may be asked for.
	quiet := []string{"disable-background-networking", "disable-component-update", "disable-sync", "disable-quic", "disable-dev-shm-usage"}
	for _, flag := range append(quiet, flags...) {
		name, value, hasValue := strings.Cut(flag, "=")
		if hasValue {
			options = append(options, chromedp.Flag(name, value))
		} else {
			options = append(options, chromedp.Flag(name, true))
		}
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("ending Chromium: %v", err)
		}
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return &Browser{ctx}
}

func find(t testing.TB) string {
	t.Helper()
	for _, name := range programs {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	message := "Chromium is not installed (" + strings.Join(programs, ", ") + ")"
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// Page is a tab of the browser.
type Page struct {
	ctx context.Context

	mu      sync.Mutex
	console []string
}

// patience bounds every step. Even on a busy machine, only a hang takes that long.
const patience = 30 * time.Second

// Open opens a page in a new tab, which is closed with the test.
func (b *Browser) Open(t testing.TB, url string) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	p := &Page{ctx: ctx}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	// Console messages come from these two.
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Do(limited, chromedp.Navigate(url)); err != nil {
		t.Fatalf("opening %s: %v", url, err)
	}
	return p
}

// listen keeps what the console shows.
func (p *Page) listen(event any) {
	text := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		text = e.Entry.Text
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, arg := range e.Args {
			words = append(words, strings.Trim(string(arg.Value), `"`)+arg.Description)
		}
		text = strings.Join(words, " ")
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.console = append(p.console, text)
}

// Console returns what the console shows so far, a message in each line. A message may
// arrive after the call that causes it has ended.
func (p *Page) Console() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.console, "\n")
}

// AwaitConsole waits until the console shows a text.
func (p *Page) AwaitConsole(t testing.TB, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(p.Console(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the console does not show %q but:\n%s", text, p.Console())
		}
	}
}

// Eval runs a script in a page, and returns its value, or what it promises.
func Eval[T any](t testing.TB, p *Page, script string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("running a script: %v\n%s", err, script)
	}
	return value
}

// Fetched is what a script of a page gets of a response.
type Fetched struct {
	Error   string // why there is none, as far as the page can tell
	Status  int
	Type    string // such as cors or opaque
	Headers map[string]string
	Body    string
}

// Fetch calls a URL as a script of the page does. Options are those of fetch in JavaScript.
func (p *Page) Fetch(t testing.TB, url string, options map[string]any) Fetched {
	t.Helper()
	arguments, err := json.Marshal([]any{url, options})
	if err != nil {
		t.Fatal(err)
	}
	return Eval[Fetched](t, p, fmt.Sprintf(`fetch(...%s).then(
		async r => ({Status: r.status, Type: r.type, Headers: Object.fromEntries(r.headers), Body: await r.text()}),
		e => ({Error: String(e)}))`, arguments))
}
