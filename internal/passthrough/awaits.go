package passthrough

import (
	"io"
	"reflect"
)

// awaitsContinue reports whether an HTTP/2 client waits for 100 Continue with a body. Go's
// server takes the header Expect out of the request and leaves only a private field of the
// body to tell, inside the bodies that Caddy wraps around it. Where that field is not found,
// as may happen with another version of Go, the server answers such clients itself.
func awaitsContinue(body io.ReadCloser) bool {
	const layers = 8 // Caddy and our handler have three
	value := reflect.ValueOf(body)
	for range layers {
		for value.Kind() == reflect.Interface || value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		if value.Kind() != reflect.Struct {
			return false
		}
		wrapped := reflect.Value{}
		for field, content := range value.Fields() {
			switch {
			case field.Name == "needsContinue" && content.Kind() == reflect.Bool:
				return content.Bool()
			case content.Kind() == reflect.Interface && field.Type.Implements(reader):
				wrapped = content
			}
		}
		value = wrapped
	}
	return false
}

var reader = reflect.TypeFor[io.Reader]()
