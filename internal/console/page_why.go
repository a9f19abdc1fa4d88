package console

import (
	"errors"
	"net/http"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/why"
)

// whyPage tells one decision.
var whyPage = page{pattern: "/why", template: "why", label: "Why", title: "Why", load: (*server).why}

// whyData is what the page Why shows.
type whyData struct {
	// ID is what was asked for, and Problem why there is no story.
	ID, Problem string
	Lines       []why.Line
	// TokenID is the token of the story, empty for none.
	TokenID string
}

func (s *server) why(r *http.Request) (any, error) {
	data := whyData{ID: r.URL.Query().Get("id")}
	if data.ID == "" {
		return data, nil
	}
	prefix, err := why.ParseID(data.ID)
	if err != nil {
		data.ID, data.Problem = "", err.Error() // it may be a token that was pasted by mistake
		return data, nil                        //nolint:nilerr // the page says it
	}
	story, err := adminapi.Decision(s, prefix)
	if err != nil {
		if failed, ok := errors.AsType[*adminapi.Error](err); !ok || failed.Status >= http.StatusInternalServerError {
			return nil, err
		}
		data.Problem = err.Error()
		return data, nil
	}
	data.Lines = story.Lines()
	if story.Token != nil {
		data.TokenID = story.Token.ID
	}
	return data, nil
}
