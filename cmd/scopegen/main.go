// Command scopegen generates scopes/catalog.tsv. It reads every operation from the
// source of databricks-sdk-go and combines them with the tables beside this file:
//
//   - rules.tsv assigns scopes to the operations of the SDK, usually by group.
//   - extra.tsv adds rows for operations that the SDK does not have.
//   - evidence.tsv records the pages and refusals that prove single rows.
//   - access.tsv says whether an operation only reads, where its method does not tell.
//   - names.tsv gives the formats of resource names that the SDK does not document.
//
// Run it with "go generate ./scopes". With -check it writes nothing, prints counts and
// fails if the file is out of date. With -bump it moves this module, and the modules
// below it, to another version of the SDK and prints what that changes in the catalog;
// if lines are missing in the tables, it names them and changes nothing. docs/map.md
// describes all of it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "the catalog `file` to write (default: scopes/catalog.tsv of this module)")
	check := flag.Bool("check", false, "write nothing; print counts, and fail if the file is out of date")
	version := flag.String("bump", "", "move to this `version` of the SDK, such as v0.182.0 or latest, and print what changes")
	sdk := flag.String("sdk", "", "the `directory` of the databricks-sdk-go source (default: the version in go.mod)")
	flag.Parse()
	var err error
	switch {
	case flag.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case *version != "" && (*out != "" || *check || *sdk != ""):
		err = errors.New("-bump goes with no other flag")
	case *version != "":
		err = moveTo(*version, os.Stdout)
	default:
		err = run(*out, *sdk, *check, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scopegen:", err)
		os.Exit(1)
	}
}
