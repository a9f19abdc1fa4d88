package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The picture shows the requests per second of each setup, the important ratios with their
// intervals, what a decision costs, and latencies at fixed rates.

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
	p.y = -6
	for _, chart := range r.charts() {
		p.y += 40
		p.words(16, p.y, "start", "title", chart.title)
		p.y += 14
		p.bars(chart.bars)
	}
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

// chart is bars on one scale.
type chart struct {
	title string
	bars  []bar
}

type bar struct {
	name, label string
	is          summary
	format      string
}

// charts returns the charts of what was measured, and always that of the setups.
func (r results) charts() []chart {
	charts := []chart{{"Requests per second, by setup (median and quartiles)", rates(r.Setups, "setups")}}
	more := []chart{
		{"The same work: look up a token, remember it, require a scope, proxy; requests per second", rates(r.Setups, "rivals")},
		{"nginx auth_request; requests per second", rates(r.Setups, "decision")},
		{"Asked without nginx; CPU us for a request", nil},
		{"To a workspace with TLS, at a fixed rate; p50 and p99 in ms", nil},
	}
	for _, s := range inGroup(r.Setups, "cost") {
		more[2].bars = append(more[2].bars, bar{s.Name, labels[s.Name], s.CPU, "%.0f"})
	}
	for _, row := range r.Latency {
		if row.Void == "" {
			label := fmt.Sprintf("%d/s, %s", row.Rate, labels[row.Target])
			more[3].bars = append(more[3].bars, bar{row.Target, label, summary{row.P50, row.P50, row.P99}, "%.2f"})
		}
	}
	for _, c := range more {
		if len(c.bars) > 0 {
			charts = append(charts, c)
		}
	}
	return charts
}

// rates are the requests per second of a group's setups.
func rates(setups []setup, group string) (bars []bar) {
	for _, s := range inGroup(setups, group) {
		bars = append(bars, bar{s.Name, labels[s.Name], s.Throughput, "%.0f"})
	}
	return bars
}

var barColors = map[string]string{
	shipped: "#1a7f5a", shippedQuiet: "#1a7f5a", nginxGuard: "#1a7f5a", secure: "#1a7f5a",
	nginxDecide: "#1a7f5a", askDecide: "#1a7f5a", askGRPC: "#1a7f5a", askGRPCOne: "#1a7f5a",
	direct: "#bbb",
}

// bars draws values on a logarithmic scale, because the upstream alone is many times faster
// than any proxy.
func (p *picture) bars(bars []bar) {
	least, most := math.Inf(1), 0.0
	for _, b := range bars {
		if b.is.Low > 0 {
			least = min(least, b.is.Low)
		}
		most = max(most, b.is.High)
	}
	if most == 0 || math.IsInf(least, 1) {
		p.y += rowHeight
		p.words(16, p.y, "start", "label", "not measured")
		return
	}
	least /= 1.6
	at := func(v float64) int {
		return labelWidth + int(float64(plotWidth)*math.Log(max(v, least)/least)/math.Log(most/least))
	}
	for _, b := range bars {
		color := barColors[b.name]
		if color == "" {
			color = "#7d9cc0"
		}
		p.y += rowHeight
		p.words(labelWidth-10, p.y, "end", "label", b.label)
		p.print(`<rect x="%d" y="%d" width="%d" height="14" fill="%s"/>`, labelWidth, p.y-11, at(b.is.Median)-labelWidth, color)
		p.print(`<path d="M%d %dH%d" stroke="#333"/>`, at(b.is.Low), p.y-4, at(b.is.High))
		p.words(pictureWidth-16, p.y, "end", "label", fmt.Sprintf(b.format, b.is.Median))
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
