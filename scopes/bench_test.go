package scopes

import (
	"fmt"
	"strings"
	"testing"
)

// benchmarkPaths are the most common kinds of requests, cheapest first.
var benchmarkPaths = []struct{ name, method, path string }{
	{"jobs", "POST", "/api/2.2/jobs/run-now"},
	{"me", "GET", "/api/2.0/preview/scim/v2/Me"},
	{"statement", "GET", "/api/2.0/sql/statements/01f0a1b2-3c4d-5e6f-7a8b-9c0d1e2f3a4b/result/chunks/12"},
	{"table", "GET", "/api/2.1/unity-catalog/tables/main.Sales_EU.Orders-2026"},
	{"genie", "GET", "/api/2.0/genie/spaces/01ef/conversations/01ab/messages/77/attachments/9/query-result"},
	{"file", "PUT", "/api/2.0/fs/files/Volumes/main/raw/landing/2026/03/14/Part-0001.snappy.parquet"},
	{"version", "GET", "/api/2.7/clusters/get"},
	{"unmapped", "GET", "/api/2.0/something/not/known"},
}

func BenchmarkRead(b *testing.B) {
	c := Default()
	for _, bench := range benchmarkPaths {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]Reading, 0, 4)
			for b.Loop() {
				readings, err := c.Read(bench.method, bench.path, buf)
				if err != nil || len(readings) != 1 {
					b.Fatal(readings, err)
				}
			}
		})
	}
}

// BenchmarkReadOdd measures names that need more than one reading.
func BenchmarkReadOdd(b *testing.B) {
	c := Default()
	for _, bench := range []struct{ name, path string }{
		{"space", "/api/2.0/fs/files/Volumes/main/raw/landing/My%20Report%20(final).pdf"},
		{"percent", "/api/2.0/fs/files/Volumes/main/raw/landing/100%25.csv"},
		{"params", "/api/2.0/fs/files/Volumes/main/raw/landing/a;b.txt"},
		{"everything", "/api/2.0/fs/files/Volumes//main/..;x/a%252fb%2f%5c;d/./e./%3f%23f/"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]Reading, 0, 4)
			for b.Loop() {
				buf, _ = c.Read("PUT", bench.path, buf[:0])
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		rows, templates, err := parse(strings.NewReader(catalogTSV), "catalog.tsv")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := compile(rows, templates); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGrowth reads one path in catalogs of increasing size. The copies are
// services with other names under the same versions, so that the nodes on the path
// grow too.
func BenchmarkGrowth(b *testing.B) {
	rows := Default().Operations()
	for _, times := range []int{1, 10} {
		var all []Operation
		for i := range times {
			for _, row := range rows {
				parts := strings.Split(row.Template, "/")
				if at := min(3, len(parts)-1); i > 0 && !strings.ContainsAny(parts[at], "{*") {
					parts[at] += fmt.Sprint("-copy", i)
				} else if i > 0 {
					parts[1] += fmt.Sprint("-copy", i)
				}
				row.Template = strings.Join(parts, "/")
				all = append(all, row)
			}
		}
		c, err := New(all)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%d-rows", len(c.Operations())), func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]Reading, 0, 4)
			for b.Loop() {
				buf, _ = c.Read("GET", "/api/2.1/unity-catalog/tables/main.sales.orders", buf)
			}
		})
	}
}

func BenchmarkOperationPermits(b *testing.B) {
	b.ReportAllocs()
	readings, err := Default().Read("POST", "/serving-endpoints/llama/invocations", nil)
	if err != nil {
		b.Fatal(err)
	}
	op, held := readings[0].Operation, []string{"jobs", "clusters", "sql", "files", "model-serving-inference"}
	for b.Loop() {
		if !op.Permits(held) {
			b.Fatal("refused")
		}
	}
}
