package browser

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// consolePaths are the pages that need no data.
var consolePaths = []string{"/", "/live", "/why", "/tokens", "/findings", "/break", "/map"}

// TestConsole looks at every page in a real browser: it keeps to its security policy, has no
// barriers, fits a phone, works by keyboard and without scripts, and shows hostile texts as
// text.
func TestConsole(t *testing.T) {
	b := Start(t)

	t.Run("empty", func(t *testing.T) {
		c := startConsole(t, rehearse)
		for _, path := range consolePaths {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				c.look(t, b, path, false)
			})
		}
	})

	t.Run("full", func(t *testing.T) {
		c := startConsole(t, rehearse)
		c.crowd(t, 10_000, 800)
		tokens := append(c.play(t, office(), nil), c.play(t, hostile(), nil)...)
		request := c.Records(t, 1)[0]["request_id"].(string)
		paths := append(slices.Clone(consolePaths),
			"/why?id="+request,
			"/tokens?q=bi%40example&unscoped=true&sort=owner",
			"/tokens?q=nothing-like-this",
			"/tokens?q=onerror",
			"/tokens/"+tokens[0].Info.TokenId,
			"/tokens/"+tokens[4].Info.TokenId,
			"/tokens/"+tokens[len(tokens)-2].Info.TokenId, // hostile
			"/map?method=GET&path=/api/2.2/jobs/list&scopes=sql",
			"/map?method=GET&path=/api/2.0/%253Cimg%2520src=x%253E/%2527",
			"/break?policy=agents",
			"/no-such-page",
		)
		for _, path := range paths {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				c.look(t, b, path, true)
			})
		}
		t.Run("without scripts", func(t *testing.T) {
			t.Parallel()
			c.lookWithoutScripts(t, b, paths)
		})
		t.Run("keyboard", func(t *testing.T) {
			t.Parallel()
			c.testKeyboard(t, b)
		})
		t.Run("turning pages", func(t *testing.T) {
			t.Parallel()
			c.testPages(t, b)
		})
		t.Run("download", func(t *testing.T) {
			t.Parallel()
			answer := harness.Do(t, harness.Client(t), harness.NewRequest(t, http.MethodGet, c.Page+"/tokens.csv", "", nil))
			if lines := strings.Count(answer.Body, "\n"); lines < 10_000 || !strings.HasPrefix(answer.Body, "token_id,") || !strings.Contains(answer.Header.Get("Content-Disposition"), "tokens.csv") {
				t.Errorf("%d lines, %v", lines, answer.Header)
			}
		})
	})
}

// look opens a page, in the light, perhaps in the dark, and on a phone.
func (c *console) look(t *testing.T, b *Browser, path string, dark bool) {
	p := b.Open(t, c.Page+path)
	t.Logf("first contentful paint after %.0f ms", Eval[float64](t, p, paint))
	if title := Eval[string](t, p, "document.title"); !strings.HasSuffix(title, "scopegate") {
		t.Errorf("the title is %q", title)
	}
	for _, barrier := range p.Barriers(t) {
		t.Error(barrier)
	}
	if dark {
		p.Look(t, Look{Dark: true})
		for _, barrier := range p.Barriers(t, "color-contrast") {
			t.Errorf("in the dark: %s", barrier)
		}
	}
	p.Look(t, Look{Width: 360})
	if wide := Eval[[]string](t, p, tooWide); len(wide) > 0 {
		t.Errorf("on a phone, the page scrolls sideways because of %s", strings.Join(wide, "\n"))
	}
	if Eval[bool](t, p, `!!window.attacked || !!document.querySelector("img, main script, [onerror], [style]:not(figure *)")`) {
		t.Error("a text became markup")
	}
	if forbidden := p.Forbidden(t); len(forbidden) > 0 {
		t.Errorf("the policy forbade %s", strings.Join(forbidden, "\n"))
	}
}

// paint is when the page first showed something, in milliseconds since it was asked for; -1 if
// it is not shown.
const paint = `Promise.race([
	new Promise(done => new PerformanceObserver(list => {
		const first = list.getEntriesByName("first-contentful-paint")[0];
		if (first) done(first.startTime);
	}).observe({type: "paint", buffered: true})),
	new Promise(done => setTimeout(done, 3000, -1)),
])`

