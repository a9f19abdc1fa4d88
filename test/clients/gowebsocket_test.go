package clients_test

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

func init() {
	register(Client{
		Name: "WebSocket in Go (coder/websocket)", Version: moduleVersion("github.com/coder/websocket"), Scope: "clusters", Works: "hello",
		Calls: []Call{Stream, Upload, Download}, Echo: true,
		Run: func(ctx context.Context, at Target, call Call) Seen {
			words := []string{"hello"}
			switch call {
			case Stream:
				words = []string{"word1", "word2", "word3"}
			case Upload, Download:
				return failed(transferWebSocket(ctx, at))
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
			Maker: "The error could have the body of the response.",
		}},
	})
}

func dialWebSocket(ctx context.Context, at Target) (*websocket.Conn, *http.Response, error) {
	return websocket.Dial(ctx, at.URL+driverPath(at), &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + at.Token}},
	})
}

// transferWebSocket sends a file in messages and saves what comes back.
func transferWebSocket(ctx context.Context, at Target) error {
	conn, _, err := dialWebSocket(ctx, at)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	return echo(at, func(piece []byte) error {
		return conn.Write(ctx, websocket.MessageBinary, piece)
	}, func() ([]byte, error) {
		_, piece, err := conn.Read(ctx)
		return piece, err
	})
}

// talkWebSocket sends each word only when the one before came back.
func talkWebSocket(ctx context.Context, at Target, words []string) (*http.Response, error) {
	conn, answer, err := dialWebSocket(ctx, at)
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
