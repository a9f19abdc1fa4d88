package main

import (
	"bytes"
	"os"
	"time"
)

// dateHeader begins the line with the day on which the rows last changed, see scopes.Date.
const dateHeader = "# Date: "

// dated adds a date to the text of the catalog, below its first line: that of the file if
// its rows are the same, and otherwise today. So generating twice changes nothing.
func dated(text []byte, file string, today time.Time) []byte {
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	with := func(date []byte) []byte {
		return bytes.Join([][]byte{head, append([]byte(dateHeader), date...), rest}, []byte("\n"))
	}
	before, err := os.ReadFile(file)
	if err == nil {
		_, after, _ := bytes.Cut(before, []byte("\n"))
		line, _, _ := bytes.Cut(after, []byte("\n"))
		if date, ok := bytes.CutPrefix(line, []byte(dateHeader)); ok && bytes.Equal(before, with(date)) {
			return before
		}
	}
	return with([]byte(today.UTC().Format(time.DateOnly)))
}
