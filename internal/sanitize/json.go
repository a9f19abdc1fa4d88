package sanitize

import (
	"bytes"
	"encoding/json"
)

// JSON returns a JSON document of which every string, including names, went through
// [Text]. Only strings that this changes are written anew. It returns doc itself if there
// are none.
func JSON(doc []byte) []byte {
	var out []byte
	done := 0
	for i := 0; i < len(doc); {
		start := bytes.IndexByte(doc[i:], '"')
		if start < 0 {
			break
		}
		start += i
		i = start + 1
		for i < len(doc) && doc[i] != '"' {
			if doc[i] == '\\' {
				i++
			}
			i++
		}
		i = min(i+1, len(doc))
		literal := doc[start:i]
		if ordinary(literal, false) {
			continue
		}
		var s string
		if json.Unmarshal(literal, &s) != nil {
			continue
		}
		if safe := Text(s, MaxText); safe != s {
			out = append(append(out, doc[done:start]...), quote(safe)...)
			done = i
		}
	}
	if done == 0 {
		return doc
	}
	return append(out, doc[done:]...)
}

func quote(s string) []byte {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic("sanitize: a string cannot fail to marshal: " + err.Error())
	}
	return bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))
}
