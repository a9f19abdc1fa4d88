package discovery

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// JSON returns a document in which every string that is an absolute URL of the workspace has
// the gateway's scheme and host. Everything else stays byte for byte. So do the values of
// members about audiences: they are names that the workspace compares, and nobody calls
// them. It is false if nothing is to change, as in what is not JSON.
func (l Link) JSON(document []byte) ([]byte, bool) {
	if !utf8.Valid(document) || !json.Valid(document) {
		return document, false
	}
	var out bytes.Buffer
	done := 0 // how much of the document is in out
	var at place
	for decoder := json.NewDecoder(bytes.NewReader(document)); ; {
		before := int(decoder.InputOffset())
		token, err := decoder.Token()
		if err != nil {
			break // the end: the document is valid
		}
		text, isString := token.(string)
		if !at.value(token) || !isString {
			continue
		}
		if text, ok := l.URL(text); ok {
			out.Write(document[done : before+bytes.IndexByte(document[before:], '"')])
			out.Write(quoted(text))
			done = int(decoder.InputOffset())
		}
	}
	if done == 0 {
		return document, false
	}
	out.Write(document[done:])
	return out.Bytes(), true
}

// quoted returns a string as JSON.
func quoted(text string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // which would change the & of queries
	_ = encoder.Encode(text)     // a string cannot fail
	return bytes.TrimRight(out.Bytes(), "\n")
}

// place is where a decoder is: the objects and arrays that are open, the innermost last.
type place []container

// container is an object or an array that is open.
type container struct {
	object bool
	name   bool // the next token is the name of a member
	kept   bool // the values of this member, or all values within, are not to be touched
	within bool // the container itself is such a value
}

// value goes on to a token, and reports whether it is a value that may be rewritten. It
// notes what the name of a member means for its value.
func (p *place) value(token json.Token) bool {
	var top container // of the whole document
	if n := len(*p); n > 0 {
		top = (*p)[n-1]
		in := &(*p)[n-1]
		if name, ok := token.(string); ok && top.name {
			name = strings.ToLower(name)
			in.name, in.kept = false, name == "aud" || strings.Contains(name, "audience")
			return false
		}
		in.name = in.object // after this value
	}
	kept := top.kept || top.within
	switch token {
	case json.Delim('{'), json.Delim('['):
		object := token == json.Delim('{')
		*p = append(*p, container{object: object, name: object, within: kept})
	case json.Delim('}'), json.Delim(']'):
		*p = (*p)[:len(*p)-1]
	}
	return !kept
}
