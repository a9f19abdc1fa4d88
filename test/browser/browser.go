// Package browser drives a real Chromium in tests, without a window. It is a module of its
// own, so that the gateway does not require what only these tests need.
package browser

import (
	"cmp"
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
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
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

// Look is how a page is looked at. The zero value is a window of the usual size, light and with
// scripts.
type Look struct {
	Dark     bool
	Width    int64 // in CSS pixels; default 1280
	NoScript bool
}

// Open opens a page in a new tab, which is closed with the test.
func (b *Browser) Open(t testing.TB, url string) *Page {
	t.Helper()
	return b.OpenAs(t, url, Look{})
}

// OpenAs is Open for another look.
func (b *Browser) OpenAs(t testing.TB, url string, look Look) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	p := &Page{ctx: ctx}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	// Console messages come from these two.
	do(t, p, log.Enable, cdp.Empty{})
	do(t, p, runtime.Enable, cdp.Empty{})
	do(t, p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchPolicy})
	p.Look(t, look)
	p.Go(t, url)
	return p
}

// watchPolicy notes what the content security policy of a page forbids it.
const watchPolicy = `window.forbidden = [];
document.addEventListener("securitypolicyviolation", e => window.forbidden.push(
	e.effectiveDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber + " " + e.sample))`

// Look changes how the page is looked at.
func (p *Page) Look(t testing.TB, look Look) {
	t.Helper()
	theme := "light"
	if look.Dark {
		theme = "dark"
	}
	do(t, p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	do(t, p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: cmp.Or(look.Width, 1280), Height: 800, DeviceScaleFactor: 1})
	do(t, p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: look.NoScript})
}

// Go leads the tab to another page.
func (p *Page) Go(t testing.TB, url string) {
	t.Helper()
	limited, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(limited, chromedp.Navigate(url)); err != nil {
		t.Fatalf("opening %s: %v", url, err)
	}
}

// Forbidden returns what the content security policy forbade, none if the page keeps to it.
func (p *Page) Forbidden(t testing.TB) (all []string) {
	t.Helper()
	all = Eval[[]string](t, p, "window.forbidden")
	for line := range strings.Lines(p.Console()) {
		if strings.Contains(line, "Content Security Policy") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// Press presses a key, such as kb.Tab.
func (p *Page) Press(t testing.TB, key string) {
	t.Helper()
	limited, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(limited, chromedp.KeyEvent(key)); err != nil {
		t.Fatalf("pressing a key: %v", err)
	}
}

// Picture returns what the window shows, as PNG.
func (p *Page) Picture(t testing.TB) []byte {
	t.Helper()
	return do(t, p, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
}

// do sends a command of the DevTools protocol.
func do[P, R any](t testing.TB, p *Page, command cdp.Command[P, R], params P) R {
	t.Helper()
	limited, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(limited, command, params)
	if err != nil {
		t.Fatalf("%s: %v", command.Method, err)
	}
	return result
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
