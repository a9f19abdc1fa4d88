package clients_test

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

func init() {
	register(Client{
		Name: "WebSocket in Go (coder/websocket)", Version: "1.8.15", Scope: "clusters", Works: "hello",
		Calls: []Call{Stream},
		Run: func(ctx context.Context, at Target, call Call) Seen {
			words := []string{"hello"}
			if call == Stream {
				words = []string{"word1", "word2", "word3"}
			}
			_, err := talkWebSocket(ctx, at, words)
			return failed(err)
		},
		Advice: []Advice{{
			Cases: []Case{wrongScope, unknownToken, expiredToken, adminOutage},
			Do:    "print the header `X-Databricks-Reason-Phrase` of the response that `Dial` returns",
			Run: func(ctx context.Context, at Target, _ Call) Seen {
				answer, err := talkWebSocket(ctx, at, []string{"hello"})
				seen := failed(err)
				if answer != nil {
					seen.Output += "\n" + answer.Header.Get("X-Databricks-Reason-Phrase")
				}
				return seen
			},
			Maker: "The error gives the status only.",
		}},
	})
}

// talkWebSocket sends each word only when the one before came back.
func talkWebSocket(ctx context.Context, at Target, words []string) (*http.Response, error) {
	conn, answer, err := websocket.Dial(ctx, at.URL+driverPath(at), &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + at.Token}},
	})
	if err != nil {
		return answer, err
	}
	defer func() { _ = conn.CloseNow() }()
	for _, word := range words {
		if err := conn.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
			return nil, err
		}
		_, message, err := conn.Read(ctx)
		if err != nil {
			return nil, err
		}
		at.Show(string(message) + "\n")
	}
	return nil, conn.Close(websocket.StatusNormalClosure, "")
}
