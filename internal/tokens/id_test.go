package tokens

import (
	"strings"
	"testing"
)

func TestIDOf(t *testing.T) {
	t.Parallel()
	if got := IDOf(somePAT).String(); got != somePATID {
		t.Errorf("got %s, want %s", got, somePATID)
	}
	if IDOf(somePAT) == IDOf(somePAT+"-2") {
		t.Error("the suffix is not part of what is hashed")
	}
	// Longer than any token: the buffer must not cut it.
	if long := strings.Repeat("x", 4*maxPATLength); IDOf(long) == IDOf(long[:maxPATLength]) {
		t.Error("a long value was cut before it was hashed")
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, err string }{
		{"good", somePATID, ""},
		{"upper case", strings.ToUpper(somePATID), ""},
		{"short", somePATID[1:], "64 hexadecimal digits"},
		{"a token", somePAT, "64 hexadecimal digits"},
		{"not hexadecimal", "g" + somePATID[1:], "hexadecimal digits only"},
	} {
		t.Run(test.name, func(t *testing.T) {
			id, err := ParseID(test.in)
			if test.err == "" {
				if err != nil || id != IDOf(somePAT) {
					t.Errorf("got %v, %v", id, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("got error %v, want one with %q", err, test.err)
			}
		})
	}
}
