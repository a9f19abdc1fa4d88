// Package discovery keeps clients at the gateway. A workspace names itself in the
// documents by which clients find its OAuth endpoints, and in redirects: without this
// package they would go there directly, and fail where only the gateway can be reached.
package discovery
