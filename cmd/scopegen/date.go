package main

import (
	"bytes"
	"os"
	"time"
)

// dateHeader begins the line with the day on which the rows last changed, see scopes.Date.
const dateHeader = "# Date: "

// clockSkew is how much the clock may have been ahead where the file was written.
const clockSkew = 24 * time.Hour

// dated adds a date to the text of the catalog, below its first line: that of the file if
// its rows are the same, and otherwise today. So generating twice changes nothing. A date
// that is none or in the future counts for nothing: gateways would refuse every newer map.
func dated(text []byte, file string, today time.Time) []byte {
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	with := func(date string) []byte {
		return bytes.Join([][]byte{head, []byte(dateHeader + date), rest}, []byte("\n"))
	}
	date := today.UTC().Format(time.DateOnly)
	before, err := os.ReadFile(file)
	if err != nil {
		return with(date)
	}
	old := dateOf(before)
	if day, err := time.Parse(time.DateOnly, old); err != nil || day.After(today.Add(clockSkew)) {
		return with(date)
	}
	if bytes.Equal(before, with(old)) {
		return before
	}
	return with(max(date, old)) // a newer map is never older
}

// dateOf returns what the file of a catalog has as its date; empty without one.
func dateOf(text []byte) string {
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	date, _ := bytes.CutPrefix(line, []byte(dateHeader))
	if len(date) == len(line) {
		return ""
	}
	return string(date)
}
