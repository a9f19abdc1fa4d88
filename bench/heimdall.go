package main

import (
	"context"
	_ "embed" // for the templates
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/scopegate/scopegate/scopes"
)

// Heimdall's configuration and rules, see heimdall/README.md.
var (
	//go:embed heimdall/config.yaml.tmpl
	heimdallConfig string
	//go:embed heimdall/rules.yaml.tmpl
	heimdallRules string

	heimdallConfigFile = template.Must(template.New("config.yaml").Parse(heimdallConfig))
	heimdallRulesFile  = template.Must(template.New("rules.yaml").Parse(heimdallRules))
)

// heimdallRule is the paths that any of some scopes permits.
type heimdallRule struct {
	ID     string
	Scopes []string
	Paths  []string // in Heimdall's grammar
}

// heimdallRulesFor returns one rule for each set of scopes that permits some of the paths.
func heimdallRulesFor(operations []*scopes.Operation) []heimdallRule {
	known := append([]string{scopes.AllAPIs}, scopes.KnownScopes()...)
	byScopes := make(map[string]*heimdallRule)
	for _, o := range operations {
		var permit []string
		for _, scope := range known {
			if o.Permits([]string{scope}) && !slices.Contains(permit, scope) {
				permit = append(permit, scope)
			}
		}
		key := strings.Join(permit, " ")
		if byScopes[key] == nil {
			byScopes[key] = &heimdallRule{Scopes: permit}
		}
		byScopes[key].Paths = append(byScopes[key].Paths, heimdallPath(o.Template))
	}
	var rules []heimdallRule
	for i, key := range slices.Sorted(maps.Keys(byScopes)) {
		rule := byScopes[key]
		rule.ID = fmt.Sprintf("rule-%d", i)
		slices.Sort(rule.Paths)
		rule.Paths = slices.Compact(rule.Paths)
		rules = append(rules, *rule)
	}
	return rules
}

// heimdallPath translates a template of the catalog. Its parameters are whole segments.
func heimdallPath(template string) string {
	return parameter.ReplaceAllStringFunc(template, func(p string) string {
		if strings.HasSuffix(p, "...}") {
			return "**"
		}
		return ":*"
	})
}

// addHeimdall starts Heimdall in proxy mode, or skips it if there is none.
func (l *lab) addHeimdall(ctx context.Context, r *running, dir string) error {
	if l.heimdall == "" {
		r.skipped = append(r.skipped, heimdall)
		return nil
	}
	return r.add(one(l.startHeimdall(ctx, dir)))
}

func (l *lab) startHeimdall(ctx context.Context, dir string) (*process, *target, error) {
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, nil, err
	}
	if dir, err = os.MkdirTemp(dir, "heimdall-"); err != nil {
		return nil, nil, err
	}
	config, rules := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "rules.yaml")
	_, operations := pathsOf(scopes.Default(), corpusRandom())
	if err := writeTemplate(heimdallRulesFile, rules, map[string]any{
		"Upstream": l.upstream.Address, "Rules": heimdallRulesFor(operations),
	}); err != nil {
		return nil, nil, err
	}
	if err := writeTemplate(heimdallConfigFile, config, map[string]any{
		"Port": site{Address: addresses[0]}.Port(), "ManagementPort": site{Address: addresses[1]}.Port(),
		"Upstream": l.upstream.Address, "TokenPath": tokenPath, "Rules": rules,
	}); err != nil {
		return nil, nil, err
	}
	// Its defaults demand TLS everywhere, which none of the others has here.
	p, err := spawn(dir, heimdall, nil, l.heimdall, "serve", "proxy", "--config", config, "--insecure")
	if err != nil {
		return nil, nil, err
	}
	if err := p.awaitListening(ctx, addresses[0]); err != nil {
		p.stop()
		return nil, nil, err
	}
	return p, enforcing(newTarget(heimdall, addresses[0], p.pid())), nil
}
