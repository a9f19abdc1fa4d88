// Package scopes answers which API scopes a request to a Databricks workspace
// needs. It maps a method and a path to an [Operation], the scopes that permit
// it, and the evidence for that.
//
//	permitted, err := scopes.Default().Permits("GET", "/api/2.1/jobs/list", []string{"jobs"})
//
// # The catalog
//
// The map is catalog.tsv, which is embedded in the package; [Default] returns it.
// It is generated from the source of databricks-sdk-go and the reviewed tables in
// cmd/scopegen. [Catalog.With] overrides or adds rows, for example those that
// [Parse] reads from a file. A path that is not in the catalog is the unmapped
// operation, which needs [AllAPIs]: Databricks itself requires that scope for
// paths it has not documented.
//
// An operation also says whether it only reads, see [Operation.Reads] and [Effect]. What is
// not known to read counts as writing.
//
// # Readings
//
// One path can mean several things. A server may split it before or after it
// decodes it, or decode it twice; it may resolve dot segments, merge slashes,
// drop ";parameters", treat a backslash as a slash, or ignore letter case. A
// check of one interpretation is worthless if the server behind it uses another.
// [Catalog.Read] therefore returns every [Reading] of a path, and a request is
// permitted only if every reading is. An ordinary path has exactly one reading,
// and finding it does not allocate.
//
// The package depends on the standard library only. It knows nothing about
// tokens or HTTP servers.
package scopes

//go:generate go run ../cmd/scopegen
