// Package history reads what the gateways decided in the last hours and days from a Prometheus
// server that scrapes them: what one gateway holds in memory reaches back an hour. It does not
// know Caddy.
//
// The server is asked with one range query, which sums over all instances. It is not trusted:
// its answers are bounded in time and size, redirects are not followed, and no text of it is
// shown.
//
// Files: prometheus.go (the server, and answers that are kept for a while), period.go,
// query.go, answer.go.
package history
