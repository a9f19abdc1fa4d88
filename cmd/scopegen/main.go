// Command scopegen writes scopes/catalog.tsv: it reads every operation out of
// the source of databricks-sdk-go and gives each its scopes by rules.tsv. It is
// run by "go generate ./scopes"; with -check it writes nothing and fails if the
// file is not what it would write.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "the catalogue `file` to write (default: scopes/catalog.tsv of this module)")
	check := flag.Bool("check", false, "write nothing; fail if the file is stale")
	sdk := flag.String("sdk", "", "the `directory` of the databricks-sdk-go source (default: the version in go.mod)")
	flag.Parse()
	if err := run(*out, *sdk, *check, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scopegen:", err)
		os.Exit(1)
	}
}
