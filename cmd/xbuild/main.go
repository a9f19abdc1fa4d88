// Command xbuild builds a Caddy with the modules that xcaddy.json names, with
// xcaddy's own Builder, and checks that the result has them.
//
//	go run ./cmd/xbuild [-config xcaddy.json] [-output ./caddy]
//
// Nothing official reads a file called xcaddy.json; this one is a JSON document of
// xcaddy.Builder with a few describing keys beside it. Paths in replacements are
// relative to the file.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
)

func main() {
	config := flag.String("config", "xcaddy.json", "what to build: a document of xcaddy.Builder")
	output := flag.String("output", "caddy", "file to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *config, *output); err != nil {
		log.Fatalf("xbuild: %v", err)
	}
}
