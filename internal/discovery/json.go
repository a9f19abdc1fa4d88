package discovery

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON returns a document in which every string that is an absolute URL of the workspace has
// the gateway's scheme and host. Everything else stays byte for byte. So do the values of
// members about audiences: they are names that the workspace compares, and nobody calls
// them. It is false if nothing is to change, as in what is not JSON.
func (l Link) JSON(document []byte) ([]byte, bool) {
	if l.to == "" || !json.Valid(document) {
		return document, false
	}
	var out bytes.Buffer
	done := 0 // how much of the document is in out
	w := walker{document: document}
	for w.next() {
		if prefix := l.prefix(w.text()); prefix > 0 {
			out.Write(document[done : w.start+1])
			out.WriteString(l.to)
			done = w.start + 1 + prefix
		}
	}
	if done == 0 {
		return document, false
	}
	out.Write(document[done:])
	return out.Bytes(), true
}

// prefix returns the length of scheme and authority at the start of a string of JSON, as it
// is written there, if they are the workspace's. It is 0 otherwise.
func (l Link) prefix(raw []byte) int {
	var text [len("https://") + maxAuthority + 1]byte
	var ends [len(text)]int // where in raw each byte of text ends
	n := 0
	for at := 0; at < len(raw) && n < len(text); n++ {
		c, size := first(raw[at:])
		at += size
		text[n], ends[n] = c, at
	}
	decoded := string(text[:n])
	scheme, host, rest, ok := cutOrigin(decoded)
	if !ok || !l.names(scheme, host) {
		return 0
	}
	return ends[n-len(rest)-1]
}

// first returns the first character of a string of JSON and the length in which it is
// written. It stands for every character outside of ASCII by one that no host may have.
func first(raw []byte) (c byte, size int) {
	switch {
	case raw[0] != '\\':
		return raw[0], 1 // of a longer character one byte, which is not of ASCII either
	case raw[1] != 'u':
		if raw[1] == '/' {
			return '/', 2
		}
		return '\\', 2 // a quote, a backslash, a control character: no host may have one
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	if err != nil || n >= utf8.RuneSelf {
		return '\\', 6
	}
	return byte(n), 6
}

// walker goes through the strings of a valid document that are values and may be rewritten.
type walker struct {
	document   []byte
	at         int
	start, end int // of the string, quotes included
	open       []container
}

// container is an object or an array that is open.
type container struct {
	object bool
	name   bool // the next string is the name of a member
	kept   bool // the values of this member, or all values within, are not to be touched
	within bool // the container itself is the value of such a member
}

// text returns the string as it is written, without its quotes.
func (w *walker) text() []byte { return w.document[w.start+1 : w.end-1] }

// next goes to the next string.
func (w *walker) next() bool {
	for w.at < len(w.document) {
		c := w.document[w.at]
		switch c {
		case '"':
			w.string()
			if w.value() {
				return true
			}
			continue
		case '{', '[':
			kept := w.kept()
			w.open = append(w.open, container{object: c == '{', name: c == '{', within: kept})
		case '}', ']':
			w.open = w.open[:len(w.open)-1]
		case ',':
			top := &w.open[len(w.open)-1]
			top.name, top.kept = top.object, false
		}
		w.at++
	}
	return false
}

// string reads the string that begins here.
func (w *walker) string() {
	w.start = w.at
	for w.at++; w.document[w.at] != '"'; w.at++ {
		if w.document[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	w.end = w.at
}

// value reports whether the string that was read is a value that may be rewritten. It notes
// what the name of a member means for its value.
func (w *walker) value() bool {
	if len(w.open) > 0 {
		if top := &w.open[len(w.open)-1]; top.name {
			var name string
			_ = json.Unmarshal(w.document[w.start:w.end], &name) // the document is valid
			name = strings.ToLower(name)
			top.name, top.kept = false, name == "aud" || strings.Contains(name, "audience")
			return false
		}
	}
	return !w.kept()
}

func (w *walker) kept() bool {
	if len(w.open) == 0 {
		return false
	}
	top := w.open[len(w.open)-1]
	return top.kept || top.within
}
