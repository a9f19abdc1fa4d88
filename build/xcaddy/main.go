// Command xcaddy builds a Caddy with the modules in xcaddy.json, with xcaddy's own
// Builder, and checks that the result has them.
//
//	go run -C build/xcaddy . [-config ../../xcaddy.json] [-output ../../caddy]
//
// It is a Go module of its own, so that xcaddy is not among the dependencies of
// those who import the gateway. No official tool reads a file called xcaddy.json;
// ours is a JSON document of xcaddy.Builder with some keys that describe the module.
// Paths in its replacements are relative to the file.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
)

func main() {
	config := flag.String("config", "../../xcaddy.json", "what to build: a document of xcaddy.Builder")
	output := flag.String("output", "../../caddy", "file to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *config, *output); err != nil {
		stop()
		log.Fatalf("xcaddy: %v", err)
	}
}
