package sanitize

import (
	"bytes"
	"io"
)

// Writer is a stream of lines that go through [Text] one by one, uncut. It holds back the
// last line until it ends, or until Flush.
type Writer struct {
	to   io.Writer
	line []byte
}

// NewWriter returns a Writer to another one.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write implements [io.Writer].
func (w *Writer) Write(b []byte) (int, error) {
	end := bytes.LastIndexByte(b, '\n') + 1
	w.line = append(w.line, b[:end]...)
	if end > 0 {
		if err := w.Flush(); err != nil {
			return 0, err
		}
	}
	w.line = append(w.line, b[end:]...)
	return len(b), nil
}

// Flush writes what was held back.
func (w *Writer) Flush() error {
	if len(w.line) == 0 {
		return nil
	}
	_, err := io.WriteString(w.to, Text(string(w.line), NoLimit))
	w.line = w.line[:0]
	return err
}
