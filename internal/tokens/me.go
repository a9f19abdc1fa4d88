package tokens

import (
	"context"
	"encoding/json"
	"time"
)

// mePath is what a workspace says of whoever asks.
const mePath = "/preview/scim/v2/Me"

// Me returns the name of whom an admin credential belongs to, as the workspace gives it. The
// timeout bounds each request. The error is an [*UnavailableError].
func Me(ctx context.Context, workspace string, admin Admin, timeout time.Duration) (string, error) {
	transport := NewTransport(timeout)
	defer transport.Close()
	api, err := admin.newClient(workspace, timeout, transport)
	if err != nil {
		return "", notConfigured(err)
	}
	body, err := read(ctx, api, mePath)
	if err != nil {
		return "", changeFailed(err)
	}
	var me struct {
		UserName    string `json:"userName"`
		DisplayName string `json:"displayName"`
	}
	if err := json.Unmarshal(body, &me); err != nil || me.UserName == "" {
		return "", &UnavailableError{Outage: BadAnswer, Err: err}
	}
	if me.DisplayName != "" && me.DisplayName != me.UserName {
		return me.DisplayName + " (" + me.UserName + ")", nil
	}
	return me.UserName, nil
}
