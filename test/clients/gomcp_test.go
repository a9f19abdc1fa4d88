package clients_test

import (
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func init() {
	register(Client{
		Name: "MCP Go SDK", Version: moduleVersion("github.com/modelcontextprotocol/go-sdk"), Scope: "sql", Works: "words",
		Calls: []Call{Stream},
		Run: func(ctx context.Context, at Target, call Call) Seen {
			return failed(callTools(ctx, at, call, withBearer{at.Token}))
		},
		Advice: []Advice{{
			Cases: []Case{wrongScope, unknownToken, expiredToken, adminOutage},
			Do:    "log the header `X-Databricks-Reason-Phrase` of failed responses in the `HTTPClient`'s transport",
			Run: func(ctx context.Context, at Target, call Call) Seen {
				return failed(callTools(ctx, at, call, loggingRefusals{at, withBearer{at.Token}}))
			},
			Maker: "For 500, 502, 503, 504 and 429 the SDK does not read the body; in other errors it shows the message of a JSON-RPC body only.",
		}},
	})
}

// loggingRefusals logs what the SDK does not show.
type loggingRefusals struct {
	at   Target
	next http.RoundTripper
}

func (l loggingRefusals) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(r)
	if err == nil && answer.StatusCode >= http.StatusBadRequest {
		l.at.Show(answer.Header.Get("X-Databricks-Reason-Phrase") + "\n")
	}
	return answer, err
}

// withBearer adds a token, as the documentation of MCP servers says.
type withBearer struct{ token string }

func (b withBearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

func callTools(ctx context.Context, at Target, call Call, transport http.RoundTripper) error {
	var session *mcp.ClientSession
	client := mcp.NewClient(&mcp.Implementation{Name: "suite", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, progress *mcp.ProgressNotificationClientRequest) {
			at.Show(progress.Params.Message + "\n")
			// In the background: the handler must not wait for an answer.
			go func() { _, _ = session.CallTool(ctx, &mcp.CallToolParams{Name: "next"}) }()
		},
	})
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: at.URL + mcpPath, HTTPClient: &http.Client{Transport: transport},
	}, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	if call == Stream {
		words := &mcp.CallToolParams{Name: "words"}
		words.SetProgressToken("words")
		_, err := session.CallTool(ctx, words)
		return err
	}
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return err
	}
	for _, tool := range tools.Tools {
		at.Show(tool.Name + "\n")
	}
	return nil
}
