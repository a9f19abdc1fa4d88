// Package mapfiles makes the map of a workspace from its files, a signed bundle and the
// operator's rows, and watches these files: a change takes effect without a reload of the
// configuration.
//
// Files: files.go (which files, and how they become a map), contents.go (reading both of
// them), candidate.go (a file that may take the place of one), watch.go (when to look),
// change.go (what happens when they have changed), compare.go (what that does to calls),
// tell.go (log, events and metrics).
package mapfiles

import (
	"fmt"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/scopes"
)

// Files are the files that the map of a workspace is made of.
type Files struct {
	// Bundle is the path of a signed bundle, whose rows are used instead of the shipped
	// ones; empty for the shipped map.
	Bundle string
	// Keys are those by one of which the bundle must be signed.
	Keys []mapbundle.PublicKey
	// Routes is the path of a file with rows that go over the map; empty for none.
	Routes string
	// Now is the clock by which a bundle from the future is refused; nil for time.Now.
	Now func() time.Time
}

// open reads a bundle as one that takes effect.
func (f Files) open(content []byte, name string) (*mapbundle.Bundle, error) {
	now := f.Now
	if now == nil {
		now = time.Now
	}
	return mapbundle.Open(content, name, f.Keys, now())
}

// Any reports whether there are files at all.
func (f Files) Any() bool { return f.Bundle != "" || f.Routes != "" }

// Map is the map that the files make. It never changes.
type Map struct {
	// Catalog has all rows.
	Catalog *scopes.Catalog
	// Base is the bundle or the shipped map, without routes.
	Base *scopes.Catalog
	// BasedOn is the day of the shipped map that Base is, or was made from.
	BasedOn time.Time
	// Made is when the bundle was made; zero without one.
	Made time.Time
	// Routes are the operator's rows.
	Routes []scopes.Operation
	// Warnings say what is valid and most likely a mistake in the routes, and MapWarnings
	// in the bundle.
	Warnings, MapWarnings []routesfile.Warning
	// Outdated says that the shipped map is used because the bundle is older; empty
	// otherwise.
	Outdated string

	sum sum
}

// InForce is what the requests for one workspace are judged by. It never changes, and is
// replaced as a whole.
type InForce struct {
	*Map
	// Judges are those of the workspace's handlers.
	Judges []*judge.Judge
}

// Load reads the files. A bundle that is older than the shipped map is not used, see
// Map.Outdated: an upgraded binary must start, and must not go back. All other problems are
// errors, which name the file.
func (f Files) Load() (*Map, error) { return f.load(f.read()) }

// load is Load for what was read.
func (f Files) load(c contents) (*Map, error) {
	m, err := f.build(c)
	if err != nil || m.Outdated == "" {
		return m, err
	}
	outdated, sum := m.Outdated, m.sum
	if m, err = (Files{Routes: f.Routes}).build(c); err != nil {
		return nil, err
	}
	m.Outdated, m.sum = outdated, sum
	return m, nil
}

// build makes the map of what was read.
func (f Files) build(c contents) (*Map, error) {
	if c.err != nil {
		return nil, c.err
	}
	m := &Map{Base: scopes.Default(), BasedOn: scopes.Date(), sum: c.sum()}
	if f.Bundle != "" {
		bundle, err := f.open(c.bundle, f.Bundle)
		if err != nil {
			return nil, fmt.Errorf("reading map: %w", err)
		}
		m.Base, m.BasedOn, m.Made, m.MapWarnings = bundle.Catalog, bundle.BasedOn, bundle.Made, bundle.Warnings
		m.Outdated = outdated(f.Bundle, bundle)
	}
	routes, err := routesfile.Parse(c.routes, f.Routes, m.Base)
	if err != nil {
		return nil, fmt.Errorf("reading routes: %w", err)
	}
	m.Catalog, m.Routes, m.Warnings = routes.Catalog, routes.Rows, routes.Warnings
	m.Catalog.Version() // which the first request would wait for
	return m, nil
}

// outdated says why a bundle goes back behind the shipped map, if it does.
func outdated(name string, bundle *mapbundle.Bundle) string {
	own := scopes.Date()
	if !bundle.BasedOn.Before(own) {
		return ""
	}
	return fmt.Sprintf("the bundle %s is based on the map of %s, and this scopegate ships that of %s: export it again, or remove map from the configuration",
		name, bundle.BasedOn.Format(time.DateOnly), own.Format(time.DateOnly))
}

// older says why a bundle goes back behind the one in force, if it does.
func older(name string, made time.Time, now *Map) string {
	if !made.Before(now.Made) {
		return ""
	}
	return fmt.Sprintf("the bundle %s was made on %s, before the one in force, of %s: to go back, keep it there and run scopegate reload --force",
		name, made.Format(time.RFC3339), now.Made.Format(time.RFC3339))
}
