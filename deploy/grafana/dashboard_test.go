package grafana_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// dashboard is the part of Grafana's model that this test reads.
type dashboard struct {
	UID, Title    string
	ID            any
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type, Definition string
			Datasource             source
		}
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		RefID, Expr, LegendFormat string
		Datasource                source
	}
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Thresholds struct{ Steps []step }
		}
	}
}

type source struct{ Type, UID string }

type step struct {
	Color string
	Value *float64
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	content, err := os.ReadFile("scopegate.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// described collects the descriptions of collectors.
type described struct{ metrics map[string]metric }

var descPattern = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", .* variableLabels: \{(.*)\}\}$`)

func (d described) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 10)
	c.Describe(descs)
	close(descs)
	for desc := range descs {
		found := descPattern.FindStringSubmatch(desc.String())
		if found == nil {
			panic("client_golang describes its metrics in another way now: " + desc.String())
		}
		m := metric{labels: make(map[string]map[string]bool)}
		for _, label := range strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' || r == ' ' }) {
			m.labels[label] = make(map[string]bool)
		}
		switch c.(type) {
		case *prometheus.CounterVec:
			m.counts = true
			d.metrics[found[1]] = m
		case prometheus.Gauge, interface { // a counter that can also be set
			WithLabelValues(...string) prometheus.Gauge
		}:
			d.metrics[found[1]] = m
		case prometheus.Counter:
			m.counts = true
			d.metrics[found[1]] = m
		case prometheus.Histogram:
			m.counts = true
			d.metrics[found[1]+"_sum"], d.metrics[found[1]+"_count"] = m, m
			d.metrics[found[1]+"_bucket"] = metric{counts: true, labels: map[string]map[string]bool{"le": nil}}
		default:
			panic("a new kind of collector: " + desc.String())
		}
	}
	return nil
}

func (d described) MustRegister(...prometheus.Collector) {}
func (d described) Unregister(prometheus.Collector) bool { return false }

// gathered returns the gateway's metrics: names, labels, and the label values that
// matchers may use.
func gathered(t *testing.T) map[string]metric {
	t.Helper()
	d := described{make(map[string]metric)}
	m, err := metrics.Register(d)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	if _, err := metrics.Register(registry); err != nil {
		t.Fatal(err)
	}
	for _, decision := range []judge.Decision{judge.Allow, judge.Deny, judge.Public} {
		for _, reason := range []policy.Reason{policy.Permitted, policy.MissingScope, policy.DirectoryUnavailable, policy.GatewayMisconfigured, policy.AuditUnavailable} {
			for _, enforced := range []bool{true, false} {
				m.Decision(string(decision), string(reason), enforced)
			}
		}
	}
	authority := m.NewAuthority()
	defer authority.Close()
	for _, result := range []string{"found", "unknown", "unusable", string(tokens.TimedOut), string(tokens.Rejected)} {
		authority.LookedUp(result, time.Millisecond)
	}
	m.Synced("listed", 1, time.Millisecond)
	m.Synced(string(tokens.TimedOut), 0, time.Millisecond)

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				d.metrics[family.GetName()].labels[label.GetName()][label.GetValue()] = true
			}
		}
	}
	return d.metrics
}

func TestEveryQueryNamesWhatExists(t *testing.T) {
	metrics, asked := gathered(t), make(map[string]bool)
	note := func(expr string) {
		for name := range metrics {
			if strings.Contains(expr, name) {
				asked[strings.TrimSuffix(name, "_bucket")] = true
			}
		}
	}
	d := readDashboard(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			labels, err := check(target.Expr, metrics)
			if err != nil {
				t.Errorf("%s: %s: %v", p.Title, target.Expr, err)
			}
			for _, found := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(labels, found[1]) {
					t.Errorf("%s: the legend's %s is not in the result, which has %v", p.Title, found[1], labels)
				}
			}
			note(target.Expr)
		}
	}
	// Every metric must be on a panel, or it is useless.
	for name := range metrics {
		base := regexp.MustCompile("_(bucket|sum|count)$").ReplaceAllString(name, "")
		if !asked[base] {
			t.Errorf("no panel shows %s", base)
		}
	}
	values := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, variable := range d.Templating.List {
		if variable.Type != "query" {
			continue
		}
		found := values.FindStringSubmatch(variable.Definition)
		if found == nil {
			t.Errorf("variable %s: %s", variable.Name, variable.Definition)
			continue
		}
		if labels, err := check(found[1], metrics); err != nil || !slices.Contains(labels, found[2]) {
			t.Errorf("variable %s: %s: labels %v, %v", variable.Name, variable.Definition, labels, err)
		}
	}
}

