package sanitize

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Mark replaces what was hidden or cut.
const Mark = "…"

const (
	// MaxText is the limit for texts without a limit of their own, in bytes.
	MaxText = 16 << 10
	// NoLimit keeps text from being cut. It is for what was bounded already.
	NoLimit = math.MaxInt32
)

// String returns a text for one line of output, at most limit bytes long. Longer text is
// cut before anything else and ends in a [Mark].
//
// What looks like a secret is replaced by a Mark: Databricks tokens and OAuth secrets,
// JWTs, the values of Basic and Bearer credentials, and user names and passwords in URLs.
// The prefix that tells the kind of a token stays if it is not encoded. A secret that the
// limit cuts is hidden too.
//
// Control characters, line breaks, changes of the writing direction, and invisible
// characters become escapes such as \u{202e}; bytes that are not UTF-8 become U+FFFD.
// The result is valid UTF-8, and String does not change its own results.
func String(s string, limit int) string { return sanitize(s, limit, false) }

// Text is like [String], but keeps line breaks and tabs.
func Text(s string, limit int) string { return sanitize(s, limit, true) }

// Target is like [String] for a URL or a request target: it also removes the query and
// the fragment.
func Target(target string, limit int) string {
	i := strings.IndexAny(target[:min(len(target), max(limit, 0))], "?#")
	if i < 0 {
		return String(target, limit)
	}
	safe := String(target[:i], max(limit-len(Mark), 0))
	if strings.HasSuffix(safe, Mark) {
		return safe
	}
	return safe + Mark
}

// Error returns an error with the sanitized text of err. It wraps err.
func Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if safe := Text(text, MaxText); safe != text {
		return &safeError{safe, err}
	}
	return err
}

type safeError struct {
	text string
	err  error
}

func (e *safeError) Error() string { return e.text }
func (e *safeError) Unwrap() error { return e.err }

func sanitize(s string, limit int, lines bool) string {
	cut := len(s) > limit
	if cut {
		s = start(s, limit-len(Mark))
	} else if ordinary(s, lines) {
		return s
	}
	scan := scanners.Get().(*scanner)
	scan.run(s, cut, limit)
	safe := scan.write(s, cut, limit, lines)
	scan.release()
	return safe
}

// start returns at most size bytes of a text, without a broken character at the end.
func start(s string, size int) string {
	size = max(size, 0)
	for end := size; end > 0 && end > size-utf8.UTFMax; end-- {
		if utf8.RuneStart(s[end]) {
			return s[:end]
		}
	}
	return s[:size]
}
