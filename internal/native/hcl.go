package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// field is a member of an object, in the order of the document.
type field struct {
	name  string
	value any
}

// object is a JSON object that keeps its order.
type object []field

// decodeObject reads a JSON object and keeps the order of its members.
func decodeObject(data []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	value, err := decodeValue(decoder)
	if err != nil {
		return nil, err
	}
	o, ok := value.(object)
	if !ok {
		return nil, fmt.Errorf("it is no object")
	}
	return o, nil
}

func decodeValue(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		o := object{}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := decodeValue(decoder)
			if err != nil {
				return nil, err
			}
			o = append(o, field{name.(string), value}) // names of members are strings
		}
		_, err = decoder.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			value, err := decodeValue(decoder)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = decoder.Token()
		return list, err
	}
	return token, nil
}

// writeAttributes writes the members of an object as attributes, with their equals signs in one
// column as terraform fmt has them.
func writeAttributes(out *strings.Builder, o object, indent string) {
	for i := 0; i < len(o); {
		end := i + 1
		for end < len(o) && !multiline(o[end-1].value) && !multiline(o[end].value) {
			end++
		}
		width := 0
		for _, f := range o[i:end] {
			width = max(width, len(f.name))
		}
		for _, f := range o[i:end] {
			fmt.Fprintf(out, "%s%-*s = ", indent, width, f.name)
			writeValue(out, f.value, indent)
			out.WriteByte('\n')
		}
		i = end
	}
}

// multiline reports whether a value takes several lines.
func multiline(value any) bool {
	switch v := value.(type) {
	case object:
		return len(v) > 0
	case []any:
		return slices.ContainsFunc(v, multiline)
	}
	return false
}

func writeValue(out *strings.Builder, value any, indent string) {
	switch v := value.(type) {
	case object:
		if len(v) == 0 {
			out.WriteString("{}")
			return
		}
		out.WriteString("{\n")
		writeAttributes(out, v, indent+"  ")
		out.WriteString(indent + "}")
	case []any:
		writeList(out, v, indent)
	case string:
		out.WriteString(quote(v))
	default: // a number, true, false or null
		fmt.Fprint(out, v)
	}
}

func writeList(out *strings.Builder, list []any, indent string) {
	if !multiline(list) {
		out.WriteByte('[')
		for i, value := range list {
			if i > 0 {
				out.WriteString(", ")
			}
			writeValue(out, value, indent)
		}
		out.WriteByte(']')
		return
	}
	out.WriteString("[\n")
	for _, value := range list {
		out.WriteString(indent + "  ")
		writeValue(out, value, indent+"  ")
		out.WriteString(",\n")
	}
	out.WriteString(indent + "]")
}

// quote writes a string so that Terraform takes nothing in it for a template. Names come from
// outside.
func quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteString(`\` + string(r))
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			out.WriteString(string(r) + string(r))
		case !unicode.IsPrint(r):
			fmt.Fprintf(&out, `\U%08x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// comment writes a text as lines of comment.
func comment(out *strings.Builder, text string) {
	const width = 100
	line := "#"
	for word := range strings.FieldsSeq(printable(text)) {
		if len(line)+1+len(word) > width && line != "#" {
			out.WriteString(line + "\n")
			line = "#  "
		}
		line += " " + word
	}
	out.WriteString(line + "\n")
}

// printable replaces what would end a comment, or not be seen.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}
