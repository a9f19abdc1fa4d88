// Command schemas writes the JSON schemas by which kubeconform checks manifests.
//
//	go run -C build/kubernetes ./schemas -output <folder>
//
// kubeconform's own schemas are on a host that not every network reaches, and what is
// checked should not depend on what that host has today. These are derived from the
// OpenAPI document of one release of Kubernetes, which comes as a Go module: its hash
// is pinned, and Go caches it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	output := flag.String("output", "", "folder to write the schemas to; it is made if there is none")
	swagger := flag.String("swagger", "", "OpenAPI document to read (default: the one of "+module+" "+version+")")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *swagger, *output); err != nil {
		stop()
		log.Fatalf("schemas: %v", err)
	}
}

func run(ctx context.Context, swagger, output string) error {
	if output == "" {
		return fmt.Errorf("name a folder for the schemas: -output <folder>")
	}
	if swagger == "" {
		var err error
		if swagger, err = download(ctx); err != nil {
			return err
		}
	}
	document, err := os.ReadFile(swagger)
	if err != nil {
		return err
	}
	files, err := derive(document)
	if err != nil {
		return fmt.Errorf("%s: %w", swagger, err)
	}
	if err := os.MkdirAll(output, 0o755); err != nil {
		return err
	}
	for name, schema := range files {
		if err := os.WriteFile(filepath.Join(output, name), schema, 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("%d schemas in %s\n", len(files), output)
	return nil
}