func TestDashboardCanBeImported(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.ID != nil || d.SchemaVersion < 36 {
		t.Errorf("uid %q, title %q, id %v, schema %d", d.UID, d.Title, d.ID, d.SchemaVersion)
	}
	var names []string
	for _, variable := range d.Templating.List {
		names = append(names, variable.Name)
		if variable.Type == "query" && variable.Datasource != (source{"prometheus", "${datasource}"}) {
			t.Errorf("variable %s uses the data source %v", variable.Name, variable.Datasource)
		}
	}
	if want := []string{"datasource", "job", "instance"}; !slices.Equal(names, want) {
		t.Errorf("variables %v, want %v", names, want)
	}
	ids, taken := make(map[int]string), make(map[[2]int]string)
	for _, p := range d.Panels {
		if other, ok := ids[p.ID]; ok || p.ID <= 0 {
			t.Errorf("%s has the same id %d as %q", p.Title, p.ID, other)
		}
		ids[p.ID] = p.Title
		g := p.GridPos
		if g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("%s does not fit at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Errorf("%s overlaps %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		known := []string{"none", "short", "reqps", "percentunit", "s"}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 || !slices.Contains(known, p.FieldConfig.Defaults.Unit) {
			t.Errorf("panel %d: title %q, description %q, %d queries, unit %q", p.ID, p.Title, p.Description, len(p.Targets), p.FieldConfig.Defaults.Unit)
		}
		var refs []string
		for _, target := range p.Targets {
			if slices.Contains(refs, target.RefID) || target.RefID == "" {
				t.Errorf("%s: two queries %q", p.Title, target.RefID)
			}
			refs = append(refs, target.RefID)
			if target.Datasource != p.Datasource || p.Datasource != (source{"prometheus", "${datasource}"}) {
				t.Errorf("%s uses the data sources %v and %v", p.Title, p.Datasource, target.Datasource)
			}
		}
		// A single loss must be red. Extrapolation may turn it into a fraction.
		if strings.Contains(p.Targets[0].Expr, "audit_dropped") {
			last := p.FieldConfig.Defaults.Thresholds.Steps
			if s := last[len(last)-1]; s.Color != "red" || s.Value == nil || *s.Value <= 0 || *s.Value > .5 {
				t.Errorf("%s: the last threshold is %+v", p.Title, s)
			}
		}
	}
}

func TestAlertsNameWhatExists(t *testing.T) {
	content, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	metrics, rules := gathered(t), 0
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			rules++
			labels, err := check(rule.Expr, metrics)
			if err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
			for _, found := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(rule.Annotations["summary"]+rule.Annotations["description"], -1) {
				if !slices.Contains(labels, found[1]) {
					t.Errorf("%s: the text uses %s, the labels are %v", rule.Alert, found[1], labels)
				}
			}
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s lacks a severity, a summary or a description", rule.Alert)
			}
		}
	}
	if rules == 0 {
		t.Error("no rules were found")
	}
}

// TestPromtool checks every query with Prometheus's parser, and runs the alerts' cases.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h").Replace(target.Expr)
			rules = append(rules, rule{"dashboard:query", expr})
		}
	}
	content, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	queries := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(queries, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "rules", "--lint=none", queries},
		{"check", "rules", "--lint-fatal", "alerts.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		t.Run(strings.Join(args[:2], " ")+" "+filepath.Base(args[len(args)-1]), func(t *testing.T) {
			if output, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}
