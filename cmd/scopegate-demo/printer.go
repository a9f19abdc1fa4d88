package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// printer writes in color to a terminal, and without color to a pipe.
type printer struct {
	out    io.Writer
	colors bool
}

// newPrinter omits color if NO_COLOR is set (no-color.org) or the terminal is dumb.
func newPrinter(out *os.File) *printer {
	colors := term.IsTerminal(int(out.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &printer{out: out, colors: colors}
}

// style is the parameter of an ANSI escape sequence.
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

// table writes aligned columns.
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
	if !p.colors || c.style == plain {
		return c.text
	}
	return "\x1b[" + string(c.style) + "m" + c.text + "\x1b[0m"
}
