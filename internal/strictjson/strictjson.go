// Package strictjson reads JSON that must have one meaning.
//
// Readers disagree about a document that names a member of an object twice: some take
// the first, some the last, and encoding/json compares names without letter case. Who
// decides by such a document decides by luck, so this package refuses it. It does so
// before encoding/json decodes the document, because that keeps the last of two and
// says nothing.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrSyntax says that a text is not one JSON value in UTF-8, or that more follows it.
	ErrSyntax = errors.New("not JSON")
	// ErrDuplicate says that an object has two members of one name, at any depth.
	// Names are equal as encoding/json compares them: once unescaped, and in any letter
	// case.
	ErrDuplicate = errors.New("two members of an object have the same name")
)

// Unmarshal decodes a document as [json.Unmarshal] does, and fails with [ErrSyntax] or
// [ErrDuplicate] for one that has no single meaning. Other errors are those of
// encoding/json and of the types that it decodes to.
func Unmarshal(data []byte, into any) error {
	if err := Check(data); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// Check returns [ErrSyntax] or [ErrDuplicate] for a document that has no single meaning.
func Check(data []byte) error {
	if !Valid(data) {
		return ErrSyntax
	}
	return Unique(data)
}

// Valid reports whether a text is one JSON value, and valid UTF-8: encoding/json would
// replace what is not, and two names could become one.
func Valid(data []byte) bool { return utf8.Valid(data) && json.Valid(data) }

// Unique returns [ErrDuplicate] if any object of a valid document names a member twice.
func Unique(document []byte) error {
	_, err := unique(trim(document))
	return err
}

// unique checks the value that a valid text begins with, and returns what is behind it. It
// reads each byte once, however deep a document is.
func unique(text []byte) (rest []byte, err error) {
	switch text[0] {
	case '{':
		var names nameSet
		for rest = trim(text[1:]); rest[0] != '}'; rest = next(rest) {
			end := skipString(rest)
			if !names.add(unquote(rest[:end])) {
				return nil, ErrDuplicate
			}
			if rest, err = unique(trim(trim(rest[end:])[1:])); err != nil { // after the colon
				return nil, err
			}
		}
		return rest[1:], nil
	case '[':
		for rest = trim(text[1:]); rest[0] != ']'; rest = next(rest) {
			if rest, err = unique(rest); err != nil {
				return nil, err
			}
		}
		return rest[1:], nil
	}
	return text[skip(text):], nil
}

// next returns what is behind a member or an element: the next one, or the end.
func next(rest []byte) []byte {
	if rest = trim(rest); rest[0] == ',' {
		rest = trim(rest[1:])
	}
	return rest
}

// Members returns names and values of a valid object, in their order. Names are
// unescaped; values are parts of the document. Anything but an object has none.
func Members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		rest := trim(object)
		if len(rest) == 0 || rest[0] != '{' {
			return
		}
		for rest = trim(rest[1:]); rest[0] != '}'; {
			end := skipString(rest)
			name := unquote(rest[:end])
			rest = trim(trim(rest[end:])[1:]) // after the colon
			end = skip(rest)
			if !yield(name, rest[:end]) {
				return
			}
			rest = next(rest[end:])
		}
	}
}

// Elements returns the elements of a valid array, as parts of the document. Anything but
// an array has none.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := trim(array)
		if len(rest) == 0 || rest[0] != '[' {
			return
		}
		for rest = trim(rest[1:]); rest[0] != ']'; {
			end := skip(rest)
			if !yield(rest[:end]) {
				return
			}
			rest = next(rest[end:])
		}
	}
}

// UniqueNames returns [ErrDuplicate] if a valid object names a member twice. It does not
// look into the members.
func UniqueNames(object []byte) error {
	var names nameSet
	for name := range Members(object) {
		if !names.add(name) {
			return ErrDuplicate
		}
	}
	return nil
}

// Kind returns the first character of a valid value, which tells its type.
func Kind(value []byte) byte { return trim(value)[0] }

// SameName reports whether encoding/json takes two names for the same one.
func SameName(a, b string) bool { return strings.EqualFold(a, b) }

func trim(data []byte) []byte {
	for len(data) > 0 && (data[0] == ' ' || data[0] == '\n' || data[0] == '\t' || data[0] == '\r') {
		data = data[1:]
	}
	return data
}

// skip returns the length of the value that a valid text begins with.
func skip(data []byte) int {
	switch data[0] {
	case '"':
		return skipString(data)
	case '{', '[':
		depth := 0
		for i := 0; ; i++ {
			switch data[i] {
			case '"':
				i += skipString(data[i:]) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	if end := bytes.IndexAny(data, ",]} \n\t\r"); end >= 0 {
		return end
	}
	return len(data)
}

func skipString(data []byte) int {
	for i := 1; ; i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// unquote returns the text of a valid string.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // it is valid
	return text
}

// nameSet holds the names of one object. Most have few: they are compared one by one.
type nameSet struct {
	few  [24]string
	n    int
	many map[string]struct{} // folded; nil while there are few
}

// add reports whether a name is new.
func (s *nameSet) add(name string) bool {
	if s.many == nil {
		for i := range s.n {
			if SameName(s.few[i], name) {
				return false
			}
		}
		if s.n < len(s.few) {
			s.few[s.n] = name
			s.n++
			return true
		}
		s.many = make(map[string]struct{}, 2*len(s.few))
		for _, each := range s.few {
			s.many[fold(each)] = struct{}{}
		}
	}
	folded := fold(name)
	if _, ok := s.many[folded]; ok {
		return false
	}
	s.many[folded] = struct{}{}
	return true
}

// fold returns the same text for names that are the same, see [SameName].
func fold(name string) string { return strings.Map(foldRune, name) }

// foldRune returns the smallest of the runes that differ in letter case only.
func foldRune(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}
