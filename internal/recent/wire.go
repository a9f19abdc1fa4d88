package recent

import (
	"encoding/binary"
	"time"
	"unicode/utf8"
)

// Limits for what a record may take, in bytes and words. Texts are cut where they exceed one.
const (
	maxText  = 2 << 10
	maxTexts = 16 << 10 // of one record, together
	maxWords = 100
)

// wire writes values one after the other, or reads them back in the same order: one
// description of a record serves both ways. The values are only changed when reading.
type wire struct {
	bytes   []byte // written so far, or still to be read
	reading bool
	room    int // for texts that are still to be written, in bytes
}

// take returns the next n bytes to read, or nil if there are not so many.
func (w *wire) take(n int) []byte {
	if n < 0 || n > len(w.bytes) {
		w.bytes = nil
		return nil
	}
	taken := w.bytes[:n]
	w.bytes = w.bytes[n:]
	return taken
}

func number[T ~int | ~int64 | ~uint8](w *wire, n *T) {
	if !w.reading {
		w.bytes = binary.AppendVarint(w.bytes, int64(*n))
		return
	}
	read, size := binary.Varint(w.bytes)
	w.take(size)
	*n = T(read)
}

// count writes or reads a number of things, of which there are at most so many.
func count(w *wire, n, most int) int {
	n = min(n, most)
	number(w, &n)
	return max(0, min(n, most))
}

// truth writes or reads whether something is so.
func truth(w *wire, b *bool) {
	switch {
	case w.reading:
		read := w.take(1)
		*b = len(read) == 1 && read[0] != 0
	case *b:
		w.bytes = append(w.bytes, 1)
	default:
		w.bytes = append(w.bytes, 0)
	}
}

func text[T ~string](w *wire, s *T) {
	if w.reading {
		*s = T(w.take(count(w, 0, maxText)))
		return
	}
	w.write(string(*s))
}

// write writes a text, or as much of it as there is room for.
func (w *wire) write(s string) {
	if most := min(maxText, w.room); len(s) > most {
		s = cut(s, most)
	}
	w.room -= len(s)
	w.bytes = append(binary.AppendVarint(w.bytes, int64(len(s))), s...)
}

// cut returns at most so many bytes of a text, in whole characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

func texts(w *wire, all *[]string) {
	n := count(w, len(*all), maxWords)
	if w.reading && n > 0 {
		*all = make([]string, n)
	}
	for i := range n {
		text(w, &(*all)[i])
	}
}

// fixed writes or reads bytes whose number is known.
func fixed(w *wire, b []byte) {
	if w.reading {
		copy(b, w.take(len(b)))
		return
	}
	w.bytes = append(w.bytes, b...)
}

// moment writes or reads a time, to the nanosecond. In nanoseconds alone, those after 2262 would
// not fit, and the workspace may say that a token lives longer.
func moment(w *wire, t *time.Time) {
	var second, nanosecond int64
	if !w.reading && !t.IsZero() {
		second, nanosecond = t.Unix(), int64(t.Nanosecond())
	}
	number(w, &second)
	number(w, &nanosecond)
	if w.reading && (second != 0 || nanosecond != 0) {
		*t = time.Unix(second, nanosecond).UTC()
	}
}
