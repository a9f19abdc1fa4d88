package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The picture shows the requests per second of each setup, and the important ratios with
// their intervals.

const (
	pictureWidth = 960
	labelWidth   = 400
	plotWidth    = pictureWidth - labelWidth - 90
	rowHeight    = 24
)

type picture struct {
	strings.Builder
	y int
}

func (p *picture) print(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

func (p *picture) words(x, y int, anchor, class, text string) {
	p.print(`<text x="%d" y="%d" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(text))
}

// svg draws the results.
func (r results) svg() string {
	p := new(picture)
	p.y = 34
	p.words(16, p.y, "start", "title", "Requests per second, by setup (median and quartiles)")
	p.y += 14
	p.bars(r.Setups)
	p.y += 40
	p.words(16, p.y, "start", "title", "Throughput as a paired ratio (median and 95 % interval; the red mark is the goal)")
	p.y += 14
	p.dots(r.Ratios, r.Goals)
	p.y += 26
	p.words(16, p.y, "start", "small", fmt.Sprintf("%s, %d CPUs shared by load generator, proxy and upstream; %d keep-alive connections on loopback; %s",
		r.Machine.System, r.Machine.CPUs, connections, r.Made.Format("2006-01-02")))
	height := p.y + 20
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif">
<style>.title{font-size:15px;font-weight:bold}.label{font-size:12px}.small{font-size:11px;fill:#666}</style>
<rect width="100%%" height="100%%" fill="#fff"/>
`, pictureWidth, height, pictureWidth, height) + p.String() + "</svg>\n"
}

var barColors = map[string]string{
	shipped: "#1a7f5a", shippedQuiet: "#1a7f5a",
	direct: "#bbb",
}

// bars draws the setups on a logarithmic scale, because the upstream alone is many times
// faster than any proxy.
func (p *picture) bars(setups []setup) {
	least, most := math.Inf(1), 0.0
	for _, s := range setups {
		if s.Group == "setups" {
			least, most = min(least, s.Throughput.Low), max(most, s.Throughput.High)
		}
	}
	if most == 0 {
		p.y += rowHeight
		p.words(16, p.y, "start", "label", "not measured")
		return
	}
	least /= 1.6
	at := func(v float64) int {
		return labelWidth + int(float64(plotWidth)*math.Log(max(v, least)/least)/math.Log(most/least))
	}
	for _, s := range setups {
		if s.Group != "setups" {
			continue
		}
		color := barColors[s.Name]
		if color == "" {
			color = "#7d9cc0"
		}
		p.y += rowHeight
		p.words(labelWidth-10, p.y, "end", "label", labels[s.Name])
		p.print(`<rect x="%d" y="%d" width="%d" height="14" fill="%s"/>`, labelWidth, p.y-11, at(s.Throughput.Median)-labelWidth, color)
		p.print(`<path d="M%d %dH%d" stroke="#333"/>`, at(s.Throughput.Low), p.y-4, at(s.Throughput.High))
		p.words(pictureWidth-16, p.y, "end", "label", fmt.Sprintf("%.0f", s.Throughput.Median))
	}
	p.y += 18
	p.words(labelWidth, p.y, "start", "small", "logarithmic scale")
}

func (p *picture) dots(ratios []ratio, goals []outcome) {
	least, most := 0.9, 1.1
	for _, c := range ratios {
		least, most = min(least, c.Throughput.Low), max(most, c.Throughput.High)
	}
	at := func(v float64) int {
		return labelWidth + int(float64(plotWidth)*math.Log(v/least)/math.Log(most/least))
	}
	top := p.y + 8
	for _, c := range ratios {
		p.y += rowHeight
		e := c.Throughput
		p.words(labelWidth-10, p.y, "end", "label", c.Of+" / "+c.Base[0])
		p.print(`<path d="M%d %dH%d" stroke="#333" stroke-width="2"/>`, at(e.Low), p.y-4, at(e.High))
		p.print(`<circle cx="%d" cy="%d" r="4" fill="#1a7f5a"/>`, at(e.Median), p.y-4)
		for _, g := range goals {
			if g.Of == c.Of && g.Base == c.Base[0] {
				p.print(`<path d="M%d %dv16" stroke="#c0392b" stroke-width="2"/>`, at(g.AtLeast), p.y-12)
			}
		}
		p.words(pictureWidth-16, p.y, "end", "label", fmt.Sprintf("x%.3f", e.Median))
	}
	p.print(`<path d="M%d %dV%d" stroke="#999" stroke-dasharray="3 3"/>`, at(1), top, p.y+4)
}