// tooWide are the elements that make the page scroll sideways.
const tooWide = `(() => {
	const root = document.documentElement;
	if (root.scrollWidth <= root.clientWidth) return [];
	return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > root.clientWidth + 1 && !e.closest(".wide, pre"))
		.slice(0, 5).map(e => e.outerHTML.slice(0, 150)).concat(root.scrollWidth + " px");
})()`

// lookWithoutScripts opens all pages in a browser that runs no scripts.
func (c *console) lookWithoutScripts(t *testing.T, b *Browser, paths []string) {
	p := b.OpenAs(t, c.Page+"/", Look{NoScript: true})
	for _, path := range paths {
		p.Go(t, c.Page+path)
		type seen struct {
			Heading, Main string
			Script        bool
		}
		got := Eval[seen](t, p, `({Heading: document.querySelector("h1").innerText, Main: document.querySelector("main").innerText, Script: !!window.htmx})`)
		if got.Heading == "" || len(got.Main) < 20 || got.Script {
			t.Errorf("%s: %+v", path, got)
		}
	}
	p.Go(t, c.Page+"/tokens")
	Eval[bool](t, p, `document.querySelector("a[rel=next]").click(), true`)
	harness.WaitFor(t, "the second page", func() bool { return Eval[string](t, p, "location.search") == "?page=2" })
}

// testKeyboard: everything that can be used can be reached by keyboard, in order, and the
// first key leads past the navigation.
func (c *console) testKeyboard(t *testing.T, b *Browser) {
	for _, path := range []string{"/", "/why", "/map?method=GET&path=/api/2.2/jobs/list", "/tokens?q=etl%40example.com"} {
		p := b.Open(t, c.Page+path)
		const usable = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(e => e.checkVisibility() && !e.disabled)`
		n := Eval[int](t, p, `(window.usable = `+usable+`).length`)
		var order []int
		for range n {
			p.Press(t, kb.Tab)
			order = append(order, Eval[int](t, p, "usable.indexOf(document.activeElement)"))
		}
		want := make([]int, n)
		for i := range want {
			want[i] = i
		}
		if !slices.Equal(order, want) {
			t.Errorf("%s: the keyboard reaches %v of %d", path, order, n)
		}
		if got := Eval[string](t, p, `usable[0].getAttribute("href")`); got != "#main" {
			t.Errorf("%s: the first is %s", path, got)
		}
	}
}

// testPages: pages of tokens turn without loading all of the page again, and the address
// says where one is.
func (c *console) testPages(t *testing.T, b *Browser) {
	p := b.Open(t, c.Page+"/tokens")
	Eval[bool](t, p, "window.same = true")
	first := Eval[string](t, p, `document.querySelector("tbody th").innerText`)
	for step, each := range []struct{ click, search string }{
		{"a[rel=next]", "?page=2"}, {"a[rel=prev]", ""}, {"#sort-owner", "?sort=owner"}, {"a[rel=next]", "?page=2&sort=owner"},
	} {
		Eval[bool](t, p, fmt.Sprintf("document.querySelector(%q).click(), true", each.click))
		harness.WaitFor(t, each.search, func() bool {
			return Eval[string](t, p, "location.search") == each.search && Eval[bool](t, p, `!document.querySelector(".htmx-request")`)
		})
		if got := Eval[string](t, p, `document.querySelector("tbody th").innerText`); (got == first) != (step == 1) {
			t.Errorf("after %s the first token is %s", each.click, got)
		}
	}
	if !Eval[bool](t, p, "!!window.same") {
		t.Error("the page was loaded again")
	}
	if got := Eval[string](t, p, `document.querySelector("[aria-sort]").innerText`); !strings.HasPrefix(got, "Owner") {
		t.Errorf("sorted by %s", got)
	}
	if forbidden := p.Forbidden(t); len(forbidden) > 0 {
		t.Errorf("the policy forbade %s", strings.Join(forbidden, "\n"))
	}
}
