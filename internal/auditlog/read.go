package auditlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds a line, in bytes. A record has at most some 20 KiB.
const maxLine = 1 << 20

// Reader reads audit logs, line by line. The zero value is ready for use.
type Reader struct {
	// Lines counts lines, and TooLong those among them that were not read.
	Lines, TooLong int
}

// Read calls visit for each line of a log. One that gzip has compressed is decompressed. The
// text is valid until visit returns. Read may be called for several logs.
func (r *Reader) Read(log io.Reader, visit func(text []byte)) error {
	in := bufio.NewReaderSize(log, 64<<10)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		plain, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("decompressing: %w", err)
		}
		in = bufio.NewReaderSize(plain, 64<<10)
	}
	var text []byte
	for {
		long, err := readLine(in, &text)
		if len(text) > 0 || long {
			r.Lines++
		}
		if long {
			r.TooLong++
		} else {
			visit(text)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after line %d: %w", r.Lines, err)
		}
	}
}

// readLine reads a line without its end. It is long, and its text of no use, if it does not
// fit.
func readLine(in *bufio.Reader, text *[]byte) (long bool, err error) {
	*text = (*text)[:0]
	for {
		part, err := in.ReadSlice('\n')
		if len(*text)+len(part) > maxLine {
			long = true
			*text = (*text)[:0]
		}
		if !long {
			*text = append(*text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			*text = bytes.TrimSpace(*text)
			return long, err
		}
	}
}
