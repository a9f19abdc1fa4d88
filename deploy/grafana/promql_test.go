package grafana_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// query parses enough of PromQL to check the dashboard and the alerts against the
// metrics that exist. It rejects what it does not know. promtool, if installed, checks
// the rest.
type query struct {
	tokens  []string
	metrics map[string]metric
	problem error
}

// metric is a metric's type and labels.
type metric struct {
	counts bool                       // a counter, which rate and increase require
	labels map[string]map[string]bool // names, and the known values
}

// target lists the labels that Prometheus adds.
var target = []string{"job", "instance"}

var (
	tokenPattern = regexp.MustCompile(`^(?:\s+|[a-zA-Z_:][a-zA-Z0-9_:]*|[0-9.]+[a-z]*|"(?:[^"\\]|\\.)*"|\$[a-z_]+|=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],])`)
	aggregators  = []string{"sum", "min", "max", "avg", "count", "topk"}
	overRanges   = []string{"rate", "increase"}
	functions    = []string{"absent", "vector", "histogram_quantile", "clamp_max", "clamp_min"}
	operators    = []string{"+", "-", "*", "/", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"}
)

// check returns the labels that the result of an expression can have.
func check(expr string, metrics map[string]metric) (labels []string, err error) {
	q := &query{metrics: metrics}
	for rest := expr; rest != ""; {
		token := tokenPattern.FindString(rest)
		if token == "" {
			return nil, fmt.Errorf("unknown token %q", rest)
		}
		if strings.TrimSpace(token) != "" {
			q.tokens = append(q.tokens, token)
		}
		rest = rest[len(token):]
	}
	result := q.expression()
	if q.problem == nil && len(q.tokens) > 0 {
		q.fail("%q is left over", strings.Join(q.tokens, " "))
	}
	return slices.Sorted(maps.Keys(result)), q.problem
}

type set map[string]bool

func (q *query) fail(format string, args ...any) {
	if q.problem == nil {
		q.problem = fmt.Errorf(format, args...)
	}
}

func (q *query) peek() string {
	if len(q.tokens) == 0 || q.problem != nil {
		return ""
	}
	return q.tokens[0]
}

func (q *query) next() string {
	token := q.peek()
	if token == "" {
		q.fail("ends too early")
		return ""
	}
	q.tokens = q.tokens[1:]
	return token
}

func (q *query) want(token string) {
	if got := q.next(); got != token {
		q.fail("%q where %q belongs", got, token)
	}
}

// expression parses operands and operators. It ignores precedence, which does not matter
// for names.
func (q *query) expression() set {
	result := q.operand()
	for slices.Contains(operators, q.peek()) {
		operator := q.next()
		matching := q.peek()
		var by, carried []string
		if matching == "on" || matching == "ignoring" {
			q.next()
			by = q.names()
			if grouping := q.peek(); grouping == "group_left" || grouping == "group_right" {
				q.next()
				carried = q.names()
			}
		}
		right := q.operand()
		for _, label := range by {
			if !result[label] && !right[label] {
				q.fail("neither side of %s has the label %s", operator, label)
			}
		}
		for _, label := range carried {
			result[label] = true
		}
		if operator == "or" {
			maps.Copy(result, right)
		}
	}
	return result
}

func (q *query) operand() set {
	token := q.next()
	switch {
	case token == "(":
		result := q.expression()
		q.want(")")
		return result
	case token != "" && strings.Contains("0123456789.", token[:1]):
		return set{}
	case slices.Contains(aggregators, token):
		return q.aggregation()
	case slices.Contains(overRanges, token):
		q.want("(")
		result := q.selector(q.next(), true)
		q.want(")")
		return result
	case slices.Contains(functions, token):
		return q.call(token)
	}
	return q.selector(token, false)
}

// aggregation parses what follows the name of an aggregation, with the grouping first.
func (q *query) aggregation() set {
	result := set{}
	if q.peek() == "by" {
		q.next()
		for _, label := range q.names() {
			result[label] = true
		}
	}
	q.want("(")
	inner := q.expression()
	q.want(")")
	for label := range result {
		if !inner[label] {
			q.fail("the operand has no label %s", label)
		}
	}
	return result
}

func (q *query) call(function string) set {
	result := set{}
	q.want("(")
	for {
		maps.Copy(result, q.expression())
		if q.peek() != "," {
			break
		}
		q.next()
	}
	q.want(")")
	switch function {
	case "histogram_quantile":
		if !result["le"] {
			q.fail("a quantile without the label le")
		}
		delete(result, "le")
	case "absent":
		return set{}
	}
	return result
}

func (q *query) names() []string {
	var names []string
	q.want("(")
	for q.peek() != ")" && q.problem == nil {
		if names = append(names, q.next()); q.peek() == "," {
			q.next()
		}
	}
	q.want(")")
	return names
}

// selector parses a metric with its matchers, and with a range if one is required.
func (q *query) selector(name string, ranged bool) set {
	m, ok := q.metrics[name]
	if !ok {
		q.fail("unknown metric %q", name)
		return set{}
	}
	result := set{}
	for label := range m.labels {
		result[label] = true
	}
	for _, label := range target {
		result[label] = true
	}
	if q.peek() == "{" {
		q.next()
		for q.peek() != "}" && q.problem == nil {
			label, operator, value := q.next(), q.next(), q.next()
			if !result[label] {
				q.fail("%s has no label %q", name, label)
			}
			q.matcher(name, label, operator, strings.Trim(value, `"`), m.labels[label])
			if q.peek() == "," {
				q.next()
			}
		}
		q.want("}")
	}
	if !ranged {
		return result
	}
	if !m.counts {
		q.fail("a rate of %s, which is not a counter", name)
	}
	q.want("[")
	if span := q.next(); !regexp.MustCompile(`^([0-9]+[smhd]|\$__rate_interval|\$__range)$`).MatchString(span) {
		q.fail("invalid range %q", span)
	}
	q.want("]")
	return result
}

// matcher checks a matcher against the known values of its label. Dashboard variables may
// only match the labels of the target.
func (q *query) matcher(name, label, operator, value string, known map[string]bool) {
	if slices.Contains(target, label) {
		if value != "$"+label || operator != "=~" {
			q.fail("%s %s %q", label, operator, value)
		}
		return
	}
	alternatives := []string{value}
	if operator == "=~" || operator == "!~" {
		alternatives = strings.Split(value, "|")
	}
	for _, alternative := range alternatives {
		if !known[alternative] {
			q.fail("%s never has %s=%q", name, label, alternative)
		}
	}
}

func TestChecking(t *testing.T) {
	metrics := map[string]metric{
		"calls_total":    {counts: true, labels: map[string]map[string]bool{"kind": {"a": true, "b": true}}},
		"seconds_bucket": {counts: true, labels: map[string]map[string]bool{"le": nil}},
		"ready":          {},
	}
	for _, test := range []struct{ expr, labels, problem string }{
		{expr: `ready`, labels: "instance job"},
		{expr: `ready{job=~"$job"} == 0`, labels: "instance job"},
		{expr: `sum by (kind) (rate(calls_total{kind!~"a|b"}[5m]))`, labels: "kind"},
		{expr: `(sum(rate(calls_total[$__rate_interval])) or vector(0)) / 2`, labels: ""},
		{expr: `sum by (kind) (calls_total) / ignoring (kind) group_left () sum(calls_total)`, labels: "kind"},
		{expr: `histogram_quantile(0.5, sum by (le, job) (rate(seconds_bucket[5m])))`, labels: "job"},
		{expr: `absent(ready)`, labels: ""},
		{expr: `read`, problem: `unknown metric "read"`},
		{expr: `calls`, problem: `unknown metric "calls"`},
		{expr: `ready{kind="a"}`, problem: `no label "kind"`},
		{expr: `calls_total{kind="c"}`, problem: `never has kind="c"`},
		{expr: `calls_total{kind=~"a|c"}`, problem: `never has kind="c"`},
		{expr: `sum by (color) (calls_total)`, problem: `no label color`},
		{expr: `sum by (kind) (ready)`, problem: `no label kind`},
		{expr: `sum by (le) (sum by (kind) (calls_total))`, problem: `no label le`},
		{expr: `ready / on (kind) ready`, problem: `the label kind`},
		{expr: `histogram_quantile(0.5, sum(rate(seconds_bucket[5m])))`, problem: `without the label le`},
		{expr: `rate(ready[5m])`, problem: `not a counter`},
		{expr: `rate(calls_total)`, problem: `belongs`},
		{expr: `rate(calls_total[x])`, problem: `invalid range "x"`},
		{expr: `ready{job="gateway"}`, problem: `job =`},
		{expr: `(ready`, problem: `too early`},
		{expr: `ready)`, problem: `left over`},
		{expr: `ready ; drop`, problem: `unknown token`},
		{expr: ``, problem: `too early`},
	} {
		t.Run(test.expr, func(t *testing.T) {
			labels, err := check(test.expr, metrics)
			if test.problem == "" && (err != nil || strings.Join(labels, " ") != test.labels) {
				t.Errorf("labels %q, %v", labels, err)
			}
			if test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
				t.Errorf("%v, want %q", err, test.problem)
			}
		})
	}
}
