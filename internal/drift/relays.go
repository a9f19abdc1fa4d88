package drift

import (
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// relays reports whether somebody else than the workspace may answer an operation: code of
// customers, such as a model, an app, a driver or an MCP server, or a service behind a
// connection. It could answer with the words of a refusal, and nothing in an answer proves
// where it comes from. So only operations of which the workspace alone answers count:
// those of the REST API, and those of SQL warehouses. Rows that stand for all paths below
// one do not, because each of those may need something else.
func relays(o *scopes.Operation) bool {
	warehouse := strings.HasPrefix(o.Template, "/sql/1.0/")
	switch {
	case o.Unmapped():
		return true
	case warehouse:
		return false
	case !strings.HasPrefix(o.Template, "/api/"), o.Method == "*", strings.Contains(o.Template, "/ai-gateway/"):
		return true
	case strings.Contains(o.Template, "...}"):
		// A path of a file is one parameter that contains slashes.
		return !strings.HasPrefix(o.Template, "/api/2.0/fs/")
	}
	for segment := range strings.SplitSeq(o.Template, "/") {
		switch segment {
		case "invocations", "proxy", "mcp", "external-function", "driver-proxy", "driver-proxy-api":
			return true
		}
	}
	return false
}
