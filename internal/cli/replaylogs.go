package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/workspaceurl"
	"github.com/scopegate/scopegate/scopes"
)

// readLogs judges the decisions of audit logs.
func (r *replayFlags) readLogs(cmd *cobra.Command, draft Draft, answer *replayed) error {
	progress := newProgress("lines read")
	in := replay.AuditInput{
		Then: draft.Judge, AsEnforced: r.asEnforced, Recorded: r.catalog == "recorded", Filter: r.filter, Lines: r.lines(), Progress: progress.show,
	}
	if r.workspace != "" {
		in.Host = workspaceurl.Host(answer.Workspace)
	}
	err := distinct(r.logs)
	if err != nil {
		return err
	}
	if in.Maps, err = r.otherMaps(); err != nil {
		return err
	}
	replayed := replay.NewAudit(in)
	for _, log := range r.logs {
		if err := readAuditLog(cmd.InOrStdin(), log, replayed.Read); err != nil {
			progress.end()
			return fmt.Errorf("reading the audit log %s: %w", log, err)
		}
	}
	progress.end()
	answer.AuditReport = replayed.Report()
	switch {
	case answer.Lines == 0:
		return errors.New("the audit log is empty; name the file that audit { output } or Caddy's log writes, and rotated ones")
	case answer.Decisions == 0:
		return fmt.Errorf("none of the %d lines is a decision, or the filter leaves none; lines must be JSON", answer.Lines)
	}
	answer.Notes = append(answer.Notes, r.mapNotes(&answer.AuditReport, draft.Judge.Catalog.Version())...)
	if answer.TooLong > 0 {
		answer.Notes = append(answer.Notes, fmt.Sprintf("%s too long for a record, and were not read", plural(answer.TooLong, "line")))
	}
	return nil
}

// distinct is an error if a file is named twice: its decisions would count twice.
func distinct(names []string) error {
	var known []os.FileInfo
	for i, name := range names {
		info, err := os.Stat(name)
		if name == "-" || err != nil {
			info = nil // reading it will tell
		}
		for k, other := range known {
			if info != nil && other != nil && os.SameFile(info, other) {
				return fmt.Errorf("--audit %s is the same file as %s; name each file once", names[i], names[k])
			}
		}
		known = append(known, info)
	}
	return nil
}

// otherMaps returns the maps at hand beside the draft's.
func (r *replayFlags) otherMaps() ([]*scopes.Catalog, error) {
	maps := []*scopes.Catalog{scopes.Default()}
	for _, file := range r.maps {
		content, err := regularfile.Read(file, mapbundle.MaxSize)
		if err != nil {
			return nil, fmt.Errorf("reading the map: %w", err)
		}
		rows, err := scopes.Parse(bytes.NewReader(content), file)
		if err != nil {
			return nil, fmt.Errorf("reading the map: %w", err)
		}
		m, err := scopes.New(rows)
		if err != nil {
			return nil, fmt.Errorf("reading the map %s: %w", file, err)
		}
		maps = append(maps, m)
	}
	return maps, nil
}

// mapNotes says by which maps decisions were made, and judged.
func (r *replayFlags) mapNotes(report *replay.AuditReport, current string) (notes []string) {
	for _, m := range report.Maps {
		switch decisions := plural(m.Decisions, "decision"); {
		case m.Version == current:
		case r.catalog != "recorded":
			notes = append(notes, fmt.Sprintf("%s made by another map, %s; here the draft's map decides (--catalog recorded for the other one)", wereOf(m.Decisions, decisions), m.Version))
		case m.Present:
			notes = append(notes, fmt.Sprintf("%s judged by the map of that time, %s", wereOf(m.Decisions, decisions), m.Version))
		default:
			notes = append(notes, fmt.Sprintf("the map of that time of %s, %s, is not at hand; name a file of it with --map, as scopes catalog printed it then", decisions, m.Version))
		}
	}
	return notes
}

func wereOf(n int, things string) string {
	if n == 1 {
		return things + " was"
	}
	return things + " were"
}

// readAuditLog lets read read an audit log, or standard input.
func readAuditLog(stdin io.Reader, name string, read func(io.Reader) error) error {
	if name == "-" {
		return read(stdin)
	}
	log, err := os.Open(name)
	if err != nil {
		return err
	}
	defer log.Close()
	return read(log)
}

// progress shows on a terminal how far a command has come.
type progress struct {
	what  string
	to    *os.File // nil if standard error is no terminal
	last  time.Time
	shown bool
}

func newProgress(what string) *progress {
	p := &progress{what: what, last: time.Now()}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.to = os.Stderr
	}
	return p
}

// show shows how many things are done, about once a second.
func (p *progress) show(n int) {
	if p.to == nil || time.Since(p.last) < time.Second {
		return
	}
	p.last, p.shown = time.Now(), true
	fmt.Fprintf(p.to, "\r%d %s", n, p.what)
}

// end clears the line.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.to, "\r\033[K")
	}
}
