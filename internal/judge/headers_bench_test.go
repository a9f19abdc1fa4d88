package judge

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/scopegate/scopegate/internal/policy"
)

// BenchmarkDropHeaders looks at the headers of a request from a Databricks SDK, which has
// nothing to drop, and at those of a browser behind a proxy.
func BenchmarkDropHeaders(b *testing.B) {
	sdk := http.Header{}
	for name, value := range map[string]string{
		"Accept": "application/json", "Accept-Encoding": "gzip", "Authorization": "Bearer x", "Content-Type": "application/json",
		"Traceparent": "00-0-0-01", "User-Agent": "databricks-sdk-go/0.1", "X-Databricks-Org-Id": "1",
	} {
		sdk.Set(name, value)
	}
	browser := sdk.Clone()
	for _, name := range []string{
		"Cache-Control", "Origin", "Pragma", "Referer", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "X-Csrf-Token",
		"X-Databricks-Azure-Service-Context", "X-Request-Id", "X-Requested-With",
	} {
		browser.Set(name, "x")
	}
	for name, header := range map[string]http.Header{"sdk": sdk, "browser": browser} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := &http.Request{URL: &url.URL{Path: "/api/2.2/jobs/list"}, Header: header}
			j := &Judgement{}
			j.Reason = policy.Permitted
			for b.Loop() {
				if dropped := j.DropHeaders(r, nil); dropped != nil {
					b.Fatal(dropped)
				}
			}
		})
	}
}
