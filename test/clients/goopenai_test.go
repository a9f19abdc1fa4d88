package clients_test

import (
	"context"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func init() {
	register(Client{
		Name: "openai-go", Version: moduleVersion("github.com/openai/openai-go/v3"), Scope: "model-serving", Works: "Hello.",
		Calls: []Call{Stream},
		Run: func(ctx context.Context, at Target, call Call) Seen {
			return failed(chat(ctx, at, call))
		},
		Advice: []Advice{{
			Cases: []Case{wrongScope, unknownToken, expiredToken},
			Do:    "log the header `X-Databricks-Reason-Phrase` in an `option.WithMiddleware`",
			Run: func(ctx context.Context, at Target, call Call) Seen {
				return failed(chat(ctx, at, call, option.WithMiddleware(logReason(at))))
			},
			Maker: "Its error could show the body, whatever form that has.",
		}, {
			Cases: []Case{adminOutage},
			Do:    "log that header, with `option.WithMaxRetries(0)`",
			Run: func(ctx context.Context, at Target, call Call) Seen {
				return failed(chat(ctx, at, call, option.WithMaxRetries(0), option.WithMiddleware(logReason(at))))
			},
			Maker: "Its error could show the body, whatever form that has.",
		}},
	})
}

// logReason logs what the client does not show.
func logReason(at Target) option.Middleware {
	return func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		answer, err := next(r)
		if err == nil && answer.StatusCode >= http.StatusBadRequest {
			at.Show(answer.Header.Get("X-Databricks-Reason-Phrase") + "\n")
		}
		return answer, err
	}
}

func chat(ctx context.Context, at Target, call Call, options ...option.RequestOption) error {
	client := openai.NewClient(append(options, option.WithBaseURL(at.URL+"/serving-endpoints"), option.WithAPIKey(at.Token))...)
	question := openai.ChatCompletionNewParams{
		Model: "chat", MaxTokens: openai.Int(3),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hi")},
	}
	if call == Stream {
		stream := client.Chat.Completions.NewStreaming(ctx, question)
		defer stream.Close()
		for stream.Next() {
			at.Show(stream.Current().Choices[0].Delta.Content)
		}
		return stream.Err()
	}
	answer, err := client.Chat.Completions.New(ctx, question)
	if err == nil {
		at.Show(answer.Choices[0].Message.Content)
	}
	return err
}
