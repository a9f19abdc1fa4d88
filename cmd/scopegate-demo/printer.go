package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// printer writes for people: with colours on a terminal, plain into a pipe.
type printer struct {
	out     io.Writer
	colours bool
}

// newPrinter honours NO_COLOR (no-color.org) and terminals that cannot do it.
func newPrinter(out *os.File) *printer {
	colours := term.IsTerminal(int(out.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &printer{out: out, colours: colours}
}

// style is the part of an ANSI escape sequence that sets it.
type style string

const (
	plain style = ""
	bold  style = "1"
	green style = "32"
	red   style = "31"
)

// cell is one cell of a table.
type cell struct {
	text  string
	style style
}

func (p *printer) title(text string) { fmt.Fprintln(p.out, p.paint(cell{text, bold})) }

func (p *printer) blank() { fmt.Fprintln(p.out) }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// table writes rows in columns as wide as their widest cell.
func (p *printer) table(head []string, rows [][]cell) {
	if head != nil {
		titles := make([]cell, len(head))
		for i, text := range head {
			titles[i] = cell{text, bold}
		}
		rows = append([][]cell{titles}, rows...)
	}
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, c := range row {
			b.WriteString(p.paint(c))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		fmt.Fprintln(p.out, strings.TrimRight(b.String(), " "))
	}
}

func (p *printer) paint(c cell) string {
	if !p.colours || c.style == plain {
		return c.text
	}
	return "\x1b[" + string(c.style) + "m" + c.text + "\x1b[0m"
}
