package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// measuredOnce returns a measurement in which target i serves about speeds[i] requests
// per second, with small differences between rounds.
func measuredOnce(group string, names []string, speeds []int, skipped ...string) measurement {
	m := measurement{group: group, names: names, peaks: map[string]int64{names[0]: 50 << 20}, skipped: skipped}
	for round := range 4 {
		for i, speed := range speeds {
			m.slices = append(m.slices, slice{
				round: round, target: i, requests: speed + round, took: time.Second,
				cpu: 500 * time.Millisecond, p50: 8 * time.Millisecond, p99: 30 * time.Millisecond,
			})
		}
	}
	return m
}

func TestEvaluate(t *testing.T) {
	measured := []measurement{
		measuredOnce("handler", []string{plain, plainTwin, enforce, withLines}, []int{1000, 1000, 990, 900}),
		measuredOnce("handler", []string{plain, plainTwin, enforce, withLines}, []int{2000, 2000, 1980, 1800}),
		measuredOnce("setups", []string{direct, stockProxy, shipped}, []int{40_000, 1000, 1300}, nginxProxy, nginxAuth),
		measuredOnce("rivals", []string{shipped}, []int{1000}, heimdall),
		measuredOnce("decision", []string{nginxYes, nginxYesTwin, nginxDecide}, []int{1000, 1000, 790}),
		measuredOnce("cost", []string{askBare, askGRPC}, []int{20_000, 10_000}),
	}
	r := evaluate(measured, rand.New(rand.NewPCG(1, 2)))
	r.Connections = []connectionMemory{{Name: shipped, Count: 2000, Idle: summary{Median: 30 << 10}, Busy: summary{Median: 70 << 10}}}
	if twin := r.twin(plainTwin); twin == nil || twin.Median != 1 {
		t.Errorf("the A/A pair is %v", twin)
	}
	want := map[[2]string]bool{{enforce, plain}: true, {withLines, plain}: false, {shipped, stockProxy}: true, {nginxDecide, nginxYes}: false, {askGRPC, ""}: true}
	if len(r.Goals) != len(want) {
		t.Errorf("%d goals, want %d: only measured targets have one", len(r.Goals), len(want))
	}
	for _, v := range r.Goals {
		if met, ok := want[[2]string{v.Of, v.Base}]; !ok || v.Met != met {
			t.Errorf("%s / %s is %v, met: %v", v.Of, v.Base, v.Is, v.Met)
		}
	}
	if len(r.Skipped) != 3 {
		t.Errorf("skipped: %v", r.Skipped)
	}
	text := r.text()
	for _, words := range []string{labels[stockProxy], "enforce / plain", "missed by", "SKIPPED: " + labels[nginxAuth] + ", because nginx is not installed",
		"SKIPPED: " + labels[heimdall] + ", because no -heimdall was given", "30.0", "70.0", "2000", "4006 requests", labels[askBare]} {
		if !strings.Contains(text, words) {
			t.Errorf("the report lacks %q:\n%s", words, text)
		}
	}
}

func TestPictureIsWellFormed(t *testing.T) {
	for _, test := range []struct {
		name     string
		measured []measurement
	}{
		{"nothing measured", nil},
		{"only the handler", []measurement{measuredOnce("handler", []string{plain, plainTwin, enforce}, []int{1000, 1010, 990})}},
		{"setups", []measurement{measuredOnce("setups", []string{direct, stockProxy, shipped}, []int{40_000, 1000, 1300})}},
		{"all other charts", []measurement{
			measuredOnce("rivals", []string{shipped, heimdall}, []int{1000, 400}),
			measuredOnce("decision", []string{nginxYes, nginxDecide}, []int{1000, 800}),
			measuredOnce("cost", []string{askBare, askGRPC}, []int{20_000, 10_000}),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := evaluate(test.measured, rand.New(rand.NewPCG(1, 2)))
			r.Latency = []latency{{Rate: 1000, Target: secure, P50: 0.4, P99: 1.2}, {Rate: 3000, Target: secure, Void: "late"}}
			decoder := xml.NewDecoder(strings.NewReader(r.svg()))
			for {
				if _, err := decoder.Token(); errors.Is(err, io.EOF) {
					return
				} else if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
