package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// funcs are what templates can call. clean is added to every action, see cleanOutput.
var funcs = template.FuncMap{
	"asset":  assetPath,
	"clean":  clean,
	"lines":  func(text string) multiline { return multiline(text) },
	"short":  short,
	"cut":    cut,
	"join":   func(all []string) string { return strings.Join(all, ", ") },
	"stamp":  stamp,
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock":  func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"minute": minuteOf,
	"day":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	"ago":    ago,
	"span":   span,
	"count":  count,
}

// idDigits is how much of a long id lists show. Links and titles have all of it.
const idDigits = 12

// short shortens the id of a token or a request.
func short(id string) string { return cut(idDigits, id) }

// cut shortens a text to a number of characters.
func cut(width int, text string) string {
	if len(text) <= width {
		return text
	}
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width]) + "…"
	}
	return text
}

// stamp formats a time for people. It is empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// ago says how long before now a time was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return span(now.Sub(t)) + " ago"
}

// span formats a duration in its largest unit: 34 d, 5 h, 12 min, 3 s.
func span(d time.Duration) string {
	switch d = max(0, d); {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// count formats a number of things: 1 token, 12,345 tokens.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text + " " + one + "s"
}
