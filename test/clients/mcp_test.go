package clients_test

import (
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// mcpServer is an MCP server with two tools. "words" reports word1 to word3 as its
// progress, each after the first when "next" has been called in the same session.
func mcpServer() http.Handler {
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server {
		server := mcp.NewServer(&mcp.Implementation{Name: "words", Version: "1"}, nil)
		next := make(chan struct{})
		type nothing struct{}
		mcp.AddTool(server, &mcp.Tool{Name: "words", Description: "Reports three words."},
			func(ctx context.Context, r *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, nothing, error) {
				for i, word := range []string{"word1", "word2", "word3"} {
					err := r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
						ProgressToken: r.Params.GetProgressToken(), Message: word, Progress: float64(i + 1),
					})
					if err != nil {
						return nil, nothing{}, err
					}
					select {
					case <-next:
					case <-ctx.Done():
						return nil, nothing{}, ctx.Err()
					}
				}
				return nil, nothing{}, nil
			})
		mcp.AddTool(server, &mcp.Tool{Name: "next", Description: "Lets the tool words go on."},
			func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, nothing, error) {
				select {
				case next <- struct{}{}:
					return nil, nothing{}, nil
				case <-ctx.Done():
					return nil, nothing{}, ctx.Err()
				}
			})
		return server
	}, nil)
}
