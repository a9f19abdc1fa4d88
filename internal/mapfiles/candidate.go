package mapfiles

import (
	"bytes"
	"cmp"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/scopes"
)

// Candidate returns the map after one of the files is replaced: the bundle, if the content
// looks like one, and otherwise the routes. The note says why the gateway would refuse the
// bundle as it is, although it can be read.
func (f Files) Candidate(now *Map, content []byte, name string) (catalog *scopes.Catalog, note string, err error) {
	// Some editors put a byte order mark before what they save, and blank lines get there,
	// too. Its rows would be read as routes.
	inner := bytes.TrimLeft(content, "\ufeff \t\r\n")
	if !mapbundle.Is(inner) {
		routes, err := routesfile.Parse(content, name, now.Base)
		if err != nil {
			return nil, "", err
		}
		return routes.Catalog, "", nil
	}
	bundle, err := mapbundle.Read(inner, name)
	if err != nil {
		return nil, "", err
	}
	routes, err := routesfile.Over(bundle.Catalog, now.Routes, nil, f.Routes)
	if err != nil {
		return nil, "", err
	}
	return routes.Catalog, f.refusal(now, bundle, content, len(inner) < len(content), name), nil
}

// refusal says why the gateway would refuse a bundle, if it would.
func (f Files) refusal(now *Map, bundle *mapbundle.Bundle, content []byte, prefixed bool, name string) string {
	if f.Bundle == "" {
		return "the configuration of the gateway has no option map, so it does not read bundles"
	}
	problem := ""
	if _, err := f.open(content, name); prefixed {
		problem = name + ": something stands before its first line, such as a byte order mark: copy it again"
	} else if err != nil {
		problem = err.Error()
	} else {
		problem = cmp.Or(outdated(name, bundle), older(name, bundle.Made, now))
	}
	if problem == "" {
		return ""
	}
	return "the gateway would refuse the bundle as it is: " + problem
}
