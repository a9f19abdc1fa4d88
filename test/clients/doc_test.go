// Package clients_test runs real, unmodified clients against the gateway and writes down
// what their users see, in docs/clients.md. It is a module of its own, because the clients
// are dependencies that the gateway must not have.
//
//	go test -C test/clients ./...                    every client that is installed here
//	go test -C test/clients ./... -args -install     installs the npm clients first
//	go test -C test/clients ./... -args -update      writes the tables in docs/clients.md
//	go test -C test/clients ./... -args -patient     waits for clients that retry for minutes
//
// Without -update a client whose user sees something else than docs/clients.md says fails
// the test. A client that is not installed is skipped with a message that says how to get it.
package clients_test
