package clients_test

import (
	"context"
	"errors"

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
			Do:    "print the header `X-Databricks-Reason-Phrase` of the `openai.Error`'s `Response`",
			Run: func(ctx context.Context, at Target, call Call) Seen {
				return openAIReason(chat(ctx, at, call))
			},
			Maker: "The error's text gives the status only.",
		}, {
			Cases: []Case{adminOutage},
			Do:    "`option.WithMaxRetries(0)`, and print that header",
			Run: func(ctx context.Context, at Target, call Call) Seen {
				return openAIReason(chat(ctx, at, call, option.WithMaxRetries(0)))
			},
		}},
	})
}

// openAIReason shows what a program that follows the advice prints.
func openAIReason(err error) Seen {
	seen := failed(err)
	if refused := (*openai.Error)(nil); errors.As(err, &refused) {
		seen.Output += ": " + refused.Response.Header.Get("X-Databricks-Reason-Phrase")
	}
	return seen
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
