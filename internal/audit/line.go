package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// lineHead starts every line. It is that of Caddy's JSON encoder, so that a program
// that reads lines of the audit logger can read these too.
const lineHead = `{"level":"info","ts":`

// lineLogger is the part between the timestamp and the fields.
const lineLogger = `,"logger":"` + LoggerName + `","msg":"` + Message + `"`

// appendLine appends a record as a line of JSON.
func appendLine(to []byte, r *Record) []byte {
	lines := jsonLines{to}
	lines.add(r)
	return lines.bytes
}

// jsonLines are records as lines of JSON: the same bytes that Caddy's encoder makes of
// [Record.MarshalLogObject], in half the time.
type jsonLines struct{ bytes []byte }

func (l *jsonLines) add(r *Record) {
	l.bytes = append(l.bytes, lineHead...)
	l.bytes = appendTime(l.bytes, r.Time.Add(r.Duration))
	l.bytes = append(l.bytes, lineLogger...)
	encodeLine(r, l)
	l.bytes = append(l.bytes, '}', '\n')
}

func (l *jsonLines) text(f *field, text string) {
	l.bytes = appendString(append(l.bytes, f.lineKey...), text)
}

func (l *jsonLines) words(f *field, words *[]string) {
	to := append(append(l.bytes, f.lineKey...), '[')
	for i, word := range *words {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendString(to, word)
	}
	l.bytes = append(to, ']')
}

func (l *jsonLines) number(f *field, number int64) {
	l.bytes = strconv.AppendInt(append(l.bytes, f.lineKey...), number, 10)
}

func (l *jsonLines) seconds(f *field, d time.Duration) {
	l.bytes = appendSeconds(append(l.bytes, f.lineKey...), d)
}

func (l *jsonLines) truth(f *field, truth bool) {
	l.bytes = strconv.AppendBool(append(l.bytes, f.lineKey...), truth)
}

func (l *jsonLines) time(f *field, t time.Time) {
	l.bytes = appendTime(append(l.bytes, f.lineKey...), t)
}

// appendTime appends a time as seconds since 1970.
func appendTime(to []byte, t time.Time) []byte {
	return appendFloat(to, float64(t.UnixNano())/float64(time.Second))
}

// appendSeconds appends what appendFloat makes of the seconds. Most durations are a fraction of
// one, of which the digits need not be searched for: there are at most nine.
func appendSeconds(to []byte, d time.Duration) []byte {
	if d <= 0 || d >= time.Second {
		return appendFloat(to, d.Seconds())
	}
	const digits = 9
	from := len(to)
	to = append(to, "0.000000000"...)
	for i := from + 2 + digits - 1; d > 0; i-- {
		to[i] = byte('0' + d%10)
		d /= 10
	}
	end := len(to)
	for to[end-1] == '0' {
		end--
	}
	return to[:end]
}

func appendFloat(to []byte, f float64) []byte { return strconv.AppendFloat(to, f, 'f', -1, 64) }

// appendString appends text as a JSON string. Bytes that are not valid UTF-8 become
// U+FFFD.
func appendString(to []byte, s string) []byte {
	to = append(to, '"')
	done := 0
	for i := 0; ; {
		for i+wordSize <= len(s) && isPlain(s[i:]) {
			i += wordSize
		}
		if i == len(s) {
			break
		}
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		var escaped string
		switch {
		case c == '"':
			escaped = `\"`
		case c == '\\':
			escaped = `\\`
		case c == '\n':
			escaped = `\n`
		case c == '\r':
			escaped = `\r`
		case c == '\t':
			escaped = `\t`
		case c < 0x20:
			const digits = "0123456789abcdef"
			escaped = `\u00` + string(digits[c>>4]) + string(digits[c&15])
		default:
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size != 1 {
				i += size
				continue
			}
			escaped = `\ufffd`
		}
		to = append(append(to, s[done:i]...), escaped...)
		i += size
		done = i
	}
	return append(append(to, s[done:]...), '"')
}

// wordSize is how many bytes isPlain looks at.
const wordSize = 8

// isPlain reports whether the first bytes of s stand for themselves in a JSON string. It may be
// wrong in one direction.
func isPlain(s string) bool {
	_ = s[wordSize-1]
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	const each = 0x0101010101010101
	// The highest bit of a byte is set if that is not ASCII, or a subtraction borrows from it.
	return (w|(w-each*' ')|((w^each*'"')-each)|((w^each*'\\')-each))&(each<<7) == 0
}
