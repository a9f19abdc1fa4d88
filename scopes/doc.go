// Package scopes knows what a request to a Databricks workspace needs: it maps
// a method and a path to an [Operation] and the API scopes of which any one
// permits it, and says on what evidence.
//
// # The catalogue
//
// The map itself is catalog.tsv, embedded in the package and compiled once by
// [Default]. It is generated from the source of databricks-sdk-go and from the
// reviewed rules in cmd/scopegen; an operator lays rows of the same format over
// it with [Catalog.With]. A path outside the catalogue is the unmapped
// operation, which needs [AllAPIs]: that is what Databricks itself asks for
// paths that it has not documented.
//
// # Readings
//
// One path can mean several things. A proxy may split it before it decodes it,
// or after, or decode it twice; a server may resolve dot segments, merge
// slashes, drop ";parameters", take a backslash for a slash or ignore letter
// case. Whoever checks one meaning and forwards the bytes has checked nothing
// if the server behind reads another. [Catalog.Read] therefore returns every
// [Reading] of a path, and a request may pass only if each of them is
// permitted. An ordinary path has exactly one reading and is found without
// allocating.
//
// The package is a plain library: it uses the standard library alone and knows
// neither tokens nor HTTP servers.
package scopes

//go:generate go run ../cmd/scopegen
