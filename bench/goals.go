package main

import "fmt"

// goal is a lower bound for the throughput ratio of a comparison, or, without a base, an
// upper bound for the CPU time of a request in microseconds.
type goal struct {
	Group, Of, Base string
	Bound           float64
}

// goals are the project's goals. That of the profile is ownShareGoal.
var goals = []goal{
	{"handler", enforce, plain, 0.94},
	{"handler", withLines, plain, 0.92},
	{"otlp", withOTLP, plain, 0.89},
	{"dead", withDead, plain, 0.89},
	{"setups", shipped, stockProxy, 1.20},
	{"decision", nginxDecide, nginxYes, 0.80},
	{"cost", askGRPC, "", 60},
	{"cost", askGRPCOne, "", 60},
}

const (
	ownShareName = "own-functions"
	ownShareGoal = 7 // percent of the CPU time of the gateway as shipped
)

// outcome says whether a goal was met.
type outcome struct {
	Of      string   `json:"of"`
	Base    string   `json:"base,omitempty"`
	AtLeast float64  `json:"at_least,omitempty"`
	AtMost  float64  `json:"at_most,omitempty"`
	Unit    string   `json:"unit,omitempty"` // none for a ratio
	Is      estimate `json:"is"`
	Met     bool     `json:"met"`
	// Sure means that the whole confidence interval is on the same side of the goal.
	Sure bool `json:"sure"`
}

func judge(g goal, is estimate) outcome {
	if g.Base == "" {
		return judgeCeiling(g.Of, g.Bound, "us", is)
	}
	o := outcome{Of: g.Of, Base: g.Base, AtLeast: g.Bound, Is: is, Met: is.Median >= g.Bound}
	o.Sure = is.Low >= g.Bound || is.High < g.Bound
	return o
}

func judgeCeiling(of string, bound float64, unit string, is estimate) outcome {
	o := outcome{Of: of, AtMost: bound, Unit: unit, Is: is, Met: is.Median <= bound}
	o.Sure = is.High <= bound || is.Low > bound
	return o
}

// name returns the goal in words.
func (o outcome) name() string {
	if o.Base == "" {
		return fmt.Sprintf("%s at most %.0f %s", o.Of, o.AtMost, o.Unit)
	}
	return fmt.Sprintf("%s / %s at least x%.2f", o.Of, o.Base, o.AtLeast)
}

// is returns what was measured in words.
func (o outcome) is() string {
	if o.Base == "" {
		return fmt.Sprintf("%.1f [%.1f-%.1f] %s", o.Is.Median, o.Is.Low, o.Is.High, o.Unit)
	}
	return o.Is.String()
}

func (o outcome) text() string {
	text := "met"
	switch {
	case o.Met:
	case o.Base == "":
		text = fmt.Sprintf("missed by %.1f %%", 100*(o.Is.Median/o.AtMost-1))
	default:
		text = fmt.Sprintf("missed by %.1f %%", 100*(1-o.Is.Median/o.AtLeast))
	}
	if !o.Sure {
		text += " (the goal is inside the interval)"
	}
	return text
}
