package scopes_test

import (
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// Which scopes does a request need?
func ExampleCatalog_Read() {
	readings, err := scopes.Default().Read("GET", "/api/2.1/jobs/list", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range readings {
		fmt.Println(r.Operation.Name, "needs one of", r.Operation.AnyOf)
	}
	// Output:
	// jobs.List needs one of [jobs]
}

// An attack: the path of a file that some servers resolve to another operation. Such a
// path is an error, which holds what it could be.
func ExampleCatalog_Read_traversal() {
	_, err := scopes.Default().Read("POST", "/api/2.0/fs/directories/..%2f..%2f../2.2/jobs/run-now", nil)
	fmt.Println(err)
	var malformed *scopes.PathError
	if errors.As(err, &malformed) {
		for _, r := range malformed.Readings {
			if !r.Operation.Unmapped() {
				fmt.Println("could be", r.Operation.Name)
			}
		}
	}
	// Output:
	// reading the request path: the path contains a dot segment (. or ..): send the path that it stands for
	// could be jobs.RunNow
}

// May a token with the scope jobs call an operation?
func ExampleCatalog_Permits() {
	catalog := scopes.Default()
	held := []string{"jobs"}
	for _, path := range []string{
		"/api/2.1/jobs/list",
		"/api/2.0/clusters/list",
		"/api/2.1/jobs/%zz",
	} {
		permitted, err := catalog.Permits("GET", path, held)
		fmt.Println(path, permitted, err)
	}
	// Output:
	// /api/2.1/jobs/list true <nil>
	// /api/2.0/clusters/list false <nil>
	// /api/2.1/jobs/%zz false reading the request path: the path contains a percent sign that is not followed by two hexadecimal digits
}

// Custom rows replace or extend those of the default catalog.
func ExampleCatalog_With() {
	const routes = "GET\t/api/2.0/my-service/{id}\tjobs,sql\n"
	rows, err := scopes.Parse(strings.NewReader(routes), "routes.tsv")
	if err != nil {
		log.Fatal(err)
	}
	catalog, err := scopes.Default().With(rows)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range []*scopes.Catalog{scopes.Default(), catalog} {
		permitted, err := c.Permits("GET", "/api/2.0/my-service/7", []string{"sql"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(permitted)
	}
	// Output:
	// false
	// true
}

// What changed between two catalogs?
func ExampleDiff() {
	before := scopes.Default()
	rows, err := scopes.Parse(strings.NewReader(
		"GET\t/api/2.0/my-service/{id}\tjobs\n"+
			"GET\t/api/2.2/jobs/list\tjobs,pipelines\n"), "routes.tsv")
	if err != nil {
		log.Fatal(err)
	}
	after, err := before.With(rows)
	if err != nil {
		log.Fatal(err)
	}
	for _, change := range scopes.Diff(before.Operations(), after.Operations()) {
		switch {
		case change.Old == nil:
			fmt.Println("added", change.New.Template, change.New.AnyOf)
		case change.New == nil:
			fmt.Println("removed", change.Old.Template)
		default:
			fmt.Println("changed", change.New.Template, change.Old.AnyOf, "to", change.New.AnyOf)
		}
	}
	// Output:
	// added /api/2.0/my-service/{id} [jobs]
	// changed /api/2.2/jobs/list [jobs] to [jobs pipelines]
}
