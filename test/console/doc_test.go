// Package console has black-box tests of databricks_console: who it lets in, and where it refuses
// to start. What the pages show is tested in internal/console.
package console
