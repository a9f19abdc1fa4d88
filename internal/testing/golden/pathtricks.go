package golden

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// PathTrick is a row of testdata/path-tricks.tsv: a way to make one request target look
// like another.
type PathTrick struct {
	Name string
	// Form is the request target, with these placeholders:
	//
	//	{base}, {target}       Base and Target of the [Disguise]
	//	{path}                 the target without its leading slash
	//	{target:x}, {path:x}   the same with x instead of the other slashes
	//	{TARGET}, {PATH}       the same in capital letters
	//	{up:x}                 x repeated as often as it takes to leave base
	//	{version:x}            the target with x as its version
	//	{last:x}, {first:x}    the target with its last or first letter escaped by x,
	//	                       or preceded by x
	//	{letter:x=y}           the target with y instead of the first x
	Form string
	// Reading is how package scopes must read the path: [ReadsTarget],
	// [ReadsMalformed], [ReadsRefused] or [ReadsHarmless].
	Reading string
	// Outcome is how the gateway must respond: a reason code, [BadRequest],
	// [Harmless], [Refused] or a status.
	Outcome string
}

// Values of [PathTrick.Reading].
const (
	ReadsTarget    = "target"    // the target is one of the readings
	ReadsMalformed = "malformed" // reading the path fails
	ReadsRefused   = "refused"   // at least one reading is not permitted
	ReadsHarmless  = "harmless"  // no server reads the path as the target
)

// Values of [PathTrick.Outcome] besides reason codes and statuses.
const (
	BadRequest = "bad request"             // by net/http or Caddy, before the gateway
	Harmless   = "passes or missing_scope" // it stays below base
	// Refused: malformed_path, or missing_scope where the last segment of the target is
	// a parameter, so that every reading is the target.
	Refused = "missing_scope or malformed_path"
)

// PathTricks returns all rows.
func PathTricks(t testing.TB) []PathTrick {
	t.Helper()
	var table []PathTrick
	for number, line := range strings.Split(strings.TrimSuffix(string(read(t, "path-tricks.tsv")), "\n"), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 4 {
			t.Fatalf("testdata/path-tricks.tsv:%d has %d columns, want 4", number+1, len(fields))
		}
		form := fields[1]
		if strings.HasPrefix(form, `"`) { // a quoted string, for bytes that are not text
			var err error
			if form, err = strconv.Unquote(form); err != nil {
				t.Fatalf("testdata/path-tricks.tsv:%d: %v", number+1, err)
			}
		}
		table = append(table, PathTrick{fields[0], form, fields[2], fields[3]})
	}
	return table
}

// Disguise is an attack by a client that may call everything below Base but must not
// reach Target.
type Disguise struct{ Base, Target string }

var placeholder = regexp.MustCompile(`\{(\w+)(?::([^{}]*))?\}`)

// Write fills in the placeholders of a form. It returns false if the trick does not
// apply to the disguise.
func (d Disguise) Write(form string) (target string, applies bool) {
	applies = true
	target = placeholder.ReplaceAllStringFunc(form, func(s string) string {
		m := placeholder.FindStringSubmatch(s)
		name, with := m[1], m[2]
		switch name {
		case "base":
			if with == "cut" {
				return d.Base[1:]
			}
			return d.Base
		case "target", "path", "TARGET", "PATH":
			written := d.Target[1:]
			if with != "" {
				written = strings.ReplaceAll(written, "/", with)
			}
			if name == "TARGET" || name == "PATH" {
				written = strings.ToUpper(written)
			}
			if name == "path" || name == "PATH" {
				return written
			}
			return "/" + written
		case "up":
			return strings.Repeat(with, strings.Count(d.Base, "/"))
		case "last":
			return d.escape(len(d.Target)-1, with)
		case "first":
			return d.escape(1, with)
		case "version":
			parts := strings.Split(d.Target, "/")
			parts[2] = with
			return strings.Join(parts, "/")
		case "letter":
			from, to, _ := strings.Cut(with, "=")
			api := strings.Index(d.Target[5:], "/") + 5
			applies = applies && strings.Contains(d.Target[api:], from)
			return d.Target[:api] + strings.Replace(d.Target[api:], from, to, 1)
		}
		panic("unknown placeholder " + s)
	})
	return target, applies
}

// escape writes the target with one letter escaped if with is %, %25 and so on; it puts
// any other text before the letter.
func (d Disguise) escape(at int, with string) string {
	if strings.Trim(with, "%25") != "" || with == "" {
		return d.Target[:at] + with + d.Target[at:]
	}
	const digits = "0123456789abcdef"
	c := d.Target[at]
	return d.Target[:at] + with + string(digits[c>>4]) + string(digits[c&15]) + d.Target[at+1:]
}
