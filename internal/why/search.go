package why

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/ocsf"
)

// Entry is the last record of a request in audit logs.
type Entry struct {
	record  *audit.Record
	learned bool
	same    int // other records with this id
}

// Same returns how many other requests have the same id: the workspace may repeat an id
// that clients choose.
func (e *Entry) Same() int { return e.same }

// RequestID returns the id of the request.
func (e *Entry) RequestID() string { return e.record.RequestID }

// Search looks for requests whose id begins with a prefix, as [ParseID] returns it.
type Search struct {
	prefix []byte
	found  map[string]*Entry
	// Lines counts lines, TooLong those among them that were not read, and Events those that
	// were written with format ocsf, of which nothing can be told.
	Lines, TooLong, Events int
}

// NewSearch returns a search that has found nothing yet.
func NewSearch(prefix string) *Search {
	return &Search{prefix: []byte(strings.ToLower(prefix)), found: make(map[string]*Entry)}
}

const (
	// maxLine bounds a line, in bytes. A record has at most some 20 KiB.
	maxLine = 1 << 20
	// maxFound bounds how many requests are kept: more than one is an error already.
	maxFound = 100
)

// Read searches an audit log, line by line. One that gzip has compressed is decompressed.
// It may be called for several logs, in any order.
func (s *Search) Read(log io.Reader) error {
	in := bufio.NewReaderSize(log, 64<<10)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		plain, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("decompressing: %w", err)
		}
		in = bufio.NewReaderSize(plain, 64<<10)
	}
	var text, lower []byte
	for {
		long, err := readLine(in, &text)
		if len(text) > 0 || long {
			s.Lines++
		}
		if long {
			s.TooLong++
		} else if ocsf.Is(text) {
			s.Events++
		} else if lower = appendLower(lower[:0], text); bytes.Contains(lower, s.prefix) {
			s.add(parseLine(text))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after line %d: %w", s.Lines, err)
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

// appendLower appends text with ASCII letters in lower case.
func appendLower(to, text []byte) []byte {
	for _, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// add keeps the last record of each request.
func (s *Search) add(e *Entry) {
	if e == nil {
		return
	}
	id := strings.ToLower(e.record.RequestID)
	if !strings.HasPrefix(id, string(s.prefix)) {
		return
	}
	known := s.found[id]
	switch {
	case known == nil && len(s.found) < maxFound:
		s.found[id] = e
	case known != nil && known.record.Outcome == e.record.Outcome && known.record.Time.Equal(e.record.Time):
		// A line that a rotation, or its user, has twice.
	case known == nil, known.record.Outcome != audit.Open && e.record.Outcome == audit.Open:
	case known.record.Outcome == audit.Open && e.record.Outcome != audit.Open:
		s.found[id] = e
	case !e.record.Time.Before(known.record.Time):
		e.same = known.same + 1
		s.found[id] = e
	default:
		known.same++
	}
}

// Found returns what was found, the newest first.
func (s *Search) Found() []*Entry {
	all := make([]*Entry, 0, len(s.found))
	for _, e := range s.found {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Entry) int {
		return cmp.Or(b.record.Time.Compare(a.record.Time), strings.Compare(a.record.RequestID, b.record.RequestID))
	})
	return all
}
