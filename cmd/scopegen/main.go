// Command scopegen generates scopes/catalog.tsv. It reads every operation from the
// source of databricks-sdk-go and combines them with the tables beside this file:
//
//   - rules.tsv assigns scopes to the operations of the SDK, usually by group.
//   - extra.tsv adds rows for operations that the SDK does not have.
//   - evidence.tsv records the pages and refusals that prove single rows.
//   - names.tsv gives the formats of resource names that the SDK does not document.
//
// Run it with "go generate ./scopes". With -check it writes nothing and fails if
// the file is out of date.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "the catalog `file` to write (default: scopes/catalog.tsv of this module)")
	check := flag.Bool("check", false, "write nothing; fail if the file is out of date")
	sdk := flag.String("sdk", "", "the `directory` of the databricks-sdk-go source (default: the version in go.mod)")
	flag.Parse()
	if err := run(*out, *sdk, *check, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scopegen:", err)
		os.Exit(1)
	}
}
