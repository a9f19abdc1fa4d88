package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// lineHead is how every line begins. It is that of Caddy's JSON encoder, so that
// whoever reads lines of the audit logger reads these too.
const lineHead = `{"level":"info","ts":`

// lineLogger is the part that stays the same, up to the fields.
const lineLogger = `,"logger":"` + LoggerName + `","msg":"` + Message + `"`

// lineKeys are what stands before the values.
var lineKeys = func() (keys [len(fields)][]byte) {
	for i := range fields {
		keys[i] = append(appendString([]byte{','}, fields[i].name), ':')
	}
	return keys
}()

// appendLine appends a record as a line of JSON: what Caddy's encoder makes of
// MarshalLogObject, in half the time, and less.
func appendLine(to []byte, r *Record) []byte {
	to = append(to, lineHead...)
	to = appendTime(to, r.Time.Add(r.Duration))
	to = append(to, lineLogger...)
	for i := range fields {
		f := &fields[i]
		to = append(to, lineKeys[i]...)
		if f.text != nil {
			to = appendString(to, f.text(r))
			continue
		}
		v := f.value(r)
		switch v.kind {
		case foreignKind, methodKind:
			to = appendString(to, v.text)
		case wordsKind:
			to = append(to, '[')
			for i, word := range *v.words {
				if i > 0 {
					to = append(to, ',')
				}
				to = appendString(to, word)
			}
			to = append(to, ']')
		case numberKind, idKind:
			to = strconv.AppendInt(to, v.number, 10)
		case secondsKind:
			to = appendFloat(to, v.seconds())
		case truthKind:
			to = strconv.AppendBool(to, v.number != 0)
		case arrivedKind:
			to = appendTime(to, r.Time)
		}
	}
	return append(to, '}', '\n')
}

// appendTime appends a time as seconds since 1970.
func appendTime(to []byte, t time.Time) []byte {
	return appendFloat(to, float64(t.UnixNano())/float64(time.Second))
}

func appendFloat(to []byte, f float64) []byte { return strconv.AppendFloat(to, f, 'f', -1, 64) }

// appendString appends text as a string of JSON.
func appendString(to []byte, s string) []byte {
	to = append(to, '"')
	done := 0
	for i := 0; i < len(s); {
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
