package replay

import (
	"strings"

	"github.com/scopegate/scopegate/internal/routesfile"
)

// FixedPart returns what all paths of a template begin with.
func FixedPart(template string) string {
	if i := strings.IndexAny(template, "{*"); i >= 0 {
		return template[:i]
	}
	return template
}

// InBoth returns a path that two templates match, or an empty string where none comes to
// mind: it takes each segment from the template that says more of it. A map has to confirm
// it.
func InBoth(a, b string) string {
	left, right := strings.Split(a, "/"), strings.Split(b, "/")
	var path []string
	for i := range min(len(left), len(right)) {
		switch {
		case isRest(left[i]):
			return routesfile.Sample(strings.Join(append(path, right[i:]...), "/"))
		case isRest(right[i]):
			return routesfile.Sample(strings.Join(append(path, left[i:]...), "/"))
		case FixedPart(left[i]) == left[i] || FixedPart(right[i]) != right[i] && isParameter(right[i]):
			path = append(path, left[i])
		default:
			path = append(path, right[i])
		}
	}
	if len(left) != len(right) {
		return ""
	}
	return routesfile.Sample(strings.Join(path, "/"))
}

// isRest reports whether a segment stands for the rest of a path.
func isRest(segment string) bool { return segment == "*" || strings.HasSuffix(segment, "...}") }

// isParameter reports whether a segment stands for any text.
func isParameter(segment string) bool {
	return strings.Index(segment, "}") == len(segment)-1 && strings.HasPrefix(segment, "{")
}

// both is InBoth for the template of an operation and that of a policy's route, remembered. It
// is empty for an operation that has one path only.
func (c *comparison) both(template, route string) string {
	if FixedPart(template) == template {
		return ""
	}
	key := [2]string{template, route}
	path, known := c.inBoth[key]
	if !known {
		path = InBoth(template, route)
		c.inBoth[key] = path
	}
	return path
}
